//! What a session's state is made of, asked of the server that it leaves and told to the next.
//!
//! A server tells of itself whatever a statement, a procedure or a trigger did to the session, so
//! nothing has to be tracked while it runs: its variables are in `information_schema`, with the
//! global values beside them, and what can't be carried (temporary tables, table locks, handlers,
//! statements prepared by name) shows in the session's own counters. The manual: "Information Schema
//! SYSTEM_VARIABLES Table", "USER_VARIABLES", "Server Status Variables".
//!
//! All values are asked for as binary strings, so that no character set of the session's changes
//! them, and with LIMIT, so that its `sql_select_limit` doesn't.

mod restore;
mod values;

use super::error::NO_SUCH_TABLE;
use super::own::{Row, Unanswered, ask};
use super::packet::Packets;
use std::collections::BTreeMap;
use std::time::Duration;
use values::{Kind, Variable};

pub(super) use restore::{look_back_again, restore};

/// What the next statement could ask about the last one, which nobody must have disturbed; and
/// whether a transaction is open.
const LOOK: &str = "SELECT CAST(@@in_transaction AS BINARY), CAST(@@warning_count AS BINARY), \
    CAST(ROW_COUNT() AS BINARY), CAST(FOUND_ROWS() AS BINARY), \
    CAST(LAST_INSERT_ID() AS BINARY), CAST(DATABASE() AS BINARY), \
    CAST(CURRENT_ROLE() AS BINARY), CAST(@@timestamp AS BINARY), \
    CAST(@@wait_timeout AS BINARY) LIMIT 1";

/// The session's variables where they differ from the server's or where a login sets them, the names
/// of the user's own, and the counters of what can't be carried.
const STATE: &str = "SELECT CAST(1 AS BINARY), CAST(VARIABLE_NAME AS BINARY), \
    CAST(SESSION_VALUE AS BINARY), CAST(VARIABLE_TYPE AS BINARY) \
    FROM information_schema.SYSTEM_VARIABLES \
    WHERE VARIABLE_SCOPE = 'SESSION' AND READ_ONLY = 'NO' \
    AND (NOT (SESSION_VALUE <=> GLOBAL_VALUE) OR VARIABLE_NAME IN ('CHARACTER_SET_CLIENT', \
    'CHARACTER_SET_CONNECTION', 'CHARACTER_SET_RESULTS', 'COLLATION_CONNECTION', 'SQL_MODE', \
    'WAIT_TIMEOUT')) \
    UNION ALL SELECT CAST(2 AS BINARY), CAST(VARIABLE_NAME AS BINARY), NULL, \
    CAST(VARIABLE_TYPE AS BINARY) FROM information_schema.USER_VARIABLES \
    UNION ALL SELECT CAST(3 AS BINARY), CAST(UPPER(VARIABLE_NAME) AS BINARY), \
    CAST(VARIABLE_VALUE AS BINARY), NULL FROM information_schema.SESSION_STATUS \
    WHERE VARIABLE_NAME IN ('Com_create_temporary_table', 'Com_ha_open', 'Com_lock_tables', \
    'Com_prepare_sql', 'Com_dealloc_sql') LIMIT 10000";

/// Gives up the locks that the session holds by name, and tells how many there were; and the time
/// again, to see whether it stands still.
const RELEASE: &str = "SELECT CAST(RELEASE_ALL_LOCKS() AS BINARY), CAST(@@timestamp AS BINARY) \
    LIMIT 1";

/// What a session takes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    /// SET for everything that differs from a new session; empty where nothing does.
    pub settings: String,
    /// What the last statement left behind.
    pub look_back: LookBack,
    /// How long the server would let it be idle.
    pub idle_max: Duration,
    /// Whether a transaction was open, which is lost.
    pub loses_transaction: bool,
}

/// What the last statement left behind, which the next one may ask for and nobody can ask twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LookBack {
    /// Rows that it found, without its LIMIT.
    pub found_rows: u64,
    /// Whether there are warnings, or a number of changed rows.
    pub has_diagnostics: bool,
    /// The session's default schema.
    pub schema: Option<Vec<u8>>,
}

/// Why a session can't leave its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bound {
    /// It is in a transaction.
    #[error("a transaction is open")]
    Transaction,
    /// It has locked tables.
    #[error("tables are locked")]
    Locks,
    /// A prepared statement has a cursor or half a parameter, or can't be prepared again.
    #[error("a prepared statement is in use, or too long")]
    Statement,
    /// It holds something on this server that nobody can carry.
    #[error("there is state that can't be carried: {0}")]
    Held(&'static str),
}

/// What asking gave.
#[derive(Debug)]
pub(super) enum Captured {
    /// It can leave with this.
    Free(Carried),
    /// It can't. What the last statement left behind was disturbed by asking.
    Bound(Bound, Option<LookBack>),
}

