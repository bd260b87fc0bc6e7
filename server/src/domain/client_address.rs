//! Whose request this is, for limits: the peer's address, or, behind proxies the owner named, the
//! address they saw.
//!
//! `X-Forwarded-For` is believed only as far as trusted proxies wrote it: read from the right, the
//! first address that is not a trusted proxy is the client. A visitor can put anything to the left
//! of it, to no effect.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

/// The client's address as limits count it: by [`household`], because one of those has 2⁶⁴ IPv6
/// addresses.
#[must_use]
pub fn client_address(peer: IpAddr, forwarded_for: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer.to_canonical();
    if is_trusted(&client) {
        let chain = forwarded_for.iter().rev().flat_map(|line| line.rsplit(','));
        for entry in chain {
            let Ok(address) = entry.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
            if !is_trusted(&client) {
                break;
            }
        }
    }
    household(client)
}

/// IPv4 whole, IPv6 by its /64.
#[must_use]
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::client_address;

    #[test]
    fn forwarded_addresses_count_only_behind_named_proxies() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for (peer, forwarded, client) in [
            ("203.0.113.9", vec![], "203.0.113.9"),
            ("203.0.113.9", vec!["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["1.1.1.1", "198.51.100.1, 10.2.2.2"], "198.51.100.1"),
            ("10.0.0.1", vec!["junk"], "10.0.0.1"),
            ("10.0.0.1", vec!["junk, 198.51.100.1"], "198.51.100.1"),
            ("::ffff:203.0.113.9", vec![], "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", vec![], "2001:db8:1:2::"),
        ] {
            assert_eq!(
                client_address(peer.parse().unwrap(), &forwarded, &trusted),
                client.parse::<std::net::IpAddr>().unwrap(),
                "{peer} {forwarded:?}"
            );
        }
    }
}
