//! The server: every key, session and transcript, and every door to the outside.
//!
//! Rooms, and which may name which (held by `cargo xtask arrows`):
//!
//! ```text
//! api ──► services ──► domain      rules without I/O
//!                 ├──► store       the only room that knows SQL
//!                 ├──► providers   who runs an assistant
//!                 └──► export      logs as files
//! ```
//!
//! Read in this order: [`api`] (the table of routes: everything the server offers), one handler,
//! [`services::converse`] (what happens to a message), [`store`], [`providers`].
//!
//! Time, ids and randomness come from [`clock`], never from the system directly; whatever runs
//! outside a request is started through [`tasks`], so that a graceful stop can wait for it.

pub mod api;
pub mod app;
pub mod assets;
pub mod clock;
pub mod domain;
pub mod export;
pub mod providers;
pub mod seats;
pub mod serve;
pub mod services;
pub mod settings;
pub mod store;
pub mod tasks;
pub mod telemetry;
