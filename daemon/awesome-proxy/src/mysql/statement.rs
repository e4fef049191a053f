//! What can be told of a statement by its text, without understanding SQL; pure.
//!
//! A server tells nearly everything about a session's state when it is asked (see `carry`). What it
//! does not tell is looked for here, generously: a word too many found costs a session a wait, a
//! word overlooked would cost it its state.

/// What a statement's text says about the session's state after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Traits {
    /// It sets how the next transaction will be: nobody can ask the server for that.
    pub prepares_transaction: bool,
    /// It may hold a lock by a name, or know a sequence's last value.
    pub may_hold: bool,
    /// It resets the counters that a session is judged by.
    pub resets_counters: bool,
}

/// Looks at a statement's text, or at as much of it as there is.
pub(super) fn traits(text: &[u8]) -> Traits {
    let mut words = Words(text);
    let first = words.next().unwrap_or_default();
    let is = |word: &[u8], expected: &str| word.eq_ignore_ascii_case(expected.as_bytes());
    let prepares_transaction =
        is(first, "set") && words.take(2).any(|word| is(word, "transaction"));
    Traits {
        prepares_transaction,
        may_hold: may_hold(text),
        resets_counters: is(first, "flush"),
    }
}

/// Whether the text is nothing but a ROLLBACK.
pub(super) fn is_rollback(text: &[u8]) -> bool {
    let mut words = Words(text);
    words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case(b"rollback"))
        && words.next().is_none_or(|word| word == b";")
}

/// What a statement may ask about the statement before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Backward {
    /// How many rows it would have found without LIMIT.
    pub found_rows: bool,
    /// How many rows it changed, or what warnings it had.
    pub diagnostics: bool,
}

/// Whether a statement asks about the one before it.
pub(super) fn looks_back(text: &[u8]) -> Backward {
    let has = |word: &str| {
        text.windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    Backward {
        found_rows: has("found_rows"),
        diagnostics: [
            "row_count",
            "warning",
            "errors",
            "error_count",
            "diagnostics",
        ]
        .into_iter()
        .any(has),
    }
}

/// GET_LOCK, and the functions of sequences: each has an underscore, or stands alone.
fn may_hold(text: &[u8]) -> bool {
    let mut rest = text;
    // `_LOCK`, `NEXTVAL`, `NEXT VALUE`, `SETVAL`: all have one of two letters that few words have.
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'_' | b'v' | b'V'))
    {
        let (before, from) = rest.split_at(at);
        let begins = |word: &[u8]| {
            from.get(..word.len())
                .is_some_and(|part| part.eq_ignore_ascii_case(word))
        };
        if begins(b"_lock") && ends(before, b"get")
            || begins(b"val") && (ends(before, b"set") || ends(before.trim_ascii_end(), b"next"))
        {
            return true;
        }
        // No word that stands before a hit has another one in it.
        rest = from.get(1..).unwrap_or_default();
    }
    false
}

fn ends(text: &[u8], word: &[u8]) -> bool {
    let at = text.len().checked_sub(word.len());
    at.and_then(|at| text.get(at..))
        .is_some_and(|part| part.eq_ignore_ascii_case(word))
}

/// The words of a text; comments are left out, every other sign is a word.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// Skips blanks and comments. What stands in an executable comment is read.
    fn skip(&mut self) {
        loop {
            self.0 = self.0.trim_ascii_start();
            if self.0.starts_with(b"/*") {
                let is_executed = self.0.starts_with(b"/*!") || self.0.starts_with(b"/*M!");
                let end = if is_executed {
                    let body = |byte: &u8| byte.is_ascii_digit() || b"/*M!".contains(byte);
                    self.0.iter().position(|byte| !body(byte))
                } else {
                    let end = self.0.windows(2).skip(2).position(|end| end == b"*/");
                    end.map(|end| end + 4)
                };
                self.cut(end);
            } else if self.0.starts_with(b"#") || self.0.starts_with(b"-- ") {
                let end = self.0.iter().position(|byte| *byte == b'\n');
                self.cut(end);
            } else {
                return;
            }
        }
    }

    fn cut(&mut self, end: Option<usize>) {
        self.0 = end.and_then(|end| self.0.get(end..)).unwrap_or_default();
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.skip();
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = self.0.iter().take_while(|byte| is_word(byte)).count();
        let (word, rest) = self.0.split_at_checked(length.max(1))?;
        self.0 = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_server_can_not_tell_is_seen() {
        for text in [
            "SET TRANSACTION READ ONLY",
            "/* hello */ set transaction isolation level serializable",
            "-- hello\n#again\nset local transaction read only",
            "/*!40100 SET TRANSACTION READ ONLY */",
        ] {
            assert!(traits(text.as_bytes()).prepares_transaction, "{text}");
        }
        for text in [
            "set names utf8mb4",
            "select 'set transaction'",
            "",
            "/*",
            "set",
        ] {
            assert_eq!(traits(text.as_bytes()), Traits::default(), "{text}");
        }
        for text in [
            "select get_lock('a', 1)",
            "DO GET_LOCK ('a', 1)",
            "select nextval(s)",
            "select next\n value for s",
            "select SETVAL(s, 3)",
            "select __nextval(s)",
        ] {
            assert!(traits(text.as_bytes()).may_hold, "{text}");
        }
        for text in [
            "select v_lock, reset_vals from get_v",
            "insert values (_)",
            "select val",
        ] {
            assert!(!traits(text.as_bytes()).may_hold, "{text}");
        }
        assert!(traits(b"flush status").resets_counters);
    }

    #[test]
    fn a_rollback_is_known_when_it_is_nothing_else() {
        for text in ["rollback", " ROLLBACK ;", "/* a */ Rollback"] {
            assert!(is_rollback(text.as_bytes()), "{text}");
        }
        for text in [
            "rollback to savepoint a",
            "rollback and chain",
            "select 1",
            "",
        ] {
            assert!(!is_rollback(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn statements_that_look_back_are_known() {
        let both = Backward {
            found_rows: true,
            diagnostics: true,
        };
        assert_eq!(looks_back(b"SELECT FOUND_ROWS(), Row_Count()"), both);
        for text in [
            "show warnings",
            "show count(*) errors",
            "get diagnostics @a = number",
        ] {
            assert!(looks_back(text.as_bytes()).diagnostics, "{text}");
        }
        assert_eq!(looks_back(b"select * from posts"), Backward::default());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _any = (traits(&text), is_rollback(&text), looks_back(&text));
        }

        #[test]
        fn a_lock_is_seen_anywhere(before in "[ -~]{0,40}", after in "[ -~]{0,40}") {
            let text = format!("{before}get_lock{after}");
            prop_assert!(traits(text.as_bytes()).may_hold);
        }
    }
}
