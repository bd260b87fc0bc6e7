//! Filling in the two templates of the front end. What an owner typed stays data: in the script it
//! is JSON that cannot close a tag, in the page it is escaped text.

use banter_shared::widget::{LoaderConfig, WidgetConfig};
use serde::Serialize;

/// The loader with its configuration.
pub(super) fn loader(template: &str, config: &LoaderConfig) -> String {
    template.replacen("__BANTER_CONFIG__", &json(config), 1)
}

/// The frame page of a widget, embedded by `host` (empty: by nobody).
pub(super) fn frame(template: &str, config: &WidgetConfig, host: &str) -> String {
    let json = json(config);
    let values = [
        ("__CONFIG__", json.as_str()),
        ("__LANG__", &escape(&config.language)),
        ("__DIR__", if config.rtl { "rtl" } else { "ltr" }),
        ("__TITLE__", &escape(&config.title)),
        ("__HOST__", &escape(host)),
        ("__PLACEHOLDER__", &escape(&config.strings.placeholder)),
        ("__MESSAGE__", &escape(&config.strings.message)),
        ("__SEND__", &escape(&config.strings.send)),
    ];
    fill(template, &values)
}

/// Replaces every token in one pass, so that a value that looks like a token stays a value.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some(at) = rest.find("__") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some((token, value)) = values.iter().find(|(token, _)| from.starts_with(token)) {
            out.push_str(value);
            rest = &from[token.len()..];
        } else {
            out.push_str("__");
            rest = &from[2..];
        }
    }
    out.push_str(rest);
    out
}

/// JSON that is also JavaScript and holds nothing that HTML would act on.
fn json(value: &impl Serialize) -> String {
    // Our own types serialise.
    let json = serde_json::to_string(value).unwrap_or_default();
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Text for an element or a quoted attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{escape, fill, json};

    #[test]
    fn what_an_owner_types_stays_data() {
        assert_eq!(json(&"</script><b>\u{2028}"), r#""\u003c/script>\u003cb>\u2028""#);
        assert_eq!(
            escape(r#"<img src=x onerror='a("&")'>"#),
            "&lt;img src=x onerror=&#39;a(&quot;&amp;&quot;)&#39;&gt;"
        );
    }

    #[test]
    fn a_value_that_looks_like_a_token_is_not_filled_in() {
        let values = [("__A__", "__B__"), ("__B__", "x")];
        assert_eq!(fill("__A__|__B__|__C__|__", &values), "__B__|x|__C__|__");
    }
}
