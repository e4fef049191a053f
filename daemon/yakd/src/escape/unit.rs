//! systemd unit files: `%` is doubled (specifiers), `$` and quoting only matter in commands.

use super::{Unwritable, check_text, refuse_control};

const FORMAT: &str = "a systemd unit";

/// A unit file under construction.
#[derive(Debug, Default)]
pub struct Document(String);

impl Document {
    /// An empty file that begins with a line of comment.
    #[must_use]
    pub fn new(comment: &'static str) -> Self {
        Self(format!("# {comment}\n"))
    }

    /// Begins a section.
    pub fn section(&mut self, name: &'static str) {
        self.0.push_str(&format!("\n[{name}]\n"));
    }

    /// A setting that is not a command.
    ///
    /// # Errors
    /// When the value can't be written.
    pub fn set(&mut self, name: &'static str, value: &str) -> Result<(), Unwritable> {
        self.0.push_str(&format!("{name}={}\n", plain(value)?));
        Ok(())
    }

    /// A command: program and arguments, each quoted.
    ///
    /// # Errors
    /// When a word can't be written.
    pub fn command<'a>(
        &mut self,
        name: &'static str,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Unwritable> {
        let words: Vec<_> = words
            .into_iter()
            .map(command_word)
            .collect::<Result<_, _>>()?;
        self.0.push_str(&format!("{name}={}\n", words.join(" ")));
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

fn plain(value: &str) -> Result<String, Unwritable> {
    refuse_control(FORMAT, value)?;
    if value.contains(['"', '\'', '\\']) {
        return Err(Unwritable {
            format: FORMAT,
            what: "a quote or backslash",
        });
    }
    Ok(value.replace('%', "%%"))
}

fn command_word(word: &str) -> Result<String, Unwritable> {
    refuse_control(FORMAT, word)?;
    let escaped = word
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "$$")
        .replace('%', "%%");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "./_:=,@-".contains(c);
    if !escaped.is_empty() && escaped.chars().all(is_plain) {
        Ok(escaped)
    } else {
        Ok(format!("\"{escaped}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_of_commands_are_kept_together() {
        let mut unit = Document::new("x");
        unit.command("ExecStart", ["/bin/x", "a b", "$HOME", "%n", "\"", ";"])
            .expect("writable");
        let text = unit.finish().expect("clean");
        assert!(
            text.ends_with("ExecStart=/bin/x \"a b\" \"$$HOME\" \"%%n\" \"\\\"\" \";\"\n"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn any_value_gives_one_line_or_is_refused(value in any::<String>()) {
            let mut unit = Document::new("x");
            if unit.set("Description", &value).is_ok() && unit.command("ExecStart", [value.as_str()]).is_ok() {
                let text = unit.finish().expect("clean");
                prop_assert_eq!(text.lines().count(), 3);
            }
        }
    }
}
