//! Stands in for the crate `wasm-streams` (by `[patch.crates-io]` in the workspace).
//!
//! Leptos depends on it for streaming server functions, which the widget has none of. The real one exports
//! classes to JavaScript, and what is exported no linker and no optimiser may remove: 6 KB brotli for every
//! visitor (measured: a Leptos "hello" is 23.1 KB with it and 17.9 without). This one has the same
//! functions, compiles to nothing, and yields streams without content.

use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasm_bindgen::{JsValue, UnwrapThrowExt};

/// A stream of the browser's.
#[derive(Debug)]
pub struct ReadableStream(web_sys::ReadableStream);

impl ReadableStream {
    /// Takes a stream of the browser's.
    #[must_use]
    pub fn from_raw(raw: web_sys::ReadableStream) -> Self {
        Self(raw)
    }

    /// A stream of the browser's, without content.
    #[must_use]
    pub fn from_stream<S>(_: S) -> Self
    where
        S: Stream<Item = Result<JsValue, JsValue>> + 'static,
    {
        Self(web_sys::ReadableStream::new().unwrap_throw())
    }

    /// The stream of the browser's.
    #[must_use]
    pub fn into_raw(self) -> web_sys::ReadableStream {
        self.0
    }

    /// A stream that has ended.
    #[must_use]
    pub fn into_stream(self) -> IntoStream {
        IntoStream(())
    }
}

/// A stream that has ended.
#[derive(Debug)]
pub struct IntoStream(());

impl Stream for IntoStream {
    type Item = Result<JsValue, JsValue>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}
