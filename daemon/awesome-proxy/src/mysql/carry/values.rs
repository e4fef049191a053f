//! Values of variables, from the server's words to SQL that gives them again; pure.

use super::super::own::Row;
use std::fmt::Write;

/// Variables of a session that nobody can set: they follow the server's own, or the connection.
pub(super) const FIXED: [&str; 4] = [
    "MAX_ALLOWED_PACKET",
    "MAX_USER_CONNECTIONS",
    "NET_BUFFER_LENGTH",
    "TCP_NODELAY",
];
/// Variables whose empty value is none.
const NULLABLE: [&str; 3] = [
    "CHARACTER_SET_RESULTS",
    "DEFAULT_TMP_STORAGE_ENGINE",
    "ENFORCE_STORAGE_ENGINE",
];

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As digits.
    Number,
    /// As digits with an exponent, or it would be a decimal.
    Double,
    /// In quotes.
    Text,
}

impl Kind {
    /// The kind of a type's name.
    pub fn of(name: &[u8]) -> Self {
        match name {
            b"DOUBLE" => Self::Double,
            b"INT" | b"INT UNSIGNED" | b"BIGINT" | b"BIGINT UNSIGNED" | b"DECIMAL" => Self::Number,
            _ => Self::Text,
        }
    }
}

/// A variable of the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub kind: Kind,
    pub value: Option<Vec<u8>>,
}

impl Variable {
    /// The assignment that gives this value; none where the value can't be written.
    pub fn assignment(&self, name: &str) -> Option<String> {
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let value = match &self.value {
            Some(value) if value.is_empty() && NULLABLE.contains(&name) => "NULL".to_owned(),
            None => "NULL".to_owned(),
            Some(value) => match self.kind {
                // A variable that is a double takes a decimal.
                Kind::Number | Kind::Double => number(value)?,
                Kind::Text => text(value, "utf8mb4"),
            },
        };
        is_name.then(|| format!("{name}={value}"))
    }
}

/// The question for a user variable: value, character set, collation.
pub(super) fn question(name: &str) -> String {
    let name = name.replace('`', "``");
    format!(
        "SELECT CAST(@`{name}` AS BINARY), CAST(CHARSET(@`{name}`) AS BINARY), \
         CAST(COLLATION(@`{name}`) AS BINARY) LIMIT 1"
    )
}

/// The assignment that gives a user variable what the server answered to [`question`].
pub(super) fn own_assignment(name: &str, kind: Kind, rows: Vec<Row>) -> Option<String> {
    let row: [Option<Vec<u8>>; 3] = rows.into_iter().next()?.try_into().ok()?;
    let [value, charset, collation] = row;
    let value = match (value, kind) {
        (None, _) => "NULL".to_owned(),
        (Some(value), Kind::Number) => number(&value)?,
        (Some(value), Kind::Double) => {
            let digits = number(&value)?;
            if digits.contains(['e', 'E']) {
                digits
            } else {
                format!("{digits}e0")
            }
        }
        (Some(value), Kind::Text) => {
            let (charset, collation) = (word(charset)?, word(collation)?);
            match charset.as_str() {
                "binary" => in_digits(&value, "binary"),
                _ => format!("{} COLLATE {collation}", in_digits(&value, &charset)),
            }
        }
    };
    Some(format!("@`{}`={value}", name.replace('`', "``")))
}

/// A name in backquotes; none where it has letters that a session's character set may not have.
pub(super) fn quoted_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii() && byte != 0);
    is_plain.then(|| format!("`{}`", name.replace('`', "``")))
}

/// Whether this is nothing but a number.
pub(super) fn is_number(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit)
        && value
            .iter()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}

fn number(value: &[u8]) -> Option<String> {
    is_number(value).then(|| String::from_utf8_lossy(value).into_owned())
}

/// In quotes where that means the same under every `sql_mode` and character set, else in digits.
fn text(value: &[u8], charset: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_,:+-./=% ".contains(byte);
    if value.iter().all(is_plain) {
        format!("'{}'", String::from_utf8_lossy(value))
    } else {
        in_digits(value, charset)
    }
}

fn in_digits(value: &[u8], charset: &str) -> String {
    let mut text = format!("_{charset} X'");
    for byte in value {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02X}");
    }
    text.push('\'');
    text
}

/// The name of a character set or collation.
fn word(value: Option<Vec<u8>>) -> Option<String> {
    let value = String::from_utf8(value?).ok()?;
    let is_word = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_word && !value.is_empty()).then_some(value)
}
