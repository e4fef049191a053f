//! SQL for MariaDB: identifiers in backquotes, strings in single quotes, patterns of GRANT.

use super::{Unwritable, refuse_control};

const FORMAT: &str = "SQL";

/// A name in backquotes.
///
/// # Errors
/// When it contains a control character.
pub fn identifier(name: &str) -> Result<String, Unwritable> {
    refuse_control(FORMAT, name)?;
    Ok(format!("`{}`", name.replace('`', "``")))
}

/// A database name as GRANT wants it, where `_` and `%` would be wildcards.
///
/// # Errors
/// When it contains a control character.
pub fn grant_pattern(name: &str) -> Result<String, Unwritable> {
    identifier(&without_wildcards(name))
}

/// A database name as GRANT stores it: wildcards with a backslash before them.
#[must_use]
pub fn without_wildcards(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('_', "\\_");
    escaped.replace('%', "\\%")
}

/// A string in single quotes.
///
/// # Errors
/// When it contains a control character.
pub fn string(value: &str) -> Result<String, Unwritable> {
    refuse_control(FORMAT, value)?;
    Ok(format!(
        "'{}'",
        value.replace('\\', "\\\\").replace('\'', "''")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_wildcards_tamed() {
        assert_eq!(identifier("a`b"), Ok("`a``b`".into()));
        assert_eq!(grant_pattern("wp_1"), Ok("`wp\\_1`".into()));
        assert_eq!(string("a'\\"), Ok("'a''\\\\'".into()));
        assert!(identifier("a\nb").is_err() && string("\0").is_err());
    }
}
