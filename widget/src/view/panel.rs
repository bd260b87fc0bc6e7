//! The panel without its composer: header, transcript, the pill that leads down, the note of an end,
//! and the region that screen readers listen to.
//!
//! Accessibility, decided once: the transcript is a `log` whose own live announcements are off,
//! because a log that grows by the word is read out by the word. Each answer is announced
//! once, when it is complete, through a hidden polite region. The panel is a dialog without a trap:
//! it never covers what it belongs to without a way out, so Tab may leave it and Escape closes it.

use super::header::Header;
use super::{Shown, flag, text};
use crate::text::numbered;
use banter_shared::session::EndReason;
use banter_shared::widget::{Strings, WidgetConfig};
use leptos::prelude::{
    ArcRwSignal, AriaAttributes, ClassAttribute, ElementChild, GlobalAttributes, IntoView,
    component, view,
};

/// Draws the panel around the place where [`super::transcript::TranscriptView`] writes.
#[component]
pub(crate) fn Panel<'a>(
    config: &'a WidgetConfig,
    shown: &'a ArcRwSignal<Shown>,
    closable: bool,
) -> impl IntoView + use<> {
    let strings = &config.strings;
    // Of all that can happen only one thing will: so the texts are looked up, and kept once.
    let texts = strings.clone();
    let reason = move |shown: Shown| {
        shown.ended.map(|reason| why(&texts, reason).to_owned()).unwrap_or_default()
    };
    let ending_in = strings.ending_in.clone();
    let countdown = move |shown: Shown| {
        shown.seconds_left.map(|left| numbered(&ending_in, left)).unwrap_or_default()
    };
    view! {
        <Header config shown closable />
        <div class="middle">
            <div
                class="log"
                role="log"
                aria-live="off"
                aria-label=strings.transcript.clone()
                tabindex="0"
            ></div>
            <button
                class="jump"
                type="button"
                hidden=flag(shown, |shown| shown.scroll.following)
            >
                {strings.jump.clone()}
                <span class="count">{text(shown, |shown| count(shown.scroll.below))}</span>
            </button>
        </div>
        <div class="ended" hidden=flag(shown, |shown| shown.ended.is_none())>
            <p>{text(shown, reason)}</p>
            <button class="restart" type="button">
                {strings.restart.clone()}
            </button>
            <button class="continue" type="button" hidden=flag(shown, |shown| !shown.can_continue)>
                {strings.continue_chat.clone()}
            </button>
        </div>
        // Its first number is announced; a region that is live would be read every second.
        <div class="ending" role="timer" hidden=flag(shown, |shown| shown.seconds_left.is_none())>
            <p>{text(shown, countdown)}</p>
            <button class="stay" type="button">
                {strings.stay.clone()}
            </button>
        </div>
    }
}

/// Why a conversation is over, in a sentence.
pub(crate) fn why(strings: &Strings, reason: EndReason) -> &str {
    match reason {
        EndReason::VisitorEnded => &strings.ended_by_visitor,
        EndReason::Inactive => &strings.ended_inactive,
        EndReason::TabClosed => &strings.ended_tab_closed,
        EndReason::Hidden => &strings.ended_hidden,
        EndReason::Collapsed => &strings.ended_collapsed,
        EndReason::Expired => &strings.ended_expired,
        EndReason::OwnerEnded => &strings.ended_by_owner,
        EndReason::ProviderEnded => &strings.ended_by_provider,
        EndReason::Failed => &strings.ended_failed,
        EndReason::Unknown => &strings.ended,
    }
}

/// A number worth showing.
pub(super) fn count(number: u32) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}
