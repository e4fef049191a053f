//! What we ask of systemd, through `systemctl`: argv only, each call with a deadline.

use crate::error::YakdError;
use hwc_runtime::command::{run, run_command};
use std::time::Duration;

/// A unit that takes longer to start or stop hangs; the caller decides what that means.
const DEADLINE: Duration = Duration::from_secs(30);

/// How a unit stands, as `systemctl is-active` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitState {
    Active,
    Inactive,
    Failed,
}

/// Starts units and waits until they are.
pub(crate) async fn start(units: &[&str]) -> Result<(), YakdError> {
    act("start", units).await
}

/// Stops units and waits until they are.
pub(crate) async fn stop(units: &[&str]) -> Result<(), YakdError> {
    act("stop", units).await
}

/// Makes a service read its configuration again, or starts it.
pub(crate) async fn reload_or_start(unit: &str) -> Result<(), YakdError> {
    act("reload-or-restart", &[unit]).await
}

/// Restarts units that run; the others stay as they are.
pub(crate) async fn try_restart(units: &[&str]) -> Result<(), YakdError> {
    act("try-restart", units).await
}

/// Makes systemd read unit files that it knows in an older form, by its own word: who wrote them may
/// have been cut short. Units that it does not know at all it reads when it needs them. Takes patterns.
pub(crate) async fn reload_if_behind(units: &[&str]) -> Result<(), YakdError> {
    let words = ["show", "--property=NeedDaemonReload", "--value", "--"];
    let words = words.into_iter().chain(units.iter().copied());
    let said = run("systemctl", words).success().await?;
    if is_behind(&said.text()) {
        run_command("systemctl", ["daemon-reload"]).await?;
    }
    Ok(())
}

/// One answer a unit, with empty lines between them.
fn is_behind(said: &str) -> bool {
    said.lines().any(|line| line.trim() == "yes")
}

/// How units stand, in the order asked.
pub(crate) async fn states(units: &[String]) -> Result<Vec<UnitState>, YakdError> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let words = ["is-active", "--"]
        .into_iter()
        .chain(units.iter().map(String::as_str));
    // Its status is a failure when one unit is not active: the words tell.
    let output = run("systemctl", words).output().await?;
    let parse = |word: &str| match word {
        "active" | "reloading" | "activating" => UnitState::Active,
        "failed" => UnitState::Failed,
        _ => UnitState::Inactive,
    };
    let mut states: Vec<_> = output.text().lines().map(parse).collect();
    states.resize(units.len(), UnitState::Failed);
    Ok(states)
}

async fn act(verb: &str, units: &[&str]) -> Result<(), YakdError> {
    if units.is_empty() {
        return Ok(());
    }
    let words = [verb, "--"].into_iter().chain(units.iter().copied());
    run("systemctl", words).deadline(DEADLINE).success().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_that_is_behind_is_enough() {
        for (said, expected) in [
            ("", false),
            ("no\n", false),
            ("no\n\nno\n", false),
            ("no\n\nyes\n\nno\n", true),
            ("yes", true),
        ] {
            assert_eq!(is_behind(said), expected, "{said:?}");
        }
    }
}
