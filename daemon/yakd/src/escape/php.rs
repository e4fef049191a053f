//! PHP: a string literal in single quotes, where only `\` and `'` are special.

use super::{Unwritable, refuse_control};

const FORMAT: &str = "PHP";

/// A value as a PHP string literal.
///
/// # Errors
/// When it contains a control character.
pub fn literal(value: &str) -> Result<String, Unwritable> {
    refuse_control(FORMAT, value)?;
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
    Ok(format!("'{escaped}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a literal as PHP does.
    fn read(literal: &str) -> Option<String> {
        let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?;
        let mut value = String::new();
        let mut characters = inner.chars();
        while let Some(c) = characters.next() {
            match c {
                '\'' => return None,
                '\\' => match characters.next()? {
                    c @ ('\\' | '\'') => value.push(c),
                    c => value.extend(['\\', c]),
                },
                c => value.push(c),
            }
        }
        Some(value)
    }

    proptest! {
        #[test]
        fn any_value_is_read_back_or_refused(value in any::<String>()) {
            if let Ok(written) = literal(&value) {
                prop_assert_eq!(read(&written), Some(value));
            }
        }
    }

    #[test]
    fn quotes_do_not_break_out() {
        assert_eq!(
            literal("a'; system('id'); //"),
            Ok("'a\\'; system(\\'id\\'); //'".into())
        );
        assert_eq!(literal("\\"), Ok("'\\\\'".into()));
        assert!(literal("a\0").is_err());
    }
}
