//! The panel without its composer: header, transcript, the pill that leads down, the note of an end,
//! and the region that screen readers listen to.
//!
//! Accessibility, decided once: the transcript is a `log` whose own live announcements are off,
//! because a log that grows by the word is read out by the word. Each answer is announced
//! once, when it is complete, through a hidden polite region. The panel is a dialog without a trap:
//! it never covers what it belongs to without a way out, so Tab may leave it and Escape closes it.

use super::header::Header;
use super::{Shown, flag, text};
use banter_shared::session::EndReason;
use banter_shared::widget::WidgetConfig;
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
    let reasons =
        [strings.ended_by_visitor.clone(), strings.ended_expired.clone(), strings.ended.clone()];
    let reason = move |shown: Shown| match shown.ended {
        None => String::new(),
        Some(EndReason::VisitorEnded) => reasons[0].clone(),
        Some(EndReason::Expired) => reasons[1].clone(),
        Some(_) => reasons[2].clone(),
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
        </div>
    }
}

/// A number worth showing.
pub(super) fn count(number: u32) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}
