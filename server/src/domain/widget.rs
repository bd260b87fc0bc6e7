//! A widget integration: what its owner sets, what of it a browser may know, and who may embed it.

use super::origin::{Origin, OriginPattern};
use banter_shared::color::{Rgb, TEXT_CONTRAST};
use banter_shared::ids::WidgetId;
use banter_shared::session::EndReason;
use banter_shared::widget::{
    ColorScheme, Layout, Leave, LoaderConfig, LoaderStrings, Palette, Position, Strings,
    WidgetConfig,
};
use serde::{Deserialize, Serialize};

/// What links stand on in either scheme, the assistant's bubbles; must agree with `--bubble` in
/// `assets/widget.css`. The panel behind them is further from the text, so it reads there as well.
const BUBBLE_LIGHT: Rgb = Rgb(0xf1, 0xf3, 0xf6);
const BUBBLE_DARK: Rgb = Rgb(0x24, 0x27, 0x2e);

/// What an owner sets. Everything has a default, so an empty table is a working widget. What a newer
/// server has stored is read past; what an owner misspelt is refused by the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WidgetSettings {
    /// Name of the assistant that answers.
    pub assistant: String,
    /// Name of the assistant that answers chats, if it is not the one that answers calls.
    pub chat_assistant: Option<String>,
    /// Whether visitors may talk to it.
    pub enabled: bool,
    /// Which pages may embed it.
    pub allowed_origins: Vec<OriginPattern>,
    /// Whether `/chat/{widget}` shows it as a page of its own.
    pub hosted_page: bool,
    /// The header's first line.
    pub title: String,
    /// The header's second line.
    pub subtitle: String,
    /// http(s) or same-origin address of the header's logo.
    pub logo: Option<String>,
    /// http(s) or same-origin address of an image for the launcher.
    pub icon: Option<String>,
    /// The brand's colour, `#rrggbb` or `#rgb`.
    pub accent: String,
    /// Light or dark.
    pub color_scheme: ColorScheme,
    /// How the panel stands on the page.
    pub layout: Layout,
    /// Which corner.
    pub position: Position,
    /// Panel width in CSS pixels.
    pub width: u32,
    /// Panel height in CSS pixels.
    pub height: u32,
    /// Distance from the window's edges in CSS pixels.
    pub offset: u32,
    /// BCP 47 tag of the texts.
    pub language: String,
    /// Whether a session begins when the panel opens instead of with the first message.
    pub session_on_open: bool,
    /// How long nothing may be said or typed before a session ends, in minutes (seed 000: 1 to 60).
    pub inactivity_minutes: u32,
    /// Which ways of leaving end a session, and after how long.
    pub leave: LeaveRules,
    /// Name of the campaign whose logs this widget's sessions are read with.
    pub campaign: Option<String>,
    /// Texts that replace the English defaults.
    pub strings: Strings,
}

impl Default for WidgetSettings {
    fn default() -> Self {
        Self {
            assistant: String::new(),
            chat_assistant: None,
            enabled: true,
            allowed_origins: Vec::new(),
            hosted_page: false,
            title: "Chat with us".into(),
            subtitle: String::new(),
            logo: None,
            icon: None,
            accent: "#2458d3".into(),
            color_scheme: ColorScheme::Auto,
            layout: Layout::Bubble,
            position: Position::BottomRight,
            width: 400,
            height: 640,
            offset: 20,
            language: "en".into(),
            session_on_open: false,
            inactivity_minutes: 3,
            leave: LeaveRules::default(),
            campaign: None,
            strings: Strings::default(),
        }
    }
}

/// The longest grace period: a token does not outlive its session by more.
const MAX_GRACE_SECONDS: u32 = 3600;

/// What leaving does to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Grace {
    /// `false`: nothing. (`true` is read as no grace at all.)
    Ends(bool),
    /// It ends after this many seconds without a sign of life.
    Seconds(u32),
}

impl Grace {
    /// How long a visitor may stay away, in milliseconds; `None` when leaving ends nothing.
    #[must_use]
    pub fn ms(self) -> Option<u64> {
        match self {
            Self::Ends(false) => None,
            Self::Ends(true) => Some(0),
            Self::Seconds(seconds) => Some(u64::from(seconds) * 1000),
        }
    }
}

