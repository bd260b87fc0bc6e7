//! A stand-in for Vapi, for tests and demos: the routes a server uses (`/session`, `/chat`,
//! `/assistant`), with Vapi's own answers, errors and webhooks, and faults on demand.
//!
//! ```text
//! api      the routes, each with its checks
//! state    what it remembers
//! script   what it is told to do with the next requests, down to the bytes
//! webhooks what it tells the owner's server
//! ```
//!
//! Facts come from Vapi's OpenAPI document and its documentation; `tests/schema.rs` holds the
//! answers to the former. Where Vapi publishes nothing, the file that decides says so.

mod api;
mod checks;
mod costs;
mod double;
mod friendly;
mod options;
mod refusal;
mod script;
mod shared;
mod state;
mod variables;
mod webhooks;
mod when;

pub use double::Double;
pub use friendly::words;
pub use options::{ASSISTANT, Clock, KEY, ORGANIZATION, Options, system_now_ms};
pub use script::{Act, Quirk, Route, Script};
pub use shared::Seen;
pub use webhooks::{Algorithm, Credential, Encoding, HmacPlan, Sent};
