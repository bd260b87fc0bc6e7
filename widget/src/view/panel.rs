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
    let (reasons, ending_in) = (reasons(strings).map(Clone::clone), strings.ending_in.clone());
    let notice = move |shown: Shown| match (shown.ended, shown.seconds_left) {
        (Some(reason), _) => reasons[reason as usize].clone(),
        (None, Some(left)) => numbered(&ending_in, left),
        (None, None) => String::new(),
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
        // Not a live region, or every second would be read out; see `App::lead`.
        <div
            class="notice"
            hidden=flag(shown, |shown| shown.ended.is_none() && shown.seconds_left.is_none())
        >
            <p>{text(shown, notice)}</p>
            <button class="restart" type="button" hidden=flag(shown, |shown| shown.ended.is_none())>
                {strings.restart.clone()}
            </button>
            <button class="continue" type="button" hidden=flag(shown, |shown| !shown.can_continue)>
                {strings.continue_chat.clone()}
            </button>
            <button class="stay" type="button" hidden=flag(shown, |shown| shown.seconds_left.is_none())>
                {strings.stay.clone()}
            </button>
        </div>
    }
}

/// Why a conversation is over, in a sentence each, in the order of [`EndReason`].
pub(crate) fn reasons(strings: &Strings) -> [&String; EndReason::NAMES.len()] {
    [
        &strings.ended_by_visitor,
        &strings.ended_inactive,
        &strings.ended_tab_closed,
        &strings.ended_hidden,
        &strings.ended_collapsed,
        &strings.ended_expired,
        &strings.ended_by_owner,
        &strings.ended_by_provider,
        &strings.ended_failed,
        &strings.ended,
    ]
}

/// A number worth showing.
pub(super) fn count(number: u32) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}
