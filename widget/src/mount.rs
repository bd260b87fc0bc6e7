//! Puts the widget into a document: into our own frame page, or into a shadow root of somebody
//! else's page.

use crate::app::{App, Parts};
use crate::dom::{Listener, append, document, element, find, icon, insert, set};
use crate::host::Host;
use crate::text::joined;
use crate::view::composer::Composer;
use crate::view::launcher::{Launcher, LauncherProps};
use crate::view::panel::{Panel, PanelProps};
use crate::view::transcript::TranscriptView;
use banter_shared::widget::{ColorScheme, Layout, Position, WidgetConfig};
use leptos::mount::mount_to;
use std::any::Any;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsCast, JsValue};
use web_sys::{CssStyleSheet, Element, HtmlElement, NodeList, ShadowRootInit, ShadowRootMode};

/// A chevron.
const MINIMISE_ICON: &str = "M6 9l6 6 6-6";

/// A speech bubble.
const CHAT_ICON: &str = "M4 4h16v12H9l-5 4z";

/// A widget in a document; dropping it takes it out again.
pub struct Mounted {
    /// The running widget.
    pub app: Rc<App>,
    root: HtmlElement,
    /// Leptos' own handles.
    _views: Vec<Box<dyn Any>>,
    /// Keeps our key presses from the page's hotkeys.
    _fence: Vec<Listener>,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.app.destroy();
        self.root.remove();
    }
}

/// Mounts into `#app` of the frame page. `host_origin` is empty on the hosted page.
#[must_use]
pub fn in_frame(config: WidgetConfig, host_origin: &str) -> Mounted {
    let root = document().get_element_by_id("app").map(JsCast::unchecked_into);
    let root: HtmlElement = root.unwrap_or_else(|| element("div", ""));
    let host = Host::around(host_origin);
    let hosted = matches!(host, Host::Nobody);
    let closable = !hosted && config.layout == Layout::Bubble;
    let app = App::new(config, host, "");
    root.set_class_name(if hosted { "root panel hosted" } else { "root panel" });
    dress(&root, &app.config);
    // The skeleton goes; the form that is being typed in stays where it is.
    let skeleton = root.query_selector_all(":scope > :not(#early)");
    for index in 0..skeleton.as_ref().map_or(0, NodeList::length) {
        let child = skeleton.as_ref().ok().and_then(|skeleton| skeleton.get(index));
        child.iter().for_each(|child| child.unchecked_ref::<Element>().remove());
    }
    let view = fill(&app, (&root, &root), None, closable);
    // Nobody opens what cannot be closed.
    if hosted || app.config.layout == Layout::Inline {
        app.open();
    }
    Mounted { app, root, _views: vec![view], _fence: Vec::new() }
}

/// Mounts into an open shadow root of `host`, with a launcher of its own.
///
/// # Errors
/// What the browser says when `host` cannot have a shadow root or does not know such stylesheets.
pub fn in_page(
    host: &HtmlElement,
    config: WidgetConfig,
    api_base: &str,
    css: &str,
) -> Result<Mounted, JsValue> {
    let shadow = match host.shadow_root() {
        Some(shadow) => shadow,
        None => host.attach_shadow(&ShadowRootInit::new(ShadowRootMode::Open))?,
    };
    // An adopted sheet is the one kind of style that a strict policy of the page lets through.
    let sheet = CssStyleSheet::new()?;
    sheet.replace_sync(css)?;
    js_sys::Reflect::set(&shadow, &"adoptedStyleSheets".into(), &js_sys::Array::of1(&sheet))?;
    // Leptos cannot mount into a shadow root itself, and a page's rules for the host element would
    // be inherited by what stands directly in it.
    let root = element("div", "root");
    append(&shadow, &root);
    dress(&root, &config);
    let bubble = config.layout == Layout::Bubble;
    let app = App::new(config, Host::Page(host.clone()), api_base);
    let mut views = Vec::new();
    let launcher = bubble.then(|| {
        let launched = Rc::clone(&app);
        let view = mount_to(root.clone(), move || {
            Launcher(LauncherProps { config: &launched.config, shown: &launched.shown })
        });
        views.push(Box::new(view) as Box<dyn Any>);
        let launcher = find(&root, ".launcher");
        icon(&launcher, CHAT_ICON);
        icon(&launcher, MINIMISE_ICON);
        launcher
    });
    let panel = element("div", "panel");
    append(&root, &panel);
    panel.set_hidden(bubble);
    views.push(fill(&app, (&root, &panel), launcher, bubble));
    if !bubble {
        app.open();
    }
    let keep = |name| Listener::new(&root, name, |event| event.stop_propagation());
    let fence = vec![keep("keydown"), keep("keyup"), keep("keypress")];
    Ok(Mounted { app, root, _views: views, _fence: fence })
}

