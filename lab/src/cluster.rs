//! A cluster on a lab's nodes: begun, joined and populated as an administrator would do it, with
//! `hwc` on the nodes. For the demo, the journeys and the benchmarks.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::Output;
use crate::deadline::{Deadline, wait_until};
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::progress::Progress;

/// A command of `hwc` may wait for an election.
const COMMAND_LIMIT: Duration = Duration::from_secs(90);
/// All nodes must see each other and be able to change settings.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// What somebody signs in with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// Sign-in name.
    pub login: String,
    /// Password.
    pub password: String,
}

/// Makes a cluster of all nodes of a lab, the first node being its first.
///
/// # Errors
/// When a node's daemon refuses or does not get ready in time.
pub fn begin(lab: &Lab, administrator: &Login, progress: Progress) -> Result<()> {
    let nodes = lab.nodes();
    let Some((first, others)) = nodes.split_first() else {
        return Ok(());
    };
    let address = first.address().to_string();
    let email = format!("{}@cluster.example", administrator.login);
    let init = [
        "cluster",
        "init",
        "--address",
        &address,
        "--admin-login",
        &administrator.login,
        "--admin-email",
        &email,
        "--admin-password-stdin",
    ];
    hwc(lab, first.name(), &init, &administrator.password)?;
    progress.say(format!("{} began the cluster", first.name()));
    for node in others {
        let token = hwc(lab, first.name(), &["node", "token"], "")?;
        let token = text(&token, "token")?;
        let address = node.address().to_string();
        hwc(
            lab,
            node.name(),
            &["node", "join", &token, "--address", &address],
            "",
        )?;
        progress.say(format!("{} joined", node.name()));
    }
    wait_until_whole(lab, nodes.len())?;
    progress.say("the cluster is whole");
    Ok(())
}

/// Creates a customer's account.
///
/// # Errors
/// When the cluster refuses.
pub fn create_customer(lab: &Lab, node: &str, customer: &Login, name: &str) -> Result<()> {
    let email = format!("{}@customer.example", customer.login);
    let create = [
        "account",
        "create",
        &customer.login,
        "--name",
        name,
        "--email",
        &email,
    ];
    hwc(lab, node, &create, &customer.password).map(drop)
}

/// Runs `hwc` with `--json` on a node and reads its answer.
///
/// # Errors
/// When it refuses; the error carries its words.
pub fn hwc(lab: &Lab, node: &str, arguments: &[&str], input: &str) -> Result<Value> {
    let words = ["hwc", "--json"]
        .into_iter()
        .chain(arguments.iter().copied());
    let mut command = lab.node(node)?.exec_command(words)?.limit(COMMAND_LIMIT);
    if !input.is_empty() {
        command = command.stdin_bytes(input);
    }
    let output = command.run()?;
    if !output.is_success() {
        return Err(refused(node, arguments, &output));
    }
    let answer = output.text();
    serde_json::from_str(&answer).map_err(|error| Error::Machine {
        what: format!("hwc on {node} answered {answer:?}, which is no JSON ({error})"),
        advice: format!("see `hwc-lab logs {node}`"),
    })
}

/// The state of the cluster as a node sees it.
///
/// # Errors
/// As [`hwc`].
pub fn status(lab: &Lab, node: &str) -> Result<Value> {
    hwc(lab, node, &["status"], "")
}

/// Waits until every node sees `count` nodes up and settings that can be changed.
///
/// # Errors
/// When that takes longer than two minutes.
pub fn wait_until_whole(lab: &Lab, count: usize) -> Result<()> {
    wait_until(
        "the cluster to be whole",
        Deadline::after(READY_LIMIT),
        || {
            for node in lab.nodes() {
                let Ok(status) = status(lab, node.name()) else {
                    return Ok(None);
                };
                let is_up = |view: &&Value| {
                    view["health"] == "up" && view["observed"]["is_registry_writable"] == true
                };
                let up = status["nodes"]
                    .as_array()
                    .map_or(0, |nodes| nodes.iter().filter(is_up).count());
                if up != count {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        },
    )
}

fn text(value: &Value, key: &str) -> Result<String> {
    value[key]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::Machine {
            what: format!("an answer of hwc lacks {key:?}"),
            advice: "build hwc and hwc-lab from the same sources".to_owned(),
        })
}

fn refused(node: &str, arguments: &[&str], output: &Output) -> Error {
    let words = arguments
        .iter()
        .take(2)
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    Error::Machine {
        what: format!(
            "`hwc {words}` on {node} failed: {}",
            output.error_text().trim()
        ),
        advice: format!("see `hwc-lab logs {node}`"),
    }
}
