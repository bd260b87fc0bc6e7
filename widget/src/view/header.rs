//! The panel's first line: who speaks, how the line stands, and the ways out.

use super::{Shown, flag, text};
use banter_shared::widget::WidgetConfig;
use leptos::prelude::{
    ArcRwSignal, AriaAttributes, ClassAttribute, CustomAttribute, ElementChild, GlobalAttributes,
    IntoView, component, view,
};

/// Each status in one word, for the stylesheet, in the order of [`crate::state::connection::Status`].
const WORDS: [&str; 5] = ["ready", "connecting", "connected", "offline", "ended"];

/// Draws the header; `closable` when there is something to minimise into.
#[component]
pub(crate) fn Header<'a>(
    config: &'a WidgetConfig,
    shown: &'a ArcRwSignal<Shown>,
    closable: bool,
) -> impl IntoView + use<> {
    let strings = &config.strings;
    let statuses = [
        strings.ready.clone(),
        strings.connecting.clone(),
        strings.connected.clone(),
        strings.offline.clone(),
        strings.ended.clone(),
    ];
    let logo = config.logo.clone().map(|logo| view! { <img class="logo" src=logo alt="" /> });
    view! {
        <header class="header">
            {logo}
            <div class="names">
                <h2>{config.title.clone()}</h2>
                <p class="second">
                    <span class="status" data-status=text(shown, |shown| WORDS[shown.status as usize].to_owned())>
                        {text(shown, move |shown| statuses[shown.status as usize].clone())}
                    </span>
                    <span class="subtitle">{config.subtitle.clone()}</span>
                </p>
            </div>
            <button
                class="end"
                type="button"
                aria-label=strings.end_chat.clone()
                hidden=flag(shown, |shown| !shown.active)
            >
                {strings.end.clone()}
            </button>
            <button
                class="close"
                type="button"
                aria-label=strings.close.clone()
                hidden=!closable
            ></button>
        </header>
    }
}