/// Which ways of leaving end a session (seed 000: closing the tab, hiding it, collapsing the
/// panel), each after a grace period, so that a reload or a glance at another tab costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaveRules {
    /// The page was closed or left; a reload is both, so this needs a grace period.
    pub tab_closed: Grace,
    /// The page was hidden.
    pub hidden: Grace,
    /// The panel was collapsed.
    pub collapsed: Grace,
}

impl Default for LeaveRules {
    fn default() -> Self {
        Self {
            tab_closed: Grace::Seconds(10),
            hidden: Grace::Seconds(60),
            collapsed: Grace::Seconds(60),
        }
    }
}

impl LeaveRules {
    /// How long a visitor who left for `reason` may stay away, in milliseconds; `None` when that
    /// ends nothing. Ending by hand needs no second thought.
    #[must_use]
    pub fn grace_ms(&self, reason: EndReason) -> Option<u64> {
        match reason {
            EndReason::TabClosed => self.tab_closed.ms(),
            EndReason::Hidden => self.hidden.ms(),
            EndReason::Collapsed => self.collapsed.ms(),
            _ => Some(0),
        }
    }

    fn told(&self) -> Leave {
        Leave {
            tab_closed: self.tab_closed.ms().is_some(),
            hidden: self.hidden.ms().is_some(),
            collapsed: self.collapsed.ms().is_some(),
        }
    }

    fn longest(&self) -> u32 {
        let seconds = |grace| match grace {
            Grace::Ends(_) => 0,
            Grace::Seconds(seconds) => seconds,
        };
        seconds(self.tab_closed).max(seconds(self.hidden)).max(seconds(self.collapsed))
    }
}

/// A widget as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widget {
    /// Its id, as it stands in the tag.
    pub id: WidgetId,
    /// What its owner set.
    pub settings: WidgetSettings,
}

/// What the browser side of a widget is built from, besides its settings.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// What the assistant says first, rendered.
    pub first_message: Option<&'a str>,
    /// The longest message the server takes, in characters.
    pub max_message_chars: u32,
}

impl Widget {
    /// Whether pages of `origin` may embed this widget.
    #[must_use]
    pub fn allows(&self, origin: &Origin) -> bool {
        self.settings.allowed_origins.iter().any(|pattern| pattern.allows(origin))
    }

    /// What the panel draws itself from.
    #[must_use]
    pub fn config(&self, surroundings: Surroundings<'_>) -> WidgetConfig {
        let settings = &self.settings;
        WidgetConfig {
            id: self.id.clone(),
            title: settings.title.clone(),
            subtitle: settings.subtitle.clone(),
            logo: settings.logo.clone(),
            layout: settings.layout,
            position: settings.position,
            color_scheme: settings.color_scheme,
            palette: self.palette(),
            width: settings.width,
            height: settings.height,
            language: settings.language.clone(),
            rtl: is_rtl(&settings.language),
            first_message: surroundings.first_message.map(str::to_owned),
            session_on_open: settings.session_on_open,
            max_message_chars: surroundings.max_message_chars,
            inactivity_seconds: settings.inactivity_minutes * 60,
            leave: settings.leave.told(),
            strings: self.strings(),
        }
    }

    /// What the loader draws the launcher from; `module` is a file name.
    #[must_use]
    pub fn loader_config(&self, module: &str) -> LoaderConfig {
        let (settings, palette, strings) = (&self.settings, self.palette(), self.strings());
        LoaderConfig {
            id: self.id.clone(),
            layout: settings.layout,
            position: settings.position,
            accent: palette.accent,
            on_accent: palette.on_accent,
            width: settings.width,
            height: settings.height,
            offset: settings.offset,
            icon: settings.icon.clone(),
            strings: LoaderStrings {
                open: strings.open_chat,
                close: strings.close,
                panel: settings.title.clone(),
                unread: strings.unread,
                loading: strings.connecting,
                failed: strings.failed,
                retry: strings.retry,
                minimise: strings.minimise,
                restore: strings.restore,
            },
            module: module.to_owned(),
        }
    }

    /// Every text, the owner's where there is one.
    #[must_use]
    pub fn strings(&self) -> Strings {
        self.settings.strings.clone().or(Strings::english())
    }

