//! Real labs on this machine: what nodes can do, how they break, and that nothing stays behind.
//!
//! Needs root, btrfs, overlayfs and the programs of `tools/lab-packages.txt`; without them the
//! tests say so and pass, unless `HWC_LAB_REQUIRED` is set, as in our own test run.

#![allow(
    clippy::unwrap_used,
    reason = "tests may panic; clippy's own exemption misses helpers outside #[test] functions"
)]

mod support;

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use hwc_lab::{Error, Lab, NodeState, Targets};
use support::{assert_nothing_left, lab, names, ping, text};

const BOOT: Duration = Duration::from_secs(120);

#[test]
fn nodes_are_complete_systems_that_reach_each_other_by_name() {
    let Some(lab) = lab("complete", 2) else {
        return;
    };
    assert!(
        lab.boots().iter().all(|boot| boot.failed_units.is_empty()),
        "{:?}",
        lab.boots()
    );
    assert_eq!(
        text(&lab, "n1", &["systemctl", "is-system-running"]),
        "running"
    );
    assert_eq!(text(&lab, "n2", &["hostname"]), "n2");
    assert_eq!(
        text(&lab, "n1", &["systemctl", "is-active", "apache2"]),
        "active"
    );
    assert!(ping(&lab, "n1", "n2"));
    let address = lab.address("n2").unwrap().to_string();
    assert!(
        lab.client(&["ping", "-c1", "-W5", &address])
            .unwrap()
            .is_success()
    );
    assert_eq!(lab.exec("n1", &["sh", "-c", "exit 7"]).unwrap().code, 7);
    let error = lab.exec("n9", &["true"]).unwrap_err().to_string();
    assert_eq!(error, "node n9 does not exist; this lab has n1, n2");
}

#[test]
fn the_pool_is_btrfs_with_everything_that_datasets_need() {
    let Some(lab) = lab("pool", 1) else { return };
    text(
        &lab,
        "n1",
        &["btrfs", "subvolume", "create", "/srv/hwc/site"],
    );
    text(&lab, "n1", &["touch", "/srv/hwc/site/page"]);
    text(
        &lab,
        "n1",
        &[
            "btrfs",
            "subvolume",
            "snapshot",
            "-r",
            "/srv/hwc/site",
            "/srv/hwc/first",
        ],
    );
    text(
        &lab,
        "n1",
        &["btrfs", "send", "-f", "/tmp/stream", "/srv/hwc/first"],
    );
    text(&lab, "n1", &["mkdir", "/srv/hwc/received"]);
    text(
        &lab,
        "n1",
        &["btrfs", "receive", "-f", "/tmp/stream", "/srv/hwc/received"],
    );
    assert_eq!(text(&lab, "n1", &["ls", "/srv/hwc/received/first"]), "page");
    text(
        &lab,
        "n1",
        &["btrfs", "subvolume", "delete", "/srv/hwc/first"],
    );
    assert_eq!(
        text(&lab, "n1", &["stat", "-c", "%F", "/dev/hwc-pool"]),
        "block special file"
    );
    assert!(text(&lab, "n1", &["ls", "/usr/share/hwc/mirror"]).contains("wordpress-"));
}

#[test]
fn a_killed_node_comes_back_with_what_it_wrote() {
    let Some(lab) = lab("kill", 1) else { return };
    text(
        &lab,
        "n1",
        &["sh", "-c", "echo written | tee /srv/hwc/file /root/file"],
    );
    lab.kill("n1").unwrap();
    assert_eq!(lab.node("n1").unwrap().state(), NodeState::Dead);
    let error = lab.exec("n1", &["true"]).unwrap_err().to_string();
    assert!(
        error.starts_with("node n1 is not running; `hwc-lab start n1"),
        "{error}"
    );
    assert!(matches!(lab.kill("n1"), Err(Error::NodeState { .. })));
    assert!(lab.start("n1", BOOT).unwrap().failed_units.is_empty());
    assert_eq!(
        text(&lab, "n1", &["cat", "/srv/hwc/file", "/root/file"]),
        "written\nwritten"
    );
    assert!(matches!(
        lab.start("n1", BOOT),
        Err(Error::NodeState { .. })
    ));
}

#[test]
fn a_power_cut_keeps_what_was_synced_and_loses_what_was_not() {
    let Some(lab) = lab("power", 1) else { return };
    for place in ["/srv/hwc", "/root"] {
        // Ends the running transaction, so that none ends by itself before the power goes.
        text(&lab, "n1", &["sync"]);
        text(
            &lab,
            "n1",
            &[
                "dd",
                "if=/etc/hosts",
                &format!("of={place}/kept"),
                "conv=fsync",
                "status=none",
            ],
        );
    }
    text(&lab, "n1", &["touch", "/srv/hwc/lost", "/root/lost"]);
    lab.powercut("n1").unwrap();
    assert_eq!(lab.node("n1").unwrap().state(), NodeState::Dead);
    assert!(lab.start("n1", BOOT).unwrap().failed_units.is_empty());
    for place in ["/srv/hwc", "/root"] {
        assert_eq!(text(&lab, "n1", &["ls", place]), "kept", "{place}");
        text(&lab, "n1", &["cmp", "/etc/hosts", &format!("{place}/kept")]);
    }
}

