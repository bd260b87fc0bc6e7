//! Which pages may embed a widget: the owner's list of origins, and how it is compared.
//!
//! Source of the shapes: RFC 6454 (origin), CSP 3 `host-source` (so that one list serves both the
//! server's own check and `frame-ancestors`).

use serde::{Deserialize, Serialize};
use std::fmt;

/// The origin of a page, as a browser writes it: `scheme://host[:port]`, lower case, http(s) only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Parses what a browser sends in `Origin`. `null`, paths, credentials and other schemes are
    /// not origins that can embed a widget, so `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        if !matches!(scheme, "http" | "https") {
            return None;
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        is_host(host).then(|| Self { scheme: scheme.to_owned(), host: host.to_owned(), port })
    }

    /// `host[:port]`, the form of the `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Whether traffic to this origin cannot be read on the way: https, or this very machine.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.scheme == "https" || is_loopback(&self.host)
    }

    fn effective_port(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "https" { 443 } else { 80 })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// One line of an owner's list.
///
/// | form | allows |
/// |---|---|
/// | `https://shop.example` | exactly that origin |
/// | `https://*.shop.example` | every subdomain, not the domain itself |
/// | `http://localhost:*` | any port of that host |
/// | `*` | every page |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginPattern {
    text: String,
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Any,
    Exactly(Origin),
    Subdomains(Origin),
    AnyPort { scheme: String, host: String },
}

impl OriginPattern {
    /// Whether pages of `origin` may embed the widget.
    #[must_use]
    pub fn allows(&self, origin: &Origin) -> bool {
        match &self.shape {
            Shape::Any => true,
            Shape::Exactly(exact) => {
                (exact.scheme == origin.scheme && exact.host == origin.host)
                    && exact.effective_port() == origin.effective_port()
            }
            Shape::Subdomains(parent) => {
                (parent.scheme == origin.scheme)
                    && parent.effective_port() == origin.effective_port()
                    && origin
                        .host
                        .strip_suffix(&parent.host)
                        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Shape::AnyPort { scheme, host } => *scheme == origin.scheme && *host == origin.host,
        }
    }

    /// Whether this line lets every page in.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.shape == Shape::Any
    }

    /// The line as a CSP `host-source`, for `frame-ancestors`.
    #[must_use]
    pub fn as_csp_source(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for OriginPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let refuse = || {
            format!(
                "`{text}` is not an origin: write https://host, https://*.host, http://host:* or *"
            )
        };
        let shape = if text == "*" {
            Shape::Any
        } else {
            let (scheme, authority) = text.split_once("://").ok_or_else(refuse)?;
            if let Some(parent) = authority.strip_prefix("*.") {
                let parent = Origin::parse(&format!("{scheme}://{parent}")).ok_or_else(refuse)?;
                // `*.com` would be everybody.
                if !parent.host.contains('.') {
                    return Err(refuse());
                }
                Shape::Subdomains(parent)
            } else if let Some(host) = authority.strip_suffix(":*") {
                let origin = Origin::parse(&format!("{scheme}://{host}")).ok_or_else(refuse)?;
                if origin.port.is_some() {
                    return Err(refuse());
                }
                Shape::AnyPort { scheme: origin.scheme, host: origin.host }
            } else {
                Shape::Exactly(Origin::parse(&text).ok_or_else(refuse)?)
            }
        };
        Ok(Self { text, shape })
    }
}

impl From<OriginPattern> for String {
    fn from(pattern: OriginPattern) -> Self {
        pattern.text
    }
}

/// Splits `host[:port]`, leaving an IPv6 address its brackets.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let end = rest.find(']')? + 2;
        let (host, rest) = authority.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let labels_ok = host.split('.').all(|label| !label.is_empty());
    labels_ok
        && host.len() <= 253
        && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Origin, OriginPattern};
    use proptest::prelude::*;

    fn pattern(text: &str) -> Result<OriginPattern, String> {
        OriginPattern::try_from(text.to_owned())
    }

    #[test]
    fn only_listed_origins_are_let_in() {
        for (line, origin, allowed) in [
            ("https://shop.example", "https://shop.example", true),
            ("https://shop.example", "https://shop.example:443", true),
            ("https://shop.example", "http://shop.example", false),
            ("https://shop.example", "https://shop.example:8443", false),
            ("https://shop.example", "https://www.shop.example", false),
            ("https://shop.example", "https://shop.example.evil.example", false),
            ("https://shop.example", "https://evilshop.example", false),
            ("https://*.shop.example", "https://www.shop.example", true),
            ("https://*.shop.example", "https://a.b.shop.example", true),
            ("https://*.shop.example", "https://shop.example", false),
            ("https://*.shop.example", "https://evilshop.example", false),
            ("https://*.shop.example", "http://www.shop.example", false),
            ("http://localhost:*", "http://localhost:5500", true),
            ("http://localhost:*", "http://localhost", true),
            ("http://localhost:*", "https://localhost:5500", false),
            ("http://localhost:*", "http://localhost.evil.example", false),
            ("http://[::1]:8080", "http://[::1]:8080", true),
            ("*", "https://anything.example", true),
        ] {
            let pattern = pattern(line).unwrap();
            let origin = Origin::parse(origin).unwrap();
            assert_eq!(pattern.allows(&origin), allowed, "{line} {origin}");
        }
    }

    #[test]
    fn what_is_not_an_origin() {
        for text in [
            "null",
            "",
            "https://",
            "shop.example",
            "ftp://shop.example",
            "https://Shop.example",
            "https://shop.example/",
            "https://a@shop.example",
            "https://shop.example:x",
            "https://shop..example",
            "https://shop.example:99999",
            "https://[::1",
            "https://é.example",
            "https://shop.example https://evil.example",
            "https://shop.example;",
        ] {
            assert_eq!(Origin::parse(text), None, "{text:?}");
        }
        for line in [
            "https://*.com",
            "https://*",
            "http://*:80",
            "https://a.*.example",
            "https://x:1:*",
            "'self'",
        ] {
            assert!(pattern(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn confidential_means_https_or_this_machine() {
        for (origin, confidential) in [
            ("https://shop.example", true),
            ("http://shop.example", false),
            ("http://127.0.0.1:8787", true),
            ("http://localhost:1", true),
            ("http://[::1]", true),
            ("http://localhost.evil.example", false),
        ] {
            assert_eq!(Origin::parse(origin).unwrap().is_confidential(), confidential, "{origin}");
        }
    }

    proptest! {
        #[test]
        fn an_origin_allows_itself_and_survives_being_written(
            host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}", port in prop::option::of(1_u16..), https: bool,
        ) {
            let scheme = if https { "https" } else { "http" };
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let text = format!("{scheme}://{host}{port}");
            let origin = Origin::parse(&text).unwrap();
            prop_assert_eq!(origin.to_string(), text.clone());
            prop_assert!(pattern(&text).unwrap().allows(&origin));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Origin::parse(&text);
            let _ = pattern(&text);
        }
    }
}
