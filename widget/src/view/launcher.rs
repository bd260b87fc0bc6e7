//! The round button that opens the panel, in page mode, and the small one that makes it a dot. (In a
//! frame the loader draws them.)

use super::panel::count;
use super::{Shown, flag, text};
use crate::text::{joined, numbered};
use banter_shared::widget::WidgetConfig;
use leptos::prelude::{
    ArcRwSignal, AriaAttributes, ClassAttribute, CustomAttribute, ElementChild, GlobalAttributes,
    IntoView, component, view,
};

/// Draws the launcher.
#[component]
pub(crate) fn Launcher<'a>(
    config: &'a WidgetConfig,
    shown: &'a ArcRwSignal<Shown>,
) -> impl IntoView + use<> {
    let strings = &config.strings;
    let (open, close) = (strings.open_chat.clone(), strings.close.clone());
    let restore = strings.restore.clone();
    let news = strings.unread.clone();
    let label = move |shown: Shown| {
        let name = if shown.dot { &restore } else { &open };
        match (shown.open, shown.unread) {
            (true, _) => close.clone(),
            (false, 0) => name.clone(),
            (false, unread) => joined(&[name, ", ", &numbered(&news, unread)]),
        }
    };
    view! {
        <div class="corner" data-dot=text(shown, |shown| (shown.dot && !shown.open).to_string())>
            <button
                class="launcher"
                part="launcher"
                type="button"
                aria-label=text(shown, label)
                aria-expanded=text(shown, |shown| shown.open.to_string())
            >
                <span class="badge" aria-hidden="true">
                    {text(shown, |shown| count(shown.unread))}
                </span>
            </button>
            <button
                class="less"
                type="button"
                aria-label=strings.minimise.clone()
                hidden=flag(shown, |shown| shown.dot || shown.open)
            >
                "–"
            </button>
        </div>
    }
}
