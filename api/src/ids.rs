//! Ids, each a type of its own, so that a site's id can't be handed in where a dataset's is due.
//!
//! All are small integers that the registry counts up and never reuses; they are the same on
//! every node. In JSON they are plain numbers.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// One server of the cluster. 0 is never given out.
    NodeId(u16)
);
id!(
    /// A hosting account: customer or administrator.
    AccountId(u32)
);

impl AccountId {
    /// Root on a node, who acts without an account: who asked, where that is kept. Never given out.
    pub const ROOT: Self = Self(0);
}

id!(
    /// One web application.
    SiteId(u32)
);
id!(
    /// One MariaDB database with its user.
    DatabaseId(u32)
);
id!(
    /// One copy-on-write filesystem: the unit of replication and of ownership.
    DatasetId(u32)
);
id!(
    /// One piece of work with progress, such as the installation of an app.
    JobId(u32)
);
id!(
    /// One ended move of a dataset.
    MoveId(u32)
);
id!(
    /// One API token (its id, not its secret).
    TokenId(u32)
);

/// A random number drawn at each start of a node's daemon: one node id with two boots is two
/// different speakers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BootId(pub u32);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The identity of one cluster, drawn at `hwc cluster init`; 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub String);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The random id inside a session token; names the session in a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub [u8; 16]);
