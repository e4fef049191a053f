//! A domain name, as it stands in DNS: lower case, punycode, no trailing dot.

use super::{NameError, ShownCharacter, name_type};

/// Greatest length of a domain name in text form (RFC 1035, 2.3.4, less the root's length byte
/// and the first label's).
const DOMAIN_LENGTH_MAX: usize = 253;
/// Greatest length of one label (RFC 1035, 2.3.4).
const LABEL_LENGTH_MAX: usize = 63;

/// A fully qualified domain name of at least two labels, such as `xn--bcher-kva.example`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

name_type!(DomainName);

impl DomainName {
    /// Parses what a person typed: any case, Unicode allowed (becomes punycode), one trailing dot
    /// allowed.
    ///
    /// # Errors
    /// Says which rule is broken: empty, too long, a character, an empty label, a single label.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        // Long before IDN processing: punycode only ever makes a name longer.
        if text.chars().count() > DOMAIN_LENGTH_MAX {
            return Err(NameError::TooLong {
                limit: DOMAIN_LENGTH_MAX,
            });
        }
        if let Some(bad) = text.chars().find(|c| c.is_control() || c.is_whitespace()) {
            return Err(NameError::Character(ShownCharacter(bad)));
        }
        let ascii = idna::domain_to_ascii_strict(text)
            .or_else(|_| plain_ascii(text))
            .map_err(|()| NameError::Shape("is not a valid domain name"))?;
        check_ascii(&ascii)?;
        Ok(Self(ascii))
    }

    /// The name as people write it: punycode labels shown in Unicode.
    #[must_use]
    pub fn to_unicode(&self) -> String {
        idna::domain_to_unicode(&self.0).0
    }
}

/// Names that strict IDN processing refuses though DNS has them (a digit-only label, say) pass as
/// they are when they are plain ASCII; `check_ascii` judges them.
fn plain_ascii(text: &str) -> Result<String, ()> {
    if text.is_ascii() {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(())
    }
}

fn check_ascii(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > DOMAIN_LENGTH_MAX {
        return Err(NameError::TooLong {
            limit: DOMAIN_LENGTH_MAX,
        });
    }
    let mut labels = 0;
    for label in name.split('.') {
        labels += 1;
        if label.is_empty() {
            return Err(NameError::Shape(
                "has two dots in a row, or begins with a dot",
            ));
        }
        if label.len() > LABEL_LENGTH_MAX {
            return Err(NameError::Shape(
                "has a part of more than 63 characters between two dots",
            ));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(NameError::Shape(
                "has a part that begins or ends with a hyphen",
            ));
        }
        if let Some(bad) = label
            .chars()
            .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'))
        {
            return Err(NameError::Character(ShownCharacter(bad)));
        }
    }
    if labels < 2 {
        return Err(NameError::Shape("needs a dot, as in shop.example"));
    }
    if name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(NameError::Shape(
            "ends in a number, as an address does, not a domain",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        for (typed, stored) in [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("123.example", "123.example"),
            ("a-b.c-d.example", "a-b.c-d.example"),
        ] {
            assert_eq!(
                DomainName::parse(typed).map(|d| d.to_string()),
                Ok(stored.to_owned())
            );
        }
        assert_eq!(
            DomainName::parse("xn--bcher-kva.example").map(|d| d.to_unicode()),
            Ok("bücher.example".to_owned())
        );
    }

    #[test]
    fn bad_names_are_refused() {
        let long = format!("{}.example", "a.".repeat(123) + "abcdefgh");
        assert!(long.len() >= 254);
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a.example",
            "example",
            "-a.example",
            "a-.example",
            "a b.example",
            "a\nb.example",
            "a.example\n",
            "a\0.example",
            "a_b.example",
            "a/b.example",
            "a\".example",
            "a;b.example",
            "$(id).example",
            "*.example",
            "127.0.0.1",
            "a.1",
            &"a".repeat(254),
            &long,
            &format!("{}.example", "a".repeat(64)),
            "\u{202e}moc.example ",
            "a\u{2028}b.example",
        ] {
            assert!(DomainName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
