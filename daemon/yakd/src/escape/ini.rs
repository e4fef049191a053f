//! `name = value` files: php-fpm's pools, my.cnf, sysusers.d. Their quoting rules differ and are
//! odd, so none is used: a value outside a plain alphabet is refused.

use super::{Unwritable, check_text};

const FORMAT: &str = "a settings file";

/// A file of sections with settings, under construction.
#[derive(Debug, Default)]
pub struct Document(String);

impl Document {
    /// An empty file that begins with a line of comment.
    ///
    /// # Errors
    /// When the comment is not plain.
    pub fn new(comment_sign: char, comment: &str) -> Result<Self, Unwritable> {
        Ok(Self(format!("{comment_sign} {}\n", plain(comment)?)))
    }

    /// Begins a section.
    ///
    /// # Errors
    /// When the name is not plain.
    pub fn section(&mut self, name: &str) -> Result<(), Unwritable> {
        self.0.push_str(&format!("\n[{}]\n", plain(name)?));
        Ok(())
    }

    /// A setting.
    ///
    /// # Errors
    /// When the value is not plain.
    pub fn set(&mut self, name: &'static str, value: &str) -> Result<(), Unwritable> {
        self.0.push_str(&format!("{name} = {}\n", plain(value)?));
        Ok(())
    }

    /// A line of words, as in sysusers.d. An empty word becomes `-`.
    ///
    /// # Errors
    /// When a word is not plain or contains a space.
    pub fn words(&mut self, words: &[&str]) -> Result<(), Unwritable> {
        for (position, word) in words.iter().enumerate() {
            if word.contains(' ') {
                return Err(Unwritable {
                    format: FORMAT,
                    what: "a space",
                });
            }
            if position > 0 {
                self.0.push(' ');
            }
            self.0
                .push_str(if word.is_empty() { "-" } else { plain(word)? });
        }
        self.0.push('\n');
        Ok(())
    }

    /// The whole file.
    ///
    /// # Errors
    /// When a control character came in by a way that the other checks missed.
    pub fn finish(self) -> Result<String, Unwritable> {
        check_text(FORMAT, &self.0)?;
        Ok(self.0)
    }
}

/// Letters, digits and separators that mean nothing to any of these formats.
fn plain(value: &str) -> Result<&str, Unwritable> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " ._/:@,+-".contains(c);
    if value.chars().all(is_plain) {
        Ok(value)
    } else {
        Err(Unwritable {
            format: FORMAT,
            what: "a character that is not plain",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_with_a_meaning_are_refused() {
        for bad in [
            "a\nuser = root",
            "a;b",
            "a\"b",
            "${x}",
            "a#b",
            "[x]",
            "a=b",
            "a%b",
            "a\\",
            "a\0",
        ] {
            let mut document = Document::new(';', "x").expect("plain");
            assert!(document.set("listen", bad).is_err(), "{bad:?}");
        }
        let mut document = Document::new('#', "x").expect("plain");
        assert!(document.words(&["u", "a b"]).is_err());
    }

    proptest! {
        #[test]
        fn any_value_gives_one_line_or_is_refused(value in any::<String>()) {
            let mut document = Document::new(';', "x").expect("plain");
            if document.set("name", &value).is_ok() {
                let text = document.finish().expect("clean");
                let expected = format!("name = {value}");
                prop_assert_eq!(text.lines().nth(1), Some(expected.as_str()));
                prop_assert_eq!(text.lines().count(), 2);
            }
        }
    }
}