/// Asks an idle session's server for its state. `gives_up` when there is no more time: then the
/// state is that of a session whose transaction was rolled back.
///
/// # Errors
/// See [`Unanswered`].
pub(super) async fn capture(
    server: &mut Packets,
    deprecates_eof: bool,
    gives_up: bool,
) -> Result<Captured, Unanswered> {
    let looked = ask(server, deprecates_eof, LOOK).await?;
    let Some(look) = Look::read(looked) else {
        return Ok(Captured::Bound(Bound::Held("an odd session"), None));
    };
    let bound = |why| Captured::Bound(why, Some(look.look_back.clone()));
    if look.is_in_transaction && !gives_up {
        return Ok(bound(Bound::Transaction));
    }
    if look.has_role {
        return Ok(bound(Bound::Held("a role")));
    }
    let asked = ask(server, deprecates_eof, STATE).await?;
    let Some(state) = State::read(asked) else {
        return Ok(bound(Bound::Held("a variable's name or value")));
    };
    if let Some(why) = state.held() {
        return Ok(bound(Bound::Held(why)));
    }
    if state.counter("COM_LOCK_TABLES") > 0
        && has_locks(server, deprecates_eof, look.look_back.schema.as_deref()).await?
    {
        return Ok(bound(Bound::Locks));
    }
    let mut assignments = state.assignments;
    for (name, kind) in &state.own_variables {
        let asked = ask(server, deprecates_eof, &values::question(name)).await?;
        let Some(assignment) = values::own_assignment(name, *kind, asked) else {
            return Ok(bound(Bound::Held("a user variable")));
        };
        assignments.push(assignment);
    }
    if look.last_insert_id != b"0" {
        let id = String::from_utf8_lossy(&look.last_insert_id);
        assignments.push(format!("last_insert_id={id}"));
    }
    let released = ask(server, deprecates_eof, RELEASE).await?;
    let Some([Some(locks), Some(time)]) = released.first().map(Vec::as_slice) else {
        return Ok(bound(Bound::Held("an odd session")));
    };
    if locks.as_slice() != b"0" {
        return Ok(bound(Bound::Held("a lock by name")));
    }
    if *time == look.time {
        assignments.push(format!("timestamp={}", String::from_utf8_lossy(time)));
    }
    Ok(match restore::settings(&assignments) {
        Some(settings) => Captured::Free(Carried {
            settings,
            look_back: look.look_back,
            idle_max: look.idle_max,
            loses_transaction: look.is_in_transaction,
        }),
        None => bound(Bound::Held("more variables than can be carried")),
    })
}

/// What [`LOOK`] gives.
struct Look {
    is_in_transaction: bool,
    look_back: LookBack,
    last_insert_id: Vec<u8>,
    has_role: bool,
    time: Vec<u8>,
    idle_max: Duration,
}

impl Look {
    fn read(rows: Vec<Row>) -> Option<Self> {
        let row: [Option<Vec<u8>>; 9] = rows.into_iter().next()?.try_into().ok()?;
        let [
            transaction,
            warnings,
            changed,
            found,
            insert_id,
            schema,
            role,
            time,
            idle,
        ] = row;
        let last_insert_id = insert_id?;
        let time = time?;
        values::is_number(&last_insert_id).then_some(())?;
        values::is_number(&time).then_some(())?;
        Some(Self {
            is_in_transaction: number(transaction)? != 0,
            look_back: LookBack {
                found_rows: u64::try_from(number(found)?).ok()?,
                has_diagnostics: number(warnings)? > 0 || number(changed)? > 0,
                schema,
            },
            last_insert_id,
            has_role: role.is_some(),
            time,
            idle_max: Duration::from_secs(u64::try_from(number(idle)?).ok()?),
        })
    }
}

/// What [`STATE`] gives.
#[derive(Debug, Default)]
struct State {
    assignments: Vec<String>,
    own_variables: BTreeMap<String, Kind>,
    counters: BTreeMap<String, i64>,
}

impl State {
    fn read(rows: Vec<Row>) -> Option<Self> {
        let mut state = Self::default();
        // By name: what sets the character set of a connection comes before what sets its collation.
        let mut variables = BTreeMap::new();
        for row in rows {
            let [part, name, value, kind]: [Option<Vec<u8>>; 4] = row.try_into().ok()?;
            let name = String::from_utf8(name?)
                .ok()
                .filter(|name| name.is_ascii())?;
            match part?.as_slice() {
                b"1" => {
                    let kind = Kind::of(&kind?);
                    variables.insert(name, Variable { kind, value });
                }
                b"2" => {
                    state.own_variables.insert(name, Kind::of(&kind?));
                }
                _ => {
                    state.counters.insert(name, number(value)?);
                }
            }
        }
        for (name, variable) in &variables {
            if !values::FIXED.contains(&name.as_str()) {
                state.assignments.push(variable.assignment(name)?);
            }
        }
        Some(state)
    }

    fn counter(&self, name: &str) -> i64 {
        self.counters.get(name).copied().unwrap_or_default()
    }

    /// What the session holds on this server, as far as its counters tell. A table that was dropped
    /// since counts too.
    fn held(&self) -> Option<&'static str> {
        if self.counter("COM_CREATE_TEMPORARY_TABLE") > 0 {
            return Some("a temporary table");
        }
        if self.counter("COM_HA_OPEN") > 0 {
            return Some("a handler");
        }
        if self.counter("COM_PREPARE_SQL") > self.counter("COM_DEALLOC_SQL") {
            return Some("a statement prepared by name");
        }
        None
    }
}

/// Whether tables are locked: then a table that there is not is not missing but not locked.
async fn has_locks(
    server: &mut Packets,
    deprecates_eof: bool,
    schema: Option<&[u8]>,
) -> Result<bool, Unanswered> {
    let Some(schema) = schema.and_then(values::quoted_name) else {
        return Ok(true);
    };
    let statement = format!("SELECT 1 FROM {schema}.`hwc no such table` LIMIT 1");
    match ask(server, deprecates_eof, &statement).await {
        Err(Unanswered::Refused(error)) => Ok(error.code != NO_SUCH_TABLE),
        Err(Unanswered::Broken(error)) => Err(error.into()),
        Ok(_) => Ok(true),
    }
}

fn number(value: Option<Vec<u8>>) -> Option<i64> {
    let text = String::from_utf8(value?).ok()?;
    // Counters are unsigned; one that was reset below zero is a great number, and so is one here.
    let unsigned = text.parse::<u64>().ok();
    unsigned
        .map(|number| i64::try_from(number).unwrap_or(i64::MAX))
        .or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests;
