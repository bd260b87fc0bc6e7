//! What a browser may know of a widget: what the loader draws the launcher from, and what the
//! panel draws itself from. Nothing here is secret, and nothing secret may ever be added.

use crate::ids::WidgetId;
use serde::{Deserialize, Serialize};

/// How the panel stands on the host page: three ways of placing one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Layout {
    /// A launcher in a corner that opens a panel above it; full screen on phones.
    #[default]
    Bubble,
    /// The panel fills the `<banter-widget>` element where it stands; no launcher.
    Inline,
    /// The panel fills the window; no launcher.
    Fullscreen,
}

/// The corner of the window that launcher and panel keep to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Position {
    /// Bottom, at the end of the line (right in left-to-right pages).
    #[default]
    BottomRight,
    /// Bottom left.
    BottomLeft,
    /// Top right.
    TopRight,
    /// Top left.
    TopLeft,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ColorScheme {
    /// As the visitor's system says.
    #[default]
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// The accent and what is derived from it so that everything stays readable (see [`crate::color`]).
/// Every value is `#rrggbb`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Palette {
    /// The brand's colour: launcher, header, the visitor's own messages.
    pub accent: String,
    /// What is written on it.
    pub on_accent: String,
    /// The accent as text on the light panel.
    pub accent_on_light: String,
    /// The accent as text on the dark panel.
    pub accent_on_dark: String,
}

/// What `/embed/{widget}.js` carries inside: just enough to draw the launcher. Kept short because it
/// counts against the loader's 4 KB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoaderConfig {
    /// Which widget.
    pub id: WidgetId,
    /// How the panel stands.
    pub layout: Layout,
    /// Which corner.
    pub position: Position,
    /// The launcher's colour.
    pub accent: String,
    /// The launcher's icon colour.
    pub on_accent: String,
    /// Panel width in CSS pixels.
    pub width: u32,
    /// Panel height in CSS pixels.
    pub height: u32,
    /// Distance from the window's edges in CSS pixels.
    pub offset: u32,
    /// Image for the launcher instead of the speech bubble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// The launcher's and the panel's names and the texts of a failed load.
    pub strings: LoaderStrings,
    /// File name under `/assets/` of the page-mode module.
    pub module: String,
}

/// The loader's own texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoaderStrings {
    /// Name of the closed launcher.
    pub open: String,
    /// Name of the open launcher.
    pub close: String,
    /// Name of the panel.
    pub panel: String,
    /// `{n}` is replaced by the number of unread messages.
    pub unread: String,
    /// While the panel loads.
    pub loading: String,
    /// When it could not be loaded.
    pub failed: String,
    /// The button that tries again.
    pub retry: String,
    /// The button that makes the launcher a dot.
    #[serde(default)]
    pub minimise: String,
    /// Name of the launcher that is a dot.
    #[serde(default)]
    pub restore: String,
}

/// Which ways of leaving the browser tells the server. How much time each leaves to come back is
/// the server's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Leave {
    /// The page was closed or left.
    pub tab_closed: bool,
    /// The page was hidden.
    pub hidden: bool,
    /// The panel was collapsed.
    pub collapsed: bool,
}

/// What the panel draws itself from: inlined in the frame page, and answered by
/// `GET /visitor/v1/widgets/{widget}` for page mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WidgetConfig {
    /// Which widget.
    pub id: WidgetId,
    /// The header's first line.
    pub title: String,
    /// The header's second line.
    #[serde(default)]
    pub subtitle: String,
    /// http(s) or same-origin address of the header's logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// How the panel stands.
    #[serde(default)]
    pub layout: Layout,
    /// Which corner the launcher keeps to in page mode.
    #[serde(default)]
    pub position: Position,
    /// Light or dark.
    #[serde(default)]
    pub color_scheme: ColorScheme,
    /// The colours.
    #[serde(default)]
    pub palette: Palette,
    /// Panel width in CSS pixels, for page mode.
    #[serde(default)]
    pub width: u32,
    /// Panel height in CSS pixels, for page mode.
    #[serde(default)]
    pub height: u32,
    /// BCP 47 tag of the texts, e.g. `en` or `ar`; sets `lang` and, by its script, `dir`.
    #[serde(default)]
    pub language: String,
    /// Whether `language` is written from right to left.
    #[serde(default)]
    pub rtl: bool,
    /// What the assistant says before anybody else does; shown without a session being opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_message: Option<String>,
    /// Whether a session begins when the panel opens instead of with the first message.
    #[serde(default)]
    pub session_on_open: bool,
    /// The longest message the server takes, in characters.
    #[serde(default)]
    pub max_message_chars: u32,
    /// How long nothing may be said or typed before the session ends, in seconds; 0 when a newer
    /// server left it out.
    #[serde(default)]
    pub inactivity_seconds: u32,
    /// Which ways of leaving end the session.
    #[serde(default)]
    pub leave: Leave,
    /// Every text the panel shows.
    #[serde(default)]
    pub strings: Strings,
}

