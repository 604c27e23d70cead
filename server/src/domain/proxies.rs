//! Which proxies are believed, and what they say about who asks.

use core::net::IpAddr;
use std::str::FromStr;

/// The word for every network that no router of the internet passes on.
const PRIVATE: &str = "private";

/// Loopback, private, unique-local and link-local networks (RFC 1918, 4193, 3927, 4291).
const PRIVATE_NETWORKS: [(&str, u8); 8] = [
    ("127.0.0.0", 8),
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("169.254.0.0", 16),
    ("::1", 128),
    ("fc00::", 7),
    ("fe80::", 10),
];

/// A network: an address and how many of its first bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Proxies whose word counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// Text that names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give an address, a network such as 10.0.0.0/8, or the word private")]
pub struct NoNetwork;

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same(u128::from(network.to_bits()), u128::from(address.to_bits()), 32, self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => same(network.to_bits(), address.to_bits(), 128, self.bits),
            _ => false,
        }
    }
}

/// Whether the first `bits` of two addresses that are `width` bits wide are the same.
fn same(one: u128, other: u128, width: u32, bits: u8) -> bool {
    let ignored = width.saturating_sub(u32::from(bits));
    one.checked_shr(ignored).unwrap_or(0) == other.checked_shr(ignored).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| NoNetwork)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width { Err(NoNetwork) } else { Ok(Self { address, bits }) }
    }
}

impl Proxies {
    /// Every machine of a private network, and this one.
    #[must_use]
    pub fn private() -> Self {
        let networks = PRIVATE_NETWORKS.iter().filter_map(|(address, bits)| {
            let address = address.parse().ok()?;
            Some(Network { address, bits: *bits })
        });
        Self(networks.collect())
    }

    /// Reads addresses, networks and the word `private`, separated by commas.
    ///
    /// # Errors
    ///
    /// [`NoNetwork`].
    pub fn read(text: &str) -> Result<Self, NoNetwork> {
        let mut proxies = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            if item == PRIVATE {
                proxies.0.extend(Self::private().0);
            } else {
                proxies.0.push(item.parse()?);
            }
        }
        Ok(proxies)
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// Whether nobody is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is the address of a proxy that is believed.
    #[must_use]
    pub fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(address))
    }

    /// Who asks, when `peer` is at the other end of the connection and says that it forwards for
    /// `forwarded`: the values of `X-Forwarded-For` in their order, each with addresses separated by
    /// commas. Each proxy adds, at the end, the address that it has seen. So this reads from the end,
    /// past proxies that are believed, and stops at the first that is not: whatever stands before it is
    /// only claimed.
    #[must_use]
    pub fn asker<'a>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        let mut seen = peer;
        for hop in forwarded.rev().flat_map(|value| value.rsplit(',')) {
            if !self.hold(seen) {
                break;
            }
            let Some(address) = address(hop.trim()) else { break };
            seen = address;
        }
        seen
    }
}

/// An address, perhaps with a port, which some proxies add.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<core::net::SocketAddr>() {
        return Some(address.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may stop anywhere")]

    use super::*;

    fn asker(proxies: &str, peer: &str, forwarded: &[&str]) -> String {
        let proxies = Proxies::read(proxies).unwrap();
        proxies.asker(peer.parse().unwrap(), forwarded.iter().copied()).to_string()
    }

    #[test]
    fn nobody_is_believed_unless_declared() {
        assert_eq!(asker("", "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(asker("10.0.0.0/8", "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(asker("10.0.0.0/8", "10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(asker("10.0.0.0/8", "::ffff:10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(asker("private", "172.31.0.2", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(asker("private", "172.32.0.2", &["203.0.113.9"]), "172.32.0.2");
        assert_eq!(asker("private", "fd00::5", &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn what_stands_before_the_first_stranger_is_only_claimed() {
        let proxies = "10.0.0.0/8,192.0.2.7";
        assert_eq!(asker(proxies, "10.0.0.1", &["1.1.1.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(asker(proxies, "10.0.0.1", &["1.1.1.1, 203.0.113.9, 192.0.2.7, 10.9.9.9"]), "203.0.113.9");
        assert_eq!(asker(proxies, "10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.9.9.9"]), "203.0.113.9");
        // A client that claims to be a proxy gains nothing but the address of one.
        assert_eq!(asker(proxies, "10.0.0.1", &["1.1.1.1, 10.0.0.5, 203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn what_cannot_be_read_is_where_reading_ends() {
        for hop in ["nonsense", "", "unknown", "1.2.3", "203.0.113.9 x", "999.0.0.1"] {
            assert_eq!(asker("private", "10.0.0.1", &[hop]), "10.0.0.1", "{hop}");
        }
        assert_eq!(asker("private", "10.0.0.1", &["1.1.1.1, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(asker("private", "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(asker("private", "10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(asker("private", "10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(asker("private", "10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn networks_are_read_and_others_refused() {
        for text in ["10.0.0.0/33", "10.0.0/8", "::/129", "proxy.example", "10.0.0.0/", "/8"] {
            assert_eq!(Proxies::read(text), Err(NoNetwork), "{text}");
        }
        assert!(Proxies::read("0.0.0.0/0").unwrap().hold("203.0.113.9".parse().unwrap()));
        assert!(Proxies::read("::/0").unwrap().hold("2001:db8::1".parse().unwrap()));
        assert!(!Proxies::read("0.0.0.0/0").unwrap().hold("2001:db8::1".parse().unwrap()));
        assert!(Proxies::read(" , ").unwrap().is_empty());
    }
}
