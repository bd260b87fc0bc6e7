//! What the server carries inside: the built front end (`dist/`) and the demo shop.
//!
//! A debug build reads both from the source tree at start, a release build has them in the binary.

use base64::Engine as _;
use bytes::Bytes;
use rust_embed::Embed;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;

#[derive(Embed)]
#[folder = "../dist"]
#[allow_missing = true]
#[exclude = ".*"]
struct Dist;

#[derive(Embed)]
#[folder = "../assets/demo"]
struct Demo;

/// A file in the forms it may be sent in.
#[derive(Clone, Debug)]
pub struct Asset {
    /// As it is.
    pub raw: Bytes,
    /// brotli, if that was prepared.
    pub brotli: Option<Bytes>,
    /// gzip, if that was prepared.
    pub gzip: Option<Bytes>,
    /// Its media type.
    pub content_type: &'static str,
    /// A strong entity tag with its quotes.
    pub etag: String,
}

/// `dist/manifest.json`: the hashed names of this build.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The panel's module.
    pub script: String,
    /// CSP source of the frame page's one inline stylesheet.
    pub style_hash: String,
}

/// The built front end.
#[derive(Clone, Debug)]
pub struct FrontEnd {
    /// The names of this build.
    pub manifest: Manifest,
    /// The loader, with a place for its configuration.
    pub loader: String,
    /// The frame page, with places for its configuration.
    pub frame: String,
    /// Versioned files by name.
    pub files: HashMap<String, Asset>,
}

impl FrontEnd {
    /// The front end this server was built with; `None` if it was built without one.
    #[must_use]
    pub fn load() -> Option<Self> {
        let text = |name: &str| {
            Dist::get(name).and_then(|file| String::from_utf8(file.data.into_owned()).ok())
        };
        let manifest = serde_json::from_str(&text("manifest.json")?).ok()?;
        let files = Dist::iter()
            .filter_map(|path| {
                let name = path.strip_prefix("assets/")?.to_owned();
                let raw = Dist::get(&path)?.data;
                let prepared =
                    |ending| Dist::get(&format!("{path}.{ending}")).map(|file| file.data);
                let is_original = !(name.ends_with(".br") || name.ends_with(".gz"));
                is_original
                    .then(|| (name.clone(), asset(&name, raw, prepared("br"), prepared("gz"))))
            })
            .collect();
        Some(Self { manifest, loader: text("loader.js")?, frame: text("frame.html")?, files })
    }
}

/// A file of the demo shop, by its path below `assets/demo/`.
#[must_use]
pub fn demo_file(path: &str) -> Option<Asset> {
    // The knowledge is the assistant's, not the page's.
    let served = !path.starts_with("knowledge/");
    let raw = served.then(|| Demo::get(path)).flatten()?.data;
    Some(asset(path, raw, None, None))
}

/// The demo assistant's knowledge: `(file name, Markdown)`.
#[must_use]
pub fn demo_knowledge() -> Vec<(String, String)> {
    Demo::iter()
        .filter_map(|path| {
            let name = path.strip_prefix("knowledge/")?.to_owned();
            let text = String::from_utf8(Demo::get(&path)?.data.into_owned()).ok()?;
            Some((name, text))
        })
        .collect()
}

fn asset(
    name: &str,
    raw: Cow<'static, [u8]>,
    brotli: Option<Cow<'static, [u8]>>,
    gzip: Option<Cow<'static, [u8]>>,
) -> Asset {
    let etag = etag(&raw);
    let (brotli, gzip) = (brotli.map(into_bytes), gzip.map(into_bytes));
    Asset { raw: into_bytes(raw), brotli, gzip, content_type: content_type(name), etag }
}

/// Without a copy when the file is part of the binary.
fn into_bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    }
}

/// A strong entity tag for these bytes, with its quotes.
#[must_use]
pub fn etag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    format!("\"{}\"", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..12]))
}

/// The media type by a file's ending; WebAssembly compiles while it loads only under its own.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "jpg" => "image/jpeg",
        "ico" => "image/x-icon",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::{content_type, demo_file, demo_knowledge};

    #[test]
    fn the_demo_shop_is_carried_inside_and_its_knowledge_is_not_a_page() {
        assert!(demo_file("index.html").is_some());
        assert!(demo_file("../Cargo.toml").is_none());
        let knowledge = demo_knowledge();
        assert!(knowledge.len() >= 3, "{}", knowledge.len());
        for (name, _) in knowledge {
            assert!(demo_file(&format!("knowledge/{name}")).is_none());
        }
    }

    #[test]
    fn webassembly_has_its_own_type() {
        assert_eq!(content_type("widget-0.wasm"), "application/wasm");
        assert_eq!(content_type("noending"), "application/octet-stream");
    }
}
