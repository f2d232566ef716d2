//! PURE. Networks whose load balancers are believed what they say of their clients.

// `std::net` has the same; an address is a value and no socket.
use core::net::IpAddr;

/// A network: an address and how many of its first bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// An address in it.
    pub address: IpAddr,
    /// Bits that all addresses in it have in common, 0 to 32 or 128.
    pub prefix: u8,
}

impl Network {
    /// Whether an address is in it. One of IPv4 that came over IPv6 counts as what it is.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(four) => (u128::from(u32::from(four)) << 96, 32),
            IpAddr::V6(six) => (u128::from(six), 128),
        };
        let ((own, own_width), (other, width)) = (bits(self.address), bits(address));
        let differs = (own ^ other).leading_zeros();
        own_width == width && (own == other || differs >= u32::from(self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_inside() {
        for (network, prefix, address, inside) in [
            ("10.1.0.0", 16, "10.1.255.255", true),
            ("10.1.0.0", 16, "10.2.0.0", false),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("10.1.2.3", 32, "10.1.2.2", false),
            ("10.1.2.3", 31, "10.1.2.2", true),
            ("0.0.0.0", 0, "200.1.1.1", true),
            ("0.0.0.0", 0, "::1", false),
            ("::", 0, "10.0.0.1", false),
            ("10.0.0.0", 8, "::ffff:10.9.9.9", true),
            ("fd00::", 8, "fd12::1", true),
            ("fd00::", 8, "fe00::1", false),
            ("::1", 128, "::1", true),
        ] {
            let network = Network { address: network.parse().expect("an address"), prefix };
            assert_eq!(
                network.contains(address.parse().expect("an address")),
                inside,
                "{network:?} {address}"
            );
        }
    }
}
