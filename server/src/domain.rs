//! Rules without I/O: who may embed a widget, what a message may be, when a conversation is over, how
//! minutes are counted; what a key opens and which logs a filter means; which webhooks to believe, what
//! to keep of them, and where our own may go. Tested by table and by property; knows neither database
//! nor network.

pub mod api_key;
pub mod assistant;
pub mod client_address;
pub mod conversation;
pub mod embedding;
pub mod log;
pub mod minutes;
pub mod origin;
pub mod owner;
pub mod provider;
pub mod provider_event;
pub mod provider_session;
pub mod public_address;
pub mod redaction;
pub mod retry;
pub mod session;
pub mod signature;
pub mod text;
pub mod webhook_auth;
pub mod webhook_url;
pub mod widget;
