//! Whose address counts.

use std::net::{IpAddr, Ipv6Addr};

/// What counts as one asker: an IPv4 address, or the first 64 bits of an IPv6 address, of which every
/// customer of a network has at least one. An IPv4 address inside IPv6 is that IPv4 address.
pub(in crate::adapters::inbound) fn asker(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let one = |text: &str| text.parse().map(asker).map(|asker| asker.to_string()).unwrap_or_default();
        assert_eq!(one("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(one("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(one("192.0.2.1"), "192.0.2.1");
    }
}
