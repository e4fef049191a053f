//! The kind of network between the nodes.

use serde::{Deserialize, Serialize};

/// The kind of network between the nodes; one for the whole cluster. How soon a silent node counts
/// as dead, and how long its own standstill may be, follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Milliseconds between any two nodes: one site, or sites of one town.
    #[default]
    Lan,
    /// Up to a few hundred milliseconds, and lines that stop for seconds.
    Wan,
}

impl Network {
    /// As it is typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
        }
    }
}