/// Draws a panel into `panel`, which is or stands in `root`, and begins.
fn fill(
    app: &Rc<App>,
    (root, panel): (&HtmlElement, &HtmlElement),
    launcher: Option<HtmlElement>,
    closable: bool,
) -> Box<dyn Any> {
    set(panel, "role", "dialog");
    set(panel, "aria-label", &app.config.title);
    set(panel, "tabindex", "-1");
    let stage = element("div", "stage");
    insert(panel, &stage, panel.first_child().as_ref());
    let drawn = Rc::clone(app);
    let view = mount_to(stage, move || {
        Panel(PanelProps { config: &drawn.config, shown: &drawn.shown, closable })
    });
    if closable {
        icon(&find(panel, ".close"), MINIMISE_ICON);
    }
    let announcer = element("div", "unseen");
    set(&announcer, "role", "status");
    append(panel, &announcer);
    let (composer, early) = Composer::at(panel, &app.config);
    let moved = Rc::clone(app);
    let transcript = TranscriptView::new(panel, move || moved.refresh());
    let (root, panel) = (root.clone(), panel.clone());
    app.begin(Parts { root, panel, launcher, announcer, composer, transcript }, early);
    Box::new(view)
}

/// Gives `root` its language, direction, colours and sizes.
fn dress(root: &HtmlElement, config: &WidgetConfig) {
    set(root, "dir", if config.rtl { "rtl" } else { "ltr" });
    if !config.language.is_empty() {
        set(root, "lang", &config.language);
    }
    let scheme = match config.color_scheme {
        ColorScheme::Auto => "auto",
        ColorScheme::Light => "light",
        ColorScheme::Dark => "dark",
    };
    set(root, "data-scheme", scheme);
    let position = match config.position {
        Position::BottomRight => "bottom-right",
        Position::BottomLeft => "bottom-left",
        Position::TopRight => "top-right",
        Position::TopLeft => "top-left",
    };
    set(root, "data-position", position);
    let layout = match config.layout {
        Layout::Bubble => "bubble",
        Layout::Inline => "inline",
        Layout::Fullscreen => "fullscreen",
    };
    set(root, "data-layout", layout);
    let palette = &config.palette;
    for (name, colour) in [
        ("--accent", &palette.accent),
        ("--on-accent", &palette.on_accent),
        ("--accent-on-light", &palette.accent_on_light),
        ("--accent-on-dark", &palette.accent_on_dark),
    ] {
        style(root, name, colour);
    }
    for (name, pixels) in [("--width", config.width), ("--height", config.height)] {
        if pixels > 0 {
            style(root, name, &joined(&[&pixels.to_string(), "px"]));
        }
    }
}

/// Sets a custom property, unless it is empty: then the stylesheet's own holds. Goes through the
/// object model because a strict policy forbids `style` attributes.
fn style(root: &HtmlElement, name: &str, value: &str) {
    if !value.is_empty() {
        // A value that is not understood is left out.
        let _ = root.style().set_property(name, value);
    }
}