#[test]
fn a_frozen_node_answers_pings_and_runs_nothing() {
    let Some(lab) = lab("freeze", 2) else { return };
    lab.freeze("n2").unwrap();
    assert_eq!(lab.node("n2").unwrap().state(), NodeState::Frozen);
    assert!(ping(&lab, "n1", "n2"));
    let error = lab.exec("n2", &["true"]).unwrap_err().to_string();
    assert!(error.contains("is frozen"), "{error}");
    lab.thaw("n2").unwrap();
    assert_eq!(text(&lab, "n2", &["hostname"]), "n2");
    lab.freeze("n2").unwrap();
    lab.kill("n2").unwrap();
    assert_eq!(lab.node("n2").unwrap().state(), NodeState::Dead);
}

#[test]
fn the_network_is_cut_and_mended() {
    let Some(lab) = lab("network", 3) else { return };
    lab.partition(&[names(&["n1", "n2"]), names(&["n3"])])
        .unwrap();
    assert!(ping(&lab, "n1", "n2") && !ping(&lab, "n1", "n3") && !ping(&lab, "n3", "n2"));
    lab.heal().unwrap();
    assert!(ping(&lab, "n1", "n3") && ping(&lab, "n3", "n2"));
    lab.isolate("n1").unwrap();
    assert!(!ping(&lab, "n1", "n2") && ping(&lab, "n2", "n3"));
    lab.rejoin("n1").unwrap();
    assert!(ping(&lab, "n1", "n2"));
    lab.loss(100.0, &names(&["n3"])).unwrap();
    assert!(!ping(&lab, "n1", "n3"));
    lab.heal().unwrap();
    assert!(ping(&lab, "n1", "n3"));
    let error = lab
        .partition(&[names(&["n1"]), names(&["n4"])])
        .unwrap_err()
        .to_string();
    assert_eq!(error, "node n4 does not exist; this lab has n1, n2, n3");
}

#[test]
fn delays_and_rates_slow_cables_down() {
    let Some(lab) = lab("slow", 2) else { return };
    let round_trip_ms = || {
        let said = text(&lab, "n1", &["ping", "-c5", "-i0.1", "-W5", "-q", "n2"]);
        let times = said.rsplit_once(" = ").unwrap().1;
        times.split('/').next().unwrap().parse::<f64>().unwrap()
    };
    lab.delay(25, &names(&["n2"])).unwrap();
    let delayed = round_trip_ms();
    assert!((50.0..500.0).contains(&delayed), "{delayed} ms");
    // 84 kB at once through a cable that holds about 37 kB and carries 25 kB/s.
    let burst = || {
        text_of_any(
            &lab,
            &["ping", "-c60", "-i0.002", "-s1400", "-W2", "-q", "n2"],
        )
    };
    assert!(burst().contains(" 0% packet loss"));
    lab.rate(0.2, &names(&["n2"])).unwrap();
    let squeezed = burst();
    assert!(!squeezed.contains(" 0% packet loss"), "{squeezed}");
    lab.heal().unwrap();
    let healed = round_trip_ms();
    assert!(healed < 25.0, "{healed} ms");
    assert!(burst().contains(" 0% packet loss"));
}

/// What a command in n1 says, whatever its exit code.
fn text_of_any(lab: &Lab, args: &[&str]) -> String {
    lab.exec("n1", args).unwrap().text()
}

#[test]
fn a_forwarded_port_leads_to_a_node_that_lives() {
    let Some(lab) = lab("forward", 2) else { return };
    let port = lab
        .forward(0, &"n1,n2:22".parse::<Targets>().unwrap())
        .unwrap();
    let banner = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut bytes = [0; 8];
        stream.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    assert_eq!(banner(), "SSH-2.0-");
    lab.kill("n1").unwrap();
    assert_eq!(banner(), "SSH-2.0-");
    assert!(matches!(
        lab.forward(port, &"n1:22".parse().unwrap()),
        Err(Error::PortTaken { .. })
    ));
    assert_eq!(lab.status().unwrap().forwards.len(), 1);
}

#[test]
fn files_go_in_and_out_with_their_permissions() {
    let Some(lab) = lab("copy", 1) else { return };
    let directory = std::env::temp_dir();
    let (one, other) = (
        directory.join(format!("{}-in", lab.id())),
        directory.join(format!("{}-out", lab.id())),
    );
    std::fs::write(&one, "content").unwrap();
    let node = lab.node("n1").unwrap();
    node.copy_in(&one, "/srv/hwc", BOOT).unwrap();
    let inside = format!("/srv/hwc/{}-in", lab.id());
    text(&lab, "n1", &["chmod", "640", &inside]);
    node.copy_out(&inside, &other, BOOT).unwrap();
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "content");
    assert!(node.copy_out("/nonexistent", &other, BOOT).is_err());
    for file in [one, other] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_lab_that_is_dropped_leaves_nothing() {
    let Some(lab) = lab("drop", 2) else { return };
    let id = lab.id().clone();
    lab.delay(5, &names(&["n1"])).unwrap();
    lab.forward(0, &"n1:22".parse().unwrap()).unwrap();
    lab.freeze("n1").unwrap();
    lab.kill("n2").unwrap();
    drop(lab);
    assert_nothing_left(&id);
    assert!(matches!(Lab::open(&id), Err(Error::NoLab { .. })));
}
