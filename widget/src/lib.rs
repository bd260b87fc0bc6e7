//! What a visitor sees: a Leptos app compiled to WebAssembly.
