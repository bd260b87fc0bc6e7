//! The frame page: its template made small, its tokens filled, and the hash of its style for the
//! Content-Security-Policy.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Elements whose content is not ours to change.
const VERBATIM: [&str; 4] = ["script", "style", "textarea", "pre"];

/// A page and what the policy must say of it.
pub(super) struct Page {
    pub(super) html: String,
    /// `sha256-…`, as a CSP source without its quotes.
    pub(super) style_hash: String,
}

/// Makes the page out of its template.
pub(super) fn make(template: &str, css: &str, script: &str, wasm: &str) -> Result<Page> {
    let ends_early = css.to_ascii_lowercase().contains("</style");
    ensure!(!ends_early, "the stylesheet holds `</style`, which would end its element");
    let small = shrink(template);
    for token in ["__CSS__", "__SCRIPT__", "__WASM__"] {
        ensure!(small.contains(token), "frame.html has no {token}");
    }
    // The stylesheet last: whatever it holds is not looked through for tokens.
    let html = fill(&small, &[("__SCRIPT__", script), ("__WASM__", wasm), ("__CSS__", css)]);
    let style = between(&html, "<style>", "</style>").context("frame.html has no plain <style>")?;
    let digest = STANDARD.encode(Sha256::digest(style));
    Ok(Page { style_hash: format!("sha256-{digest}"), html })
}

/// Replaces each token by its value, in order.
pub(crate) fn fill(template: &str, tokens: &[(&str, &str)]) -> String {
    tokens.iter().fold(template.to_owned(), |text, (token, value)| text.replace(token, value))
}

fn between<'text>(text: &'text str, open: &str, close: &str) -> Option<&'text str> {
    let rest = text.split_once(open)?.1;
    Some(rest.split_once(close)?.0)
}

/// Drops comments and the indentation between tags; keeps a space where words meet.
fn shrink(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html.trim();
    while let Some(start) = rest.find('<') {
        push_text(&mut out, &rest[..start]);
        rest = &rest[start..];
        let end = match rest.strip_prefix("<!--") {
            Some(_) => {
                rest = rest.split_once("-->").map_or("", |(_, after)| after);
                continue;
            }
            None => end_of_tag(rest),
        };
        let tag = &rest[..end];
        push_tag(&mut out, tag);
        rest = &rest[end..];
        if let Some(name) = VERBATIM.into_iter().find(|name| opens(tag, name)) {
            let length = rest.find(&format!("</{name}")).unwrap_or(rest.len());
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    push_text(&mut out, rest);
    out
}

/// Where the tag that `html` begins with ends, quotes respected.
fn end_of_tag(html: &str) -> usize {
    let mut quote = None;
    for (index, character) in html.char_indices() {
        match (quote, character) {
            (None, '>') => return index + 1,
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    html.len()
}

fn opens(tag: &str, name: &str) -> bool {
    tag.strip_prefix('<')
        .and_then(|tag| tag.strip_prefix(name))
        .is_some_and(|after| after.starts_with(|next: char| next == '>' || next.is_whitespace()))
}

/// Text between tags: nothing if it was indentation, else with single spaces.
fn push_text(out: &mut String, text: &str) {
    if text.trim().is_empty() && (text.contains('\n') || text.is_empty()) {
        return;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if text.starts_with(char::is_whitespace) {
        out.push(' ');
    }
    out.push_str(&words.join(" "));
    if !words.is_empty() && text.ends_with(char::is_whitespace) {
        out.push(' ');
    }
}

/// A tag with single spaces between its attributes; values stay as they are.
fn push_tag(out: &mut String, tag: &str) {
    let mut quote = None;
    let mut space = false;
    for character in tag.chars() {
        if quote.is_none() && character.is_whitespace() {
            space = true;
            continue;
        }
        if space && character != '>' {
            out.push(' ');
        }
        space = false;
        match quote {
            None if matches!(character, '"' | '\'') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        out.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::{fill, make, shrink};

    #[test]
    fn space_that_nobody_sees_goes() {
        for (html, expected) in [
            ("<p>\n  <b>a</b>\n</p>\n", "<p><b>a</b></p>"),
            ("<b>a</b> <i>b</i>", "<b>a</b> <i>b</i>"),
            ("<p>\n  one\n  two <b>three</b>\n</p>", "<p> one two <b>three</b></p>"),
            ("<!-- why -->\n<p>a</p><!-- x -->", "<p>a</p>"),
            ("<a\n   href=\"x  y\"\n   id='a>b'\n>t</a>", "<a href=\"x  y\" id='a>b'>t</a>"),
            ("<style>a  {\n}</style>", "<style>a  {\n}</style>"),
            ("<textarea>\n a\n</textarea>", "<textarea>\n a\n</textarea>"),
            ("<script>\n1 <  2\n</script>", "<script>\n1 <  2\n</script>"),
            ("<stylesheet>\n <b>x</b>", "<stylesheet><b>x</b>"),
            ("a < b", "a < b"),
            ("<p>é\n ü</p>", "<p>é ü</p>"),
        ] {
            assert_eq!(shrink(html), expected, "{html}");
        }
    }

    #[test]
    fn tokens_are_filled() {
        assert_eq!(fill("__A__ __B__ __A__", &[("__A__", "1"), ("__B__", "2")]), "1 2 1");
    }

    #[test]
    fn the_hash_is_of_what_the_browser_hashes() {
        let template = "<style>__CSS__</style><script src=__SCRIPT__></script><a href=__WASM__>";
        let page = make(template, "a{}", "s.js", "w.wasm").unwrap();
        assert_eq!(page.html, "<style>a{}</style><script src=s.js></script><a href=w.wasm>");
        // printf 'a{}' | openssl dgst -sha256 -binary | base64
        assert_eq!(page.style_hash, "sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk=");
    }

    #[test]
    fn a_template_that_would_not_work_is_refused() {
        let good = "<style>__CSS__</style>__SCRIPT__ __WASM__";
        assert!(make(good, "a{}", "s", "w").is_ok());
        assert!(make(good, "a{content:'</style>'}", "s", "w").is_err());
        assert!(make("<style>__CSS__</style>__SCRIPT__", "", "s", "w").is_err());
        assert!(make("<style media=all>__CSS__</style>__SCRIPT__ __WASM__", "", "s", "w").is_err());
    }
}
