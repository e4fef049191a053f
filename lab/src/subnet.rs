//! Which addresses a lab uses: 10.77.X.0/24, one X per lab, node i at .10+i, the client at .1.
//!
//! The addresses exist only inside the lab's namespaces; different labs get different ones so
//! that a capture or a log can't be mistaken for another lab's.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Node 244 would be .254, the last address.
pub const NODES_MAX: usize = 244;
/// Length of the network's prefix, in bits.
pub const PREFIX_BITS: u8 = 24;

/// The third number of a lab's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subnet(pub u8);

impl Subnet {
    /// The lowest network that no other lab uses.
    ///
    /// # Errors
    /// When all 256 are taken.
    pub fn allocate(taken: &BTreeSet<Subnet>) -> Result<Self> {
        (0..=u8::MAX)
            .map(Subnet)
            .find(|subnet| !taken.contains(subnet))
            .ok_or_else(|| Error::Machine {
                what: "256 labs are up, and every one has a network of its own".into(),
                advice: "remove some with `hwc-lab down --id ID` or `hwc-lab gc`".into(),
            })
    }

    /// The address of the client.
    pub fn client(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.0, 1)
    }

    /// The address of a node by its number, from 1 to [`NODES_MAX`].
    pub fn node(self, number: usize) -> Ipv4Addr {
        let last = u8::try_from(10 + number.min(NODES_MAX)).unwrap_or(u8::MAX);
        Ipv4Addr::new(10, 77, self.0, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_network_is_taken() {
        let taken = [0, 1, 3].map(Subnet).into_iter().collect();
        assert_eq!(Subnet::allocate(&taken).unwrap(), Subnet(2));
        assert_eq!(Subnet::allocate(&BTreeSet::new()).unwrap(), Subnet(0));
    }

    #[test]
    fn the_257th_lab_is_told_what_to_do() {
        let taken = (0..=255).map(Subnet).collect();
        assert!(
            Subnet::allocate(&taken)
                .unwrap_err()
                .to_string()
                .contains("hwc-lab gc")
        );
    }

    #[test]
    fn addresses_follow_the_number() {
        assert_eq!(Subnet(4).client().to_string(), "10.77.4.1");
        assert_eq!(Subnet(4).node(1).to_string(), "10.77.4.11");
        assert_eq!(Subnet(4).node(NODES_MAX).to_string(), "10.77.4.254");
    }
}
