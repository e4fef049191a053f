//! Plays every scenario and compares its log. HWC_UPDATE_EXPECT=1 writes the logs anew: read the
//! difference before you commit it.

#![allow(clippy::expect_used, reason = "helpers of tests may stop a test")]

use hwc_simulator::scenario::play;
use hwc_state_machine::StateMachine;
use std::path::Path;

#[test]
fn every_scenario_ends_as_its_log_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("read scenarios")
        .map(|entry| entry.expect("read an entry").path())
        .collect();
    names.sort();
    assert!(names.len() >= 15, "scenarios are missing");
    for scenario in names {
        check(&scenario);
    }
}

fn check(scenario: &Path) {
    let script = std::fs::read_to_string(scenario.join("script")).expect("read the script");
    let log = play(&script, StateMachine::new)
        .unwrap_or_else(|error| panic!("{}: {error}", scenario.display()));
    let expected_at = scenario.join("log.expect");
    if std::env::var_os("HWC_UPDATE_EXPECT").is_some() {
        std::fs::write(&expected_at, &log).expect("write the log");
        return;
    }
    let expected = std::fs::read_to_string(&expected_at).unwrap_or_default();
    assert_eq!(log, expected, "{}", scenario.display());
}

#[test]
fn a_script_with_an_unknown_word_is_refused() {
    for (script, line) in [("fly 1", 1), ("nodes 2\nwait 5", 2), ("nodes 2\nkill x", 2)] {
        let error = play(script, StateMachine::new).expect_err("was accepted");
        assert!(
            error.to_string().starts_with(&format!("line {line}:")),
            "{error}"
        );
    }
}

#[test]
fn an_unmet_expectation_is_told_with_the_log() {
    let error = play(
        "nodes 2\ndataset 1 on 1 2\nexpect live 1 at 1",
        StateMachine::new,
    )
    .expect_err("was met");
    assert!(
        error.to_string().contains("line 3: nobody serves it"),
        "{error}"
    );
}
