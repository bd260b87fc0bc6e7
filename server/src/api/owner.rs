//! The owner API: what an organization's own programs may ask with an API key.

pub(super) mod webhooks;
