//! Names that people type: parsed once at the edge into types that config writers can trust.
//!
//! Each `parse` normalises (case, IDN to punycode) and refuses with a reason that names the rule.
//! No accepted name contains a byte that means anything to a shell, a configuration file, SQL or a
//! path: letters, digits and a few separators only. `Deserialize` goes through the same parser.

mod database;
mod domain;
mod email;
mod label;

pub use database::{DatabaseName, DatabaseUser};
pub use domain::DomainName;
pub use email::EmailAddress;
pub use label::{LoginName, NodeName, ZoneName};

use std::fmt;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// Longer than the rule allows.
    #[error("is longer than {limit} characters")]
    TooLong {
        /// The greatest allowed length, in characters (bytes: all names are ASCII in the end).
        limit: usize,
    },
    /// A character that the rule does not allow.
    #[error("contains {0}, which is not allowed here")]
    Character(ShownCharacter),
    /// The characters are allowed, their arrangement is not.
    #[error("{0}")]
    Shape(&'static str),
}

/// A character as it can be shown in a message: control characters by their code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownCharacter(pub char);

impl fmt::Display for ShownCharacter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ' ' => f.write_str("a space"),
            '\n' | '\r' => f.write_str("a line break"),
            c if c.is_control() => write!(f, "the control character U+{:04X}", u32::from(c)),
            c => write!(f, "“{c}”"),
        }
    }
}

/// Gives a name type its accessors, `Display`, `FromStr` and the serde pair that goes through
/// `parse`, so that nothing unparsed can be deserialised into it.
macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::names::NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use name_type;
