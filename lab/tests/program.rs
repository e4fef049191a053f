//! The program `hwc-lab` from outside: answers, exit codes, Ctrl-C, and crashes that gc cleans up.

#![allow(
    clippy::disallowed_methods,
    reason = "these tests send signals to a program that they started themselves"
)]
#![allow(
    clippy::unwrap_used,
    reason = "tests may panic; clippy's own exemption misses helpers outside #[test] functions"
)]

mod support;

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use hwc_lab::cgroup::Hierarchies;
use hwc_lab::deadline::{Deadline, wait_until};
use hwc_lab::{Lab, LabId, Progress, gc};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{assert_nothing_left, id, is_possible};

/// The longest that anything here may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hwc-lab"));
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    program(args).output().unwrap()
}

fn json(args: &[&str]) -> (i32, Value) {
    let output = program(&["--json"]).args(args).output().unwrap();
    let object = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{args:?}: {error}: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    (output.status.code().unwrap(), object)
}

/// Takes the lab down when a test fails in the middle.
struct DownAtTheEnd(LabId);

impl Drop for DownAtTheEnd {
    fn drop(&mut self) {
        if Lab::open(&self.0).is_ok() {
            run(&["down", "--id", self.0.as_str()]);
        }
    }
}

/// Starts `up` and waits until it is in the middle of it.
fn begin(id: &LabId, marker: &str) -> Child {
    let child = program(&["up", "2", "--id", id.as_str()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let namespace = std::path::Path::new("/run/netns").join(id.namespace(marker));
    wait_until("the first namespace", Deadline::after(LIMIT), || {
        Ok(namespace.exists().then_some(()))
    })
    .unwrap();
    child
}

#[test]
fn a_lab_lives_between_commands_and_answers_in_json() {
    if !is_possible() {
        return;
    }
    let id = id("cli");
    let _end = DownAtTheEnd(id.clone());
    let (code, up) = json(&["up", "1", "--id", id.as_str()]);
    assert_eq!(
        (code, &up["lab"]["nodes"][0]["state"]),
        (0, &"running".into()),
        "{up}"
    );
    let (code, again) = json(&["up", "1", "--id", id.as_str()]);
    assert_eq!((code, &again["ok"]), (1, &false.into()));
    assert!(
        again["error"]
            .as_str()
            .unwrap()
            .contains("is already up with n1"),
        "{again}"
    );
    let output = run(&[
        "exec",
        "n1",
        "--id",
        id.as_str(),
        "--",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 3",
    ]);
    assert_eq!(
        (output.status.code(), output.stdout, output.stderr),
        (Some(3), b"out\n".to_vec(), b"err\n".to_vec())
    );
    let (code, exec) = json(&[
        "exec",
        "n1",
        "--id",
        id.as_str(),
        "--timeout",
        "1",
        "--",
        "sleep",
        "60",
    ]);
    assert_eq!((code, &exec["code"]), (124, &124.into()), "{exec}");
    let output = run(&["logs", "n1", "--id", id.as_str(), "-n", "5"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 5);
    let (_, kept) = json(&["gc"]);
    let is_removed = kept["removed"]
        .as_array()
        .unwrap()
        .iter()
        .any(|lab| lab["id"] == id.as_str());
    assert!(!is_removed, "{kept}");
    let (code, status) = json(&["status", "--id", id.as_str()]);
    assert_eq!((code, &status["labs"][0]["id"]), (0, &id.as_str().into()));
    assert_eq!(json(&["down", "--id", id.as_str()]).0, 0);
    assert_nothing_left(&id);
    assert_eq!(json(&["down", "--id", id.as_str()]).0, 1);
}

#[test]
fn interrupting_up_leaves_nothing() {
    if !is_possible() {
        return;
    }
    let id = id("interrupt");
    let mut child = begin(&id, "n1");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_nothing_left(&id);
}

#[test]
fn gc_removes_what_a_crashed_up_left_and_nothing_else() {
    if !is_possible() {
        return;
    }
    let id = id("crash");
    let mut child = begin(&id, "n2");
    child.kill().unwrap();
    child.wait().unwrap();
    let removed = gc::collect(&Hierarchies::detect().unwrap(), false, Progress::quiet()).unwrap();
    let reason = removed
        .iter()
        .find(|lab| lab.id == id.as_str())
        .map(|lab| lab.reason.as_str());
    // Every `up` collects garbage first, so a test beside this one may have been faster.
    assert!(
        reason.is_none_or(|reason| reason == "it was never completed"),
        "{reason:?}"
    );
    assert_nothing_left(&id);
}

#[test]
fn words_that_make_no_sense_are_refused_with_a_reason() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let cases: [(&[&str], &str); 8] = [
        (&["up", "0"], "0 nodes are not possible"),
        (&["up", "245"], "245 nodes are not possible"),
        (&["up", "1", "--disk", "1M"], "too small for btrfs"),
        (&["up", "1", "--disk", "much"], "is no size"),
        (&["up", "1", "--bin", "/nonexistent"], "find /nonexistent"),
        (&["status", "--id", "../etc"], "can't be a lab's id"),
        (
            &["exec", "n1", "--id", "never-made", "--", "true"],
            "no lab \"never-made\" is up",
        ),
        (
            &["partition", "n1", "n1", "--id", "never-made"],
            "n1 is in two groups",
        ),
    ];
    for (args, message) in cases {
        let (code, answer) = json(args);
        assert_eq!(code, 1, "{args:?}");
        assert!(
            answer["error"].as_str().unwrap().contains(message),
            "{args:?}: {answer}"
        );
    }
    assert_eq!(run(&["exec", "n1"]).status.code(), Some(2));
}
