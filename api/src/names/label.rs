//! Names of accounts and nodes.

use super::{EmailAddress, NameError, ShownCharacter, name_type};

/// Greatest length of a login name, in characters.
const LOGIN_LENGTH_MAX: usize = 128;
/// Greatest length of a node's name: a host name is one DNS label.
const NODE_NAME_LENGTH_MAX: usize = 63;
/// Greatest length of a zone's name, in characters.
const ZONE_NAME_LENGTH_MAX: usize = 32;

/// What a person types to sign in: a short name or an e-mail address, lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginName(String);

name_type!(LoginName);

impl LoginName {
    /// Parses a login name; upper case becomes lower case.
    ///
    /// # Errors
    /// When it is empty, too long, or has other than letters, digits, `.`, `-` and `_` (and is no
    /// e-mail address either).
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim_matches(' ').to_ascii_lowercase();
        if name.len() > LOGIN_LENGTH_MAX {
            return Err(NameError::TooLong {
                limit: LOGIN_LENGTH_MAX,
            });
        }
        if name.contains('@') {
            return EmailAddress::parse(&name).map(|address| Self(address.as_str().to_owned()));
        }
        let Some(first) = name.chars().next() else {
            return Err(NameError::Empty);
        };
        if !first.is_ascii_lowercase() {
            return Err(NameError::Shape("must begin with a letter"));
        }
        let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(*c);
        match name.chars().find(|c| !allowed(c)) {
            Some(bad) => Err(NameError::Character(ShownCharacter(bad))),
            None => Ok(Self(name)),
        }
    }
}

/// A node's name: its host name, one DNS label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

name_type!(NodeName);

impl NodeName {
    /// Parses a node's name.
    ///
    /// # Errors
    /// When it is not one DNS label of letters, digits and inner hyphens.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.to_ascii_lowercase();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > NODE_NAME_LENGTH_MAX {
            return Err(NameError::TooLong {
                limit: NODE_NAME_LENGTH_MAX,
            });
        }
        if name.starts_with('-') || name.ends_with('-') {
            return Err(NameError::Shape("begins or ends with a hyphen"));
        }
        let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
        match name.chars().find(|c| !allowed(c)) {
            Some(bad) => Err(NameError::Character(ShownCharacter(bad))),
            None => Ok(Self(name)),
        }
    }
}

/// The name of a zone, such as a rack, a room or a town: nodes of one zone may fail together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneName(String);

name_type!(ZoneName);

impl ZoneName {
    /// Parses the name of a zone; upper case becomes lower case.
    ///
    /// # Errors
    /// When it is empty, too long, or has other than letters, digits, `.`, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim_matches(' ').to_ascii_lowercase();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > ZONE_NAME_LENGTH_MAX {
            return Err(NameError::TooLong {
                limit: ZONE_NAME_LENGTH_MAX,
            });
        }
        let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(*c);
        match name.chars().find(|c| !allowed(c)) {
            Some(bad) => Err(NameError::Character(ShownCharacter(bad))),
            None => Ok(Self(name)),
        }
    }
}

impl Default for ZoneName {
    /// The zone of nodes of which nothing else was said.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_short_names_or_addresses() {
        for good in ["mara", "Mara.Thiele", "mara@harbour.example", "a1_b-c"] {
            assert!(LoginName::parse(good).is_ok(), "{good:?} was refused");
        }
        for bad in [
            "",
            "1a",
            "a b",
            "a\n",
            "$(id)",
            "'",
            "a\0b",
            "a@",
            "a@b@c.example",
            &"a".repeat(129),
        ] {
            assert!(LoginName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn node_names_are_host_names() {
        assert!(NodeName::parse("n1").is_ok());
        for bad in ["", "-a", "a-", "a.b", "a b", "a\n", &"a".repeat(64)] {
            assert!(NodeName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
