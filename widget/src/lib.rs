//! What a visitor sees: a Leptos app compiled to WebAssembly.
//!
//! Read in this order: [`state`] decides everything and knows no browser; [`app`] feeds it and does
//! what it wants done; [`view`] draws; [`mod@mount`] puts it all into a document. Beside them stand
//! [`net`], [`storage`], [`channel`] and [`lock`] (other tabs) and [`host`] (the page around us), one for each
//! line that leads out, and [`text`], which reads the Markdown of answers.
//!
//! The frame page calls [`start_frame`]; a page that has the widget in itself calls [`mount()`].

pub mod app;
pub mod channel;
pub mod dom;
pub mod host;
pub mod json;
pub mod lock;
pub mod mount;
pub mod net;
pub mod state;
pub mod storage;
pub mod text;
pub mod time;
pub mod view;
pub mod wire;

use banter_shared::widget::WidgetConfig;
use mount::Mounted;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};
use web_sys::HtmlElement;

/// Starts the widget in `#app` of our own frame page, for as long as the page lives. `host_origin`
/// is the origin of the page around the frame, or empty when there is none.
///
/// # Errors
/// When `config_json` is not a [`WidgetConfig`].
#[wasm_bindgen]
pub fn start_frame(config_json: &str, host_origin: &str) -> Result<(), JsError> {
    std::mem::forget(mount::in_frame(parse(config_json)?, host_origin));
    Ok(())
}

/// Puts the widget into a shadow root of `host`, with a launcher of its own. `api_base` is the
/// server's origin, `stylesheet_css` the text of `widget.css`.
///
/// # Errors
/// When `config_json` is not a [`WidgetConfig`], or `host` cannot have a shadow root.
#[wasm_bindgen]
pub fn mount(
    host: &HtmlElement,
    config_json: &str,
    api_base: &str,
    stylesheet_css: &str,
) -> Result<Handle, JsValue> {
    let config = parse(config_json)?;
    Ok(Handle(Some(mount::in_page(host, config, api_base, stylesheet_css)?)))
}

/// A widget in a page.
#[wasm_bindgen]
pub struct Handle(Option<Mounted>);

#[wasm_bindgen]
impl Handle {
    /// Takes the JSON of a [`banter_shared::host::ToFrame`]; what is not one is ignored.
    pub fn command(&self, json: &str) {
        if let (Some(mounted), Some(command)) = (&self.0, json::read(json, wire::read_command)) {
            app::wiring::obey(&mounted.app, command);
        }
    }

    /// Takes the widget out of the page. Calling it again changes nothing.
    pub fn destroy(&mut self) {
        self.0 = None;
    }
}

fn parse(config_json: &str) -> Result<WidgetConfig, JsError> {
    json::read(config_json, wire::read_config).ok_or_else(|| JsError::new("not a configuration"))
}
