//! The round button that opens the panel, in page mode. (In a frame the loader draws it.)

use super::panel::count;
use super::{Shown, text};
use crate::text::{joined, numbered};
use banter_shared::widget::WidgetConfig;
use leptos::prelude::{
    ArcRwSignal, AriaAttributes, ClassAttribute, ElementChild, GlobalAttributes, IntoView,
    component, view,
};

/// Draws the launcher.
#[component]
pub(crate) fn Launcher<'a>(
    config: &'a WidgetConfig,
    shown: &'a ArcRwSignal<Shown>,
) -> impl IntoView + use<> {
    let strings = &config.strings;
    let (open, close) = (strings.open_chat.clone(), strings.close.clone());
    let news = strings.unread.clone();
    let label = move |shown: Shown| match (shown.open, shown.unread) {
        (true, _) => close.clone(),
        (false, 0) => open.clone(),
        (false, unread) => joined(&[&open, ", ", &numbered(&news, unread)]),
    };
    view! {
        <button
            class="launcher"
            part="launcher"
            type="button"
            aria-label=text(shown, label)
            aria-expanded=text(shown, |shown| shown.open.to_string())
        >
            <span class="badge" aria-hidden="true">{text(shown, |shown| count(shown.unread))}</span>
        </button>
    }
}
