//! The line between the tabs of one browser: a `BroadcastChannel` for each widget.

use crate::dom::Listener;
use crate::json;
use crate::state::tabs::Told;
use crate::text::joined;
use crate::wire::{read_told, write_told};
use wasm_bindgen::JsCast;
use web_sys::{BroadcastChannel, MessageEvent};

/// Talks to the other tabs; to nobody where there are no channels.
#[derive(Debug)]
pub struct Channel(Option<BroadcastChannel>);

impl Channel {
    /// The channel of the widget with this id.
    #[must_use]
    pub fn of(widget: &str) -> Self {
        Self(BroadcastChannel::new(&joined(&["banter:", widget])).ok())
    }

    /// Tells the other tabs.
    pub fn spread(&self, told: &Told) {
        if let Some(channel) = &self.0 {
            // A closed channel has nobody listening.
            let _ = channel.post_message(&write_told(told).into());
        }
    }

    /// Hears the other tabs; what a newer version says is skipped.
    #[must_use]
    pub fn listen(&self, mut hear: impl FnMut(Told) + 'static) -> Option<Listener> {
        let channel = self.0.as_ref()?;
        Some(Listener::new(channel, "message", move |event| {
            let data = event.unchecked_into::<MessageEvent>().data().as_string();
            if let Some(told) = data.and_then(|json| json::read(&json, read_told)) {
                hear(told);
            }
        }))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some(channel) = &self.0 {
            channel.close();
        }
    }
}
