//! Giving a new session the state of an old one.

use super::super::own::{Unanswered, ask};
use super::super::packet::Packets;
use super::super::statement::Backward;
use super::values::quoted_name;
use super::{Carried, LookBack};

/// Bytes of a SET that we send: a sixteenth of what a server takes in one packet.
const SETTINGS_MAX: usize = 1024 * 1024;
/// Rows that we have a server count so that it remembers their number: some milliseconds' work.
const FOUND_ROWS_MAX: u64 = 1_000_000;

/// One SET for all assignments; none where it would be too long.
pub(super) fn settings(assignments: &[String]) -> Option<String> {
    if assignments.is_empty() {
        return Some(String::new());
    }
    let settings = format!("SET {}", assignments.join(", "));
    (settings.len() <= SETTINGS_MAX).then_some(settings)
}

/// Gives a new session's server the state of the old one.
///
/// # Errors
/// When the stream fails, or the server refuses the state.
pub(in super::super) async fn restore(
    server: &mut Packets,
    deprecates_eof: bool,
    carried: &Carried,
) -> Result<(), Unanswered> {
    if !carried.settings.is_empty() {
        ask(server, deprecates_eof, &carried.settings).await?;
    }
    Ok(())
}

/// Makes the next statement see what the session's last one left behind, as far as it asks for it;
/// false where that can't be done.
///
/// # Errors
/// When the stream fails, or the server refuses.
pub(in super::super) async fn look_back_again(
    server: &mut Packets,
    deprecates_eof: bool,
    look_back: &LookBack,
    asked: Backward,
) -> Result<bool, Unanswered> {
    if asked.diagnostics && look_back.has_diagnostics {
        return Ok(false);
    }
    if !asked.found_rows {
        return Ok(true);
    }
    let statement = match (
        look_back.found_rows,
        look_back.schema.as_deref().and_then(quoted_name),
    ) {
        (0, _) => "SELECT 1 FROM DUAL WHERE 1 = 0 LIMIT 1".to_owned(),
        (1, _) => "SELECT 1 LIMIT 1".to_owned(),
        // A table of the sequence engine: it has so many rows and is nowhere.
        (rows @ ..=FOUND_ROWS_MAX, Some(schema)) => {
            format!("SELECT SQL_CALC_FOUND_ROWS 1 FROM {schema}.seq_1_to_{rows} LIMIT 0")
        }
        (_, _) => return Ok(false),
    };
    ask(server, deprecates_eof, &statement).await?;
    Ok(true)
}
