//! The owner API (`/api/v1`): what the console and an owner's own programs send and read. The
//! widget names nothing in here and pays for nothing.

pub mod export;
pub mod key;
pub mod log;
pub mod webhook;
pub mod widget;
