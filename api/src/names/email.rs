//! An e-mail address, restricted to what every mail system takes without quoting.

use super::{DomainName, NameError, ShownCharacter, name_type};

/// Greatest length of the part before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_LENGTH_MAX: usize = 64;

/// `local@domain`; the domain lower case and punycode. No quoted local parts, no comments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

name_type!(EmailAddress);

impl EmailAddress {
    /// Parses an address.
    ///
    /// # Errors
    /// When there is not exactly one `@`, or a side is not acceptable.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let Some((local, domain)) = text.split_once('@') else {
            return Err(NameError::Shape("needs an “@”, as in name@shop.example"));
        };
        if local.is_empty() {
            return Err(NameError::Shape("has nothing before the “@”"));
        }
        if local.len() > LOCAL_LENGTH_MAX {
            return Err(NameError::TooLong {
                limit: LOCAL_LENGTH_MAX,
            });
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || "._+-".contains(*c);
        if let Some(bad) = local.chars().find(|c| !allowed(c)) {
            return Err(NameError::Character(ShownCharacter(bad)));
        }
        if local.starts_with(['.', '-']) || local.ends_with('.') || local.contains("..") {
            return Err(NameError::Shape("has a dot or hyphen in the wrong place"));
        }
        let domain = DomainName::parse(domain)?;
        Ok(Self(format!("{local}@{domain}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(
            EmailAddress::parse("Mara+x@BÜCHER.example").map(|a| a.to_string()),
            Ok("Mara+x@xn--bcher-kva.example".to_owned())
        );
        for bad in [
            "",
            "a",
            "@b.example",
            "a@b",
            "a@b@c.example",
            "a\n@b.example",
            "a b@c.example",
            "|/bin/sh@b.example",
            ".a@b.example",
            "a..b@c.example",
            "-x@c.example",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
