//! Which addresses belong to the open internet. Whoever may name an address for us to call must not
//! reach what only this machine, this network or this cloud can reach.
//!
//! Source: IANA special-purpose address registries (RFC 6890 and its updates), and the metadata
//! services of the clouds. What is not known to be public is not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 blocks that are not for everybody: address, prefix length.
#[rustfmt::skip]
const CLOSED_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),         // this network, and the unspecified address
    (Ipv4Addr::new(10, 0, 0, 0), 8),        // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),     // carrier-grade NAT; a cloud's metadata at 100.100.100.200
    (Ipv4Addr::new(127, 0, 0, 0), 8),       // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32),  // a cloud's metadata on an address that looks public
    (Ipv4Addr::new(169, 254, 0, 0), 16),    // link-local; most clouds' metadata at 169.254.169.254
    (Ipv4Addr::new(172, 16, 0, 0), 12),     // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),      // protocol assignments; a cloud's metadata at .192
    (Ipv4Addr::new(192, 0, 2, 0), 24),      // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),    // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),    // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),     // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),   // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),    // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),       // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),       // reserved
    (Ipv4Addr::new(255, 255, 255, 255), 32),// broadcast
];

/// Holes in the IPv6 block that is public, `2000::/3`.
#[rustfmt::skip]
const CLOSED_V6: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),      // Teredo, ORCHID and other assignments
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),  // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),      // 6to4: any IPv4 address in disguise
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16),      // 6bone, returned
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),      // documentation
];

/// IPv4 within IPv6 that a host or a NAT64 gateway turns back into IPv4: judged as that address.
const CARRIERS: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)];

/// Whether anybody on the internet could reach this address.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !CLOSED_V4
        .iter()
        .any(|(block, length)| (address.to_bits() ^ block.to_bits()) >> (32 - length) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    if CARRIERS.iter().any(|carrier| bits >> 32 == carrier.to_bits() >> 32) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    bits >> 125 == 0b001
        && !CLOSED_V6.iter().any(|(block, length)| (bits ^ block.to_bits()) >> (128 - length) == 0)
}

#[cfg(test)]
mod tests {
    use super::is_public;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn the_first_and_last_address_of_every_block() {
        #[rustfmt::skip]
        let closed = [
            "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
            "100.100.100.200", "127.0.0.0", "127.0.0.1", "127.255.255.255", "168.63.129.16",
            "169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255", "172.16.0.0",
            "172.31.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.1", "192.88.99.1",
            "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.7",
            "203.0.113.255", "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255",
            "::", "::1", "::2", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
            "::ffff:0.0.0.0", "::127.0.0.1", "::8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::808:808", "100::1", "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:1ff:ffff::", "2001:db8::1",
            "2002:7f00:1::", "2002:808:808::1", "3ffe::1", "3fff::1", "3fff:fff::1", "4000::1",
            "5f00::1", "fc00::1", "fd00:ec2::254", "fdff:ffff::1", "fe80::1", "fe80::a9fe:a9fe",
            "febf::1", "fec0::1", "ff02::1", "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ];
        for text in closed {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        #[rustfmt::skip]
        let open = [
            "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
            "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255",
            "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0",
            "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255",
            "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::808:808", "2000::1", "2001:200::1",
            "2001:4860:4860::8888", "2001:db7::1", "2001:db9::1", "2003::1", "2606:4700:4700::1111",
            "3fff:1000::1", "2a00:1450::1",
        ];
        for text in open {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        /// The standard library's own judgements, as far as it has them.
        #[test]
        fn nothing_the_standard_library_calls_special_is_public(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_unspecified() || address.is_broadcast()
                || address.is_documentation();
            prop_assert!(!(special && is_public(IpAddr::V4(address))), "{address}");
        }

        #[test]
        fn a_disguise_changes_nothing(bits in any::<u32>()) {
            let plain = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(is_public(plain.to_ipv6_mapped().into()), is_public(plain.into()));
        }

        #[test]
        fn of_ipv6_only_the_global_block_is_public(bits in any::<u128>()) {
            let address = Ipv6Addr::from_bits(bits);
            if is_public(address.into()) && address.to_ipv4_mapped().is_none() {
                prop_assert!(matches!(address.segments()[0], 0x2000..=0x3fff | 0x64));
            }
        }
    }
}
