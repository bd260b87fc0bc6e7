//! Where an owner may have webhooks sent: https to the open internet, or a host that the server's
//! operator allowed by name.
//!
//! An address that is spelled in digits (also `2130706433`, `0x7f.1`, `017700000001`: all of them
//! 127.0.0.1) is judged here. A name is judged when it is looked up, each time a connection is made:
//! what it means today says nothing of tomorrow.

use super::public_address::is_public;
use std::net::IpAddr;
use url::{Host, Url};

/// The longest address that is kept, in bytes.
pub const LONGEST: usize = 2048;

/// Hosts that may be private and without TLS, because the server's operator says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<Host>);

impl AllowedHosts {
    /// Reads a list of host names and addresses; the first that is neither is the error.
    ///
    /// # Errors
    /// The line at fault.
    pub fn parse(lines: &[String]) -> Result<Self, String> {
        lines
            .iter()
            .map(|line| Host::parse(line).map(plain).map_err(|_| line.clone()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a name may mean any address.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        self.has(&Host::Domain(name.to_ascii_lowercase()))
    }

    fn has(&self, host: &Host) -> bool {
        let host = plain(host.clone());
        self.0.contains(&host)
    }
}

/// A host without the dot that may end a name.
fn plain(host: Host) -> Host {
    match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
        address => address,
    }
}

/// Reads an address that webhooks are to be sent to.
///
/// # Errors
/// What is wrong with it, as a sentence about "url".
pub fn parse(text: &str, allowed: &AllowedHosts) -> Result<Url, &'static str> {
    if text.len() > LONGEST {
        return Err("is longer than 2,048 bytes");
    }
    let url = Url::parse(text).map_err(|_| "is not an address")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("does not begin with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user or a password: what we send is signed instead");
    }
    if url.fragment().is_some() {
        return Err("holds a fragment, which is never sent");
    }
    let Some(host) = url.host().map(|host| host.to_owned()) else { return Err("has no host") };
    if allowed.has(&host) {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err("does not begin with https://");
    }
    let public = match plain(host) {
        // One word is a name of this network, whatever it resolves to.
        Host::Domain(name) => {
            name.contains('.') && !name.ends_with(".localhost") && !name.starts_with('.')
        }
        Host::Ipv4(address) => is_public(IpAddr::V4(address)),
        Host::Ipv6(address) => is_public(IpAddr::V6(address)),
    };
    if public { Ok(url) } else { Err("is not on the open internet") }
}

#[cfg(test)]
mod tests {
    use super::{AllowedHosts, parse};

    #[test]
    fn every_spelling_of_a_private_address_is_seen_through() {
        #[rustfmt::skip]
        let refused = [
            // Not https, or not an address at all.
            "", "example.com", "//example.com/", "http://example.com/", "ftp://example.com/",
            "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "https://",
            "https:///", "https://exa mple.com/", "https://example.com:99999/", "data:text/plain,hi",
            "HTTP://EXAMPLE.COM", "unix:/var/run/docker.sock",
            // Users, passwords, fragments.
            "https://user@example.com/", "https://user:pass@example.com/", "https://:pass@example.com/",
            "https://example.com@127.0.0.1/", "https://example.com/#here", "https://example.com#@10.0.0.1/",
            // Loopback, however it is written.
            "https://127.0.0.1/", "https://127.0.0.1:8787/", "https://127.1/", "https://127.0.1/",
            "https://2130706433/", "https://0x7f000001/", "https://0x7F.0.0.1/", "https://017700000001/",
            "https://0177.0.0.1/", "https://0177.0x0.0.01/", "https://127.0.0.1./", "https://0/",
            "https://0.0.0.0/", "https://0x0/", "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/",
            "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/",
            "https://[0:0:0:0:0:ffff:127.0.0.1]:443/", "https://127.0.0.1%2f@example.com/",
            "https://１２７.０.０.１/", "https://127。0。0。1/", "https://①②⑦.⓪.⓪.①/",
            "https://%31%32%37.0.0.1/", "https://\t127.0.0.1/", "https:\\\\127.0.0.1\\", "https:127.0.0.1",
            // Names of this machine and this network.
            "https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://a.localhost./",
            "https://intranet/", "https://kubernetes/", "https://./",
            // Private networks, link-local, metadata.
            "https://10.0.0.1/", "https://10.1/", "https://167772161/", "https://172.16.0.1/",
            "https://172.31.255.255/", "https://192.168.0.1/", "https://192.168.1/", "https://0xc0a80001/",
            "https://3232235521/", "https://169.254.169.254/latest/meta-data/", "https://2852039166/",
            "https://0xA9FEA9FE/", "https://0251.0376.0251.0376/", "https://169.254.43518/",
            "https://[::ffff:169.254.169.254]/", "https://[::ffff:a9fe:a9fe]/", "https://[64:ff9b::a9fe:a9fe]/",
            "https://[fd00:ec2::254]/", "https://100.100.100.200/", "https://168.63.129.16/",
            "https://192.0.0.192/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/",
            "https://[2002:7f00:1::]/", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "https://[fc00::1]/",
            "https://224.0.0.1/", "https://255.255.255.255/", "https://[ff02::1]/", "https://[2001:db8::1]/",
            "https://256.256.256.256/", "https://1.2.3.4.5/", "https://[::1/", "https://[1.2.3.4]/",
        ];
        assert!(refused.len() >= 80, "{}", refused.len());
        for text in refused {
            assert!(parse(text, &AllowedHosts::default()).is_err(), "{text}");
        }
        assert!(
            parse(&format!("https://a.example/{}", "a".repeat(2048)), &AllowedHosts::default())
                .is_err()
        );
    }

    #[test]
    fn the_open_internet_is_allowed() {
        for text in [
            "https://example.com",
            "https://hooks.example.com/banter?key=1&b=%20",
            "https://EXAMPLE.com:8443/",
            "https://example.com./",
            "https://bücher.example/",
            "https://1.1.1.1/",
            "https://[2606:4700:4700::1111]/hook",
            "https://127.0.0.1.example.com/",
            " https://example.com/ ",
        ] {
            assert!(parse(text, &AllowedHosts::default()).is_ok(), "{text}");
        }
    }

    #[test]
    fn an_allowed_host_may_be_private_and_plain_and_nothing_else_is() {
        let lines = ["127.0.0.1", "hooks.internal", "[fd00::1]", "Receiver."].map(str::to_owned);
        let allowed = AllowedHosts::parse(&lines).unwrap();
        for (text, good) in [
            ("http://127.0.0.1:9000/hook", true),
            ("http://127.1:9000/hook", true),
            ("https://127.0.0.1/hook", true),
            ("http://hooks.internal/", true),
            ("http://hooks.internal./", true),
            ("http://[fd00::1]:80/", true),
            ("http://receiver:80/", true),
            ("http://127.0.0.2/", false),
            ("http://a.hooks.internal/", false),
            ("http://[fd00::2]/", false),
            ("http://user@127.0.0.1/", false),
            ("ftp://127.0.0.1/", false),
        ] {
            assert_eq!(parse(text, &allowed).is_ok(), good, "{text}");
        }
        assert!(allowed.has_name("hooks.internal") && allowed.has_name("HOOKS.internal."));
        assert!(!allowed.has_name("internal") && !allowed.has_name("127.0.0.2"));
        for wrong in ["", "a b", "http://host", "host:80", "10.0.0.0/8"] {
            assert_eq!(AllowedHosts::parse(&[wrong.to_owned()]), Err(wrong.to_owned()));
        }
    }
}
