//! Apache's configuration: one directive a line, arguments quoted (ap_getword_conf).
//!
//! Inside quotes only `\` and `"` need a backslash; `${` is expanded even there, so it is refused.

use super::{Unwritable, check_text, refuse_control};

const FORMAT: &str = "Apache's configuration";

/// A configuration file under construction.
#[derive(Debug, Default)]
pub struct Document {
    text: String,
    depth: usize,
}

impl Document {
    /// An empty file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of comment.
    ///
    /// # Errors
    /// When it contains a control character.
    pub fn comment(&mut self, text: &str) -> Result<(), Unwritable> {
        refuse_control(FORMAT, text)?;
        // A backslash at the end of a line would continue it.
        if text.ends_with('\\') {
            return Err(Unwritable {
                format: FORMAT,
                what: "a backslash at the end of a comment",
            });
        }
        self.line(&format!("# {text}"));
        Ok(())
    }

    /// A directive with its arguments.
    ///
    /// # Errors
    /// When an argument can't be written.
    pub fn directive<'a>(
        &mut self,
        name: &'static str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Unwritable> {
        let line = with_arguments(name, arguments)?;
        self.line(&line);
        Ok(())
    }

    /// A section: its own line, what `inside` writes, its closing line.
    ///
    /// # Errors
    /// When an argument can't be written, or `inside` fails.
    pub fn section<'a>(
        &mut self,
        name: &'static str,
        arguments: impl IntoIterator<Item = &'a str>,
        inside: impl FnOnce(&mut Self) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        let opening = with_arguments(name, arguments)?;
        self.line(&format!("<{opening}>"));
        self.depth += 1;
        inside(self)?;
        self.depth -= 1;
        self.line(&format!("</{name}>"));
        Ok(())
    }

    /// The whole file.
    ///
    /// # Errors
    /// When a control character came in by a way that the other checks missed.
    pub fn finish(self) -> Result<String, Unwritable> {
        check_text(FORMAT, &self.text)?;
        Ok(self.text)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(&"    ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn with_arguments<'a>(
    name: &'static str,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<String, Unwritable> {
    let mut line = name.to_owned();
    for argument in arguments {
        line.push(' ');
        line.push_str(&quoted(argument)?);
    }
    Ok(line)
}

fn quoted(argument: &str) -> Result<String, Unwritable> {
    refuse_control(FORMAT, argument)?;
    if argument.contains("${") {
        return Err(Unwritable {
            format: FORMAT,
            what: "the beginning of a variable",
        });
    }
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '.' | '_' | '/' | ':' | '-' | '+' | '*' | '=' | ',')
    };
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return Ok(argument.to_owned());
    }
    let escaped = argument.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Splits a line as Apache's ap_getword_conf does.
    pub(crate) fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let mut word = String::new();
            if let Some(inner) = rest.strip_prefix('"') {
                let mut characters = inner.char_indices();
                let mut end = inner.len();
                while let Some((at, c)) = characters.next() {
                    match c {
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        '\\' => {
                            if let Some((_, escaped)) = characters.next() {
                                word.push(escaped);
                            }
                        }
                        other => word.push(other),
                    }
                }
                rest = &inner[end..];
            } else {
                let end = rest.find(' ').unwrap_or(rest.len());
                word.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            words.push(word);
            rest = rest.trim_start();
        }
        words
    }

    proptest! {
        #[test]
        fn any_argument_is_read_back_or_refused(arguments in prop::collection::vec(any::<String>(), 0..4)) {
            let mut document = Document::new();
            let written = document.directive("Header", arguments.iter().map(String::as_str));
            if written.is_ok() {
                let text = document.finish().expect("clean");
                prop_assert_eq!(text.lines().count(), 1);
                let mut expected = vec!["Header".to_owned()];
                expected.extend(arguments);
                prop_assert_eq!(words(text.trim_end_matches('\n')), expected);
            }
        }
    }

    #[test]
    fn what_would_break_out_is_refused() {
        for bad in ["a\nInclude /etc/shadow", "a\r", "${HOME}", "\0", "\u{2028}"] {
            let mut document = Document::new();
            assert!(document.directive("ServerName", [bad]).is_err(), "{bad:?}");
        }
    }
}
