//! Names inside MariaDB: databases and their users.

use super::{NameError, ShownCharacter, name_type};

/// Greatest length of a database name: MariaDB allows 64; two kept for suffixes.
const DATABASE_LENGTH_MAX: usize = 62;
/// Greatest length of a user name that every client library takes.
const USER_LENGTH_MAX: usize = 32;

/// Names that MariaDB or Debian keep for themselves.
const RESERVED: [&str; 9] = [
    "mysql",
    "information_schema",
    "performance_schema",
    "sys",
    "root",
    "mariadb",
    "test",
    "debian_sys_maint",
    "hwc",
];

/// The name of a database; unique in the cluster, because clients are routed by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseName(String);

name_type!(DatabaseName);

impl DatabaseName {
    /// Parses a database name: a letter, then letters, digits and `_`, lower case.
    ///
    /// # Errors
    /// When it is empty, too long, reserved, or has another character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        identifier(text, DATABASE_LENGTH_MAX).map(Self)
    }
}

/// The name of a database's user; unique in the cluster, because the MySQL front door finds the
/// live node by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseUser(String);

name_type!(DatabaseUser);

impl DatabaseUser {
    /// Parses a user name: a letter, then letters, digits and `_`, lower case.
    ///
    /// # Errors
    /// When it is empty, too long, reserved, or has another character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        identifier(text, USER_LENGTH_MAX).map(Self)
    }
}

fn identifier(text: &str, limit: usize) -> Result<String, NameError> {
    let Some(first) = text.chars().next() else {
        return Err(NameError::Empty);
    };
    if text.len() > limit {
        return Err(NameError::TooLong { limit });
    }
    if !first.is_ascii_lowercase() {
        return Err(NameError::Shape("must begin with a lower-case letter"));
    }
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_';
    if let Some(bad) = text.chars().find(|c| !allowed(c)) {
        return Err(NameError::Character(ShownCharacter(bad)));
    }
    if RESERVED.contains(&text) {
        return Err(NameError::Shape(
            "is a name that the database server keeps for itself",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        assert!(DatabaseName::parse("wp_12").is_ok());
        for bad in [
            "",
            "1a",
            "a-b",
            "a`b",
            "a'b",
            "a\\b",
            "a%",
            "A",
            "mysql",
            "root",
            "a\n",
            &"a".repeat(63),
        ] {
            assert!(DatabaseName::parse(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(DatabaseUser::parse(&"a".repeat(33)).is_err());
    }
}
