//! What the visitor sees.
//!
//! What stands around the conversation ([`launcher`], [`header`], [`panel`]) is Leptos, drawn from one
//! signal of [`Shown`]; what its buttons do is in [`crate::app::wiring`]. Two parts are built by hand, each for a reason: the [`transcript`] with its
//! [`message`]s and their [`markdown`], because a word must cost no more than a text node growing;
//! and the [`composer`], because it has to be the very element the visitor typed in before we came.

use crate::state::connection::Status;
use crate::state::scroll::Scroll;
use banter_shared::session::EndReason;
use leptos::prelude::{ArcRwSignal, Get};

pub mod composer;
pub mod header;
pub mod launcher;
pub mod markdown;
pub mod message;
pub mod panel;
pub mod transcript;

/// A text or an attribute in a Leptos view. Boxed, because every closure of a type of its own makes the
/// compiler write Leptos' code once more.
type Text = Box<dyn FnMut() -> String + Send>;
type Flag = Box<dyn FnMut() -> bool + Send>;

/// A text that follows what is shown.
fn text(shown: &ArcRwSignal<Shown>, write: impl Fn(Shown) -> String + Send + 'static) -> Text {
    let shown = shown.clone();
    Box::new(move || write(shown.get()))
}

/// An attribute that follows what is shown.
fn flag(shown: &ArcRwSignal<Shown>, judge: fn(Shown) -> bool) -> Flag {
    let shown = shown.clone();
    Box::new(move || judge(shown.get()))
}

/// Everything the Leptos views are drawn from. One small value, so that there is one signal to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What the header says.
    pub status: Status,
    /// Whether there is a conversation that can be ended.
    pub active: bool,
    /// Why the conversation is over, when it is.
    pub ended: Option<EndReason>,
    /// Whether it can be carried on then.
    pub can_continue: bool,
    /// The seconds until it ends by itself, once they are few.
    pub seconds_left: Option<u32>,
    /// Whether the panel is open.
    pub open: bool,
    /// Whether the visitor wants the launcher small.
    pub dot: bool,
    /// How many answers were not seen.
    pub unread: u32,
    /// Where the reader is.
    pub scroll: Scroll,
}
