//! One writer per configuration format. Each takes values, gives lines, and refuses what its
//! format can't carry; none lets a control character out.
//!
//! The types in `hwc_api::names` already keep such characters away; these writers are the second
//! wall, at the place where a slip would become root.

pub mod apache;
pub mod ini;
pub mod php;
pub mod sql;
pub mod unit;

/// A value that a format can't carry. Names the format, not the value: the value may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a value can't be written into {format}: it contains {what}")]
pub struct Unwritable {
    /// Which format.
    pub format: &'static str,
    /// What is in the way.
    pub what: &'static str,
}

/// Refuses control characters: bytes below 0x20, 0x7f, and Unicode's own line breaks.
pub(crate) fn refuse_control(format: &'static str, value: &str) -> Result<(), Unwritable> {
    let is_bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if value.chars().any(is_bad) {
        return Err(Unwritable {
            format,
            what: "a control character",
        });
    }
    Ok(())
}

/// The final check of a whole file: newline is the only control character.
pub(crate) fn check_text(format: &'static str, text: &str) -> Result<(), Unwritable> {
    if text.bytes().any(|b| (b < 0x20 && b != b'\n') || b == 0x7f) {
        return Err(Unwritable {
            format,
            what: "a control character",
        });
    }
    Ok(())
}
