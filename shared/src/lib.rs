//! Wire types of every line between browser and server.
//!
//! Who says what to whom:
//!
//! | line | types |
//! |---|---|
//! | loader ↔ frame (`postMessage`) | [`host`] |
//! | browser → visitor API, JSON | [`session`], [`message`], [`widget`] |
//! | owner's programs and console → owner API, JSON | [`owner`] |
//! | visitor API → browser, event stream | [`stream`], framed by [`sse`] |
//! | any failure, as a response or inside a stream | [`error`] |
//!
//! Rules of this crate, each for a reason:
//!
//! - No I/O and no framework, so that the widget pays for the types and nothing else.
//! - Enums are *externally tagged*: measured at 4 to 16 KB brotli less in the browser than an
//!   internal tag, because serde then needs no buffering.
//! - Messages survive the future: unknown variants become `Unknown` (or are skipped), unknown
//!   fields are ignored, new fields are optional.
//! - Instants are Unix milliseconds (`u64`): a browser turns them into a `Date` for free.

pub mod color;
pub mod error;
pub mod host;
pub mod ids;
pub mod message;
pub mod owner;
pub mod session;
pub mod sse;
pub mod stream;
pub mod widget;