    fn palette(&self) -> Palette {
        let accent = Rgb::parse(&self.settings.accent).unwrap_or(Rgb(0x24, 0x58, 0xd3));
        Palette {
            accent: accent.to_string(),
            on_accent: accent.ink().to_string(),
            accent_on_light: accent.readable_on(BUBBLE_LIGHT, TEXT_CONTRAST).to_string(),
            accent_on_dark: accent.readable_on(BUBBLE_DARK, TEXT_CONTRAST).to_string(),
        }
    }
}

impl WidgetSettings {
    /// What is wrong with these settings, as `(field, sentence)`.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if Rgb::parse(&self.accent).is_none() {
            faults.push(("accent", format!("`{}` is not a colour: write #rrggbb", self.accent)));
        }
        for (field, address) in [("logo", &self.logo), ("icon", &self.icon)] {
            let usable = |a: &String| {
                a.starts_with("https://")
                    || a.starts_with("http://")
                    || (a.starts_with('/') && !a.starts_with("//"))
            };
            if address.as_ref().is_some_and(|address| !usable(address)) {
                faults.push((field, "must be an http(s) address or begin with /".to_owned()));
            }
        }
        for (field, value, range) in [
            ("width", self.width, 280..=1200),
            ("height", self.height, 320..=1600),
            ("offset", self.offset, 0..=200),
        ] {
            if !range.contains(&value) {
                let (low, high) = range.into_inner();
                faults.push((field, format!("must be from {low} to {high} CSS pixels")));
            }
        }
        if !(1..=60).contains(&self.inactivity_minutes) {
            faults.push(("inactivity_minutes", "must be from 1 to 60 minutes".to_owned()));
        }
        if self.leave.longest() > MAX_GRACE_SECONDS {
            faults
                .push(("leave", format!("a grace period has at most {MAX_GRACE_SECONDS} seconds")));
        }
        let tag = &self.language;
        if !is_language_tag(tag) {
            faults.push(("language", format!("`{tag}` is not a BCP 47 tag such as en or de-CH")));
        }
        faults
    }
}

/// Whether a text may be a BCP 47 tag: letters, digits and hyphens, as short as tags are.
#[must_use]
pub fn is_language_tag(tag: &str) -> bool {
    (1..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether a language is written from right to left. Source: CLDR's right-to-left scripts, by the
/// languages that are commonly written in them.
fn is_rtl(tag: &str) -> bool {
    let language = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    matches!(
        language.as_str(),
        "ar" | "arc" | "ckb" | "dv" | "fa" | "he" | "iw" | "ks" | "ps" | "sd" | "ug" | "ur" | "yi"
    )
}

#[cfg(test)]
mod tests {
    use super::{Surroundings, Widget, WidgetSettings};

    #[test]
    fn a_default_widget_is_sound_and_readable() {
        let widget = Widget { id: "w".into(), settings: WidgetSettings::default() };
        assert_eq!(widget.settings.faults(), []);
        let config =
            widget.config(Surroundings { first_message: Some("Hi"), max_message_chars: 10 });
        assert_eq!(config.palette.on_accent, "#ffffff");
        assert_eq!(config.strings.send, "Send");
        assert!(!config.rtl);
    }

    #[test]
    fn an_owners_text_replaces_only_its_default() {
        let mut settings = WidgetSettings { language: "ar-EG".into(), ..WidgetSettings::default() };
        settings.strings.send = "أرسل".into();
        let widget = Widget { id: "w".into(), settings };
        let config = widget.config(Surroundings { first_message: None, max_message_chars: 10 });
        assert_eq!((config.strings.send.as_str(), config.strings.end.as_str()), ("أرسل", "End"));
        assert!(config.rtl);
    }

    #[test]
    fn what_a_newer_server_has_stored_is_read() {
        let newer = serde_json::json!({
            "title": "Hi", "mood": "good", "leave": { "hidden": 5, "asleep": 9 },
            "strings": { "wave": "Bye" },
        });
        let read: WidgetSettings = serde_json::from_value(newer).unwrap();
        let grace = read.leave.hidden.ms();
        assert_eq!((read.title.as_str(), grace), ("Hi", Some(5000)));
    }

    #[test]
    fn unusable_settings_are_named() {
        let settings = WidgetSettings {
            accent: "red".into(),
            logo: Some("javascript:alert(1)".into()),
            icon: Some("//evil.example/x.png".into()),
            width: 10,
            language: "en_US!".into(),
            ..WidgetSettings::default()
        };
        let fields: Vec<_> = settings.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["accent", "logo", "icon", "width", "language"]);
    }
}
