//! The visitor API: what the widget in a visitor's browser may ask.

pub(super) mod messages;
pub(super) mod sessions;
pub(super) mod widget;