macro_rules! strings {
    ($($(#[$doc:meta])* $name:ident = $english:literal,)*) => {
        /// Every text the panel shows. The server fills in what the owner left out, so a browser
        /// carries no texts in its code.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct Strings {
            $($(#[$doc])* pub $name: String,)*
        }

        impl Strings {
            /// The English texts, which are also the defaults.
            #[must_use]
            pub fn english() -> Self {
                Self { $($name: $english.to_owned(),)* }
            }

            /// These texts, and those of `fallback` where one was left empty.
            #[must_use]
            pub fn or(self, fallback: Self) -> Self {
                Self {
                    $($name: if self.$name.is_empty() { fallback.$name } else { self.$name },)*
                }
            }
        }
    };
}

strings! {
    /// The composer's placeholder.
    placeholder = "Type your message…",
    /// The composer's accessible name.
    message = "Message",
    /// The send button.
    send = "Send",
    /// The minimise button.
    close = "Minimise chat",
    /// The End button.
    end = "End",
    /// Accessible name of the End button.
    end_chat = "End chat",
    /// Restart, after an end.
    restart = "Start new chat",
    /// Status: connected.
    connected = "Connected",
    /// Status: no conversation yet.
    ready = "Ready",
    /// Status: trying to reach the server.
    connecting = "Connecting…",
    /// Status: the browser has no network.
    offline = "Offline",
    /// Status: the conversation is over.
    ended = "Chat ended",
    /// Why it is over: the visitor ended it.
    ended_by_visitor = "You ended this chat.",
    /// Why it is over: nothing was said for too long.
    ended_inactive = "This chat ended because nothing was said for a while.",
    /// Why it is over: the page was closed or left.
    ended_tab_closed = "This chat ended when the page was closed.",
    /// Why it is over: the page was hidden.
    ended_hidden = "This chat ended while you were away from the page.",
    /// Why it is over: the panel was collapsed.
    ended_collapsed = "This chat ended while it was minimised.",
    /// Why it is over: its time was up.
    ended_expired = "This chat has expired.",
    /// Why it is over: the owner ended it.
    ended_by_owner = "This chat was closed by our team.",
    /// Why it is over: whoever runs the assistant ended it.
    ended_by_provider = "The assistant ended this chat.",
    /// Why it is over: it could not be carried on.
    ended_failed = "This chat could not be carried on.",
    /// While little time is left; `{n}` is the number of seconds.
    ending_in = "This chat ends in {n} s",
    /// The button that asks for more time.
    stay = "Stay",
    /// The button that carries the conversation on after its end.
    continue_chat = "Continue this chat",
    /// The line between what was said before and what is carried on.
    earlier = "Your earlier chat is above",
    /// Accessible name of the transcript.
    transcript = "Conversation",
    /// The typing indicator's accessible text.
    typing = "The assistant is typing",
    /// Who the visitor is, for screen readers.
    you = "You",
    /// Who the assistant is, for screen readers.
    assistant = "Assistant",
    /// Copy a message.
    copy = "Copy",
    /// Copied.
    copied = "Copied",
    /// A message waiting for the network.
    queued = "Waiting for connection",
    /// A message on its way.
    sending = "Sending…",
    /// A message that could not be sent.
    not_sent = "Not sent",
    /// Try again, on a message or an answer.
    retry = "Try again",
    /// An answer that stopped before its end.
    interrupted = "The answer was interrupted.",
    /// The pill that leads down.
    jump = "Jump to latest",
    /// Heading above sources.
    sources = "Source",
    /// Day break: today.
    today = "Today",
    /// Day break: yesterday.
    yesterday = "Yesterday",
    /// When something unexpected failed and no better text came with it.
    failed = "Something went wrong.",
    /// Name of the closed launcher.
    open_chat = "Open chat",
    /// `{n}` is the number of unread messages.
    unread = "{n} unread",
    /// The button that makes the launcher a dot.
    minimise = "Shrink chat button",
    /// Name of the launcher that is a dot.
    restore = "Enlarge chat button",
}

#[cfg(test)]
mod tests {
    use super::WidgetConfig;

    #[test]
    fn a_config_from_another_version_still_parses() {
        let config: WidgetConfig = serde_json::from_str(
            r#"{"id":"demo","title":"Hi","newField":{"a":[1]},"strings":{"send":"Go","brandNew":"x"}}"#,
        )
        .unwrap();
        assert_eq!((config.title.as_str(), config.strings.send.as_str()), ("Hi", "Go"));
    }
}
