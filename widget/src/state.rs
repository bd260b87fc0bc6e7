//! What the widget knows and decides, without a browser: everything here runs and is tested natively.
//!
//! [`conversation::Conversation`] is the machine: events in, effects out. Its parts are
//! the [`transcript`], the [`outbox`] of what waits to be sent, the [`session`], the judgement of
//! failures in [`connection`], the count of the [`unread`], how much time is left ([`inactivity`]) and whether
//! the visitor is there ([`presence`]). What the composer needs is in [`draft`], what the scroll position
//! means in [`scroll`], and what tabs tell each other in [`tabs`].

pub mod connection;
pub mod conversation;
pub mod draft;
pub mod inactivity;
pub mod outbox;
pub mod presence;
pub mod scroll;
pub mod session;
pub mod tabs;
pub mod transcript;
pub mod unread;
