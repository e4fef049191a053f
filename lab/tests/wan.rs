//! Nodes far apart: 70 ms one way, two in a hundred frames lost, and the cluster told that its
//! network is a WAN. It forms, its settings are written, a site is served through every node, a node
//! that stands still for longer than any in a LAN may is not taken for dead, and a dead one is
//! taken over from.

#![allow(
    clippy::unwrap_used,
    reason = "tests may panic; clippy's own exemption misses helpers outside #[test] functions"
)]

mod support;

use std::time::Duration;

use hwc_lab::Lab;
use hwc_lab::cluster as lab_cluster;
use hwc_lab::deadline::{Deadline, wait_until};
use support::cluster::{
    begin, create_site, health, hwc, live_node, put_file, read, soon, wait_copied,
};
use support::{lab, names};

const DOMAIN: &str = "far.example";
/// On each node's cable, in each direction: what goes from one to another is delayed twice.
const CABLE_DELAY_MS: u64 = 35;
/// Of each node's cable.
const LOSS_PERCENT: f64 = 1.0;
/// Dead in a LAN, not even suspect in a WAN.
const STANDSTILL: Duration = Duration::from_millis(2_500);
/// From the kill until visitors are served by another node.
const FAILOVER_LIMIT: Duration = Duration::from_secs(30);
const BOOT: Duration = Duration::from_secs(120);

#[test]
fn nodes_far_apart_form_a_cluster_that_serves_and_takes_over() {
    let Some(lab) = lab("wan", 3) else { return };
    let all = names(&["n1", "n2", "n3"]);
    lab.delay(CABLE_DELAY_MS, &all).unwrap();
    lab.loss(LOSS_PERCENT, &all).unwrap();
    begin(&lab, "wan");
    let settings = hwc(&lab, "n3", &["cluster", "settings"]);
    let follows = settings["in_force"].as_array().unwrap().iter();
    let follows = follows.filter(|node| node["network"] == "wan" && node["needs_restart"] == false);
    assert_eq!(follows.count(), 3, "{settings}");
    hwc(&lab, "n2", &["cluster", "balancing", "--off"]);
    soon("every node to know of a setting", || {
        let is_off = |node| hwc(&lab, node, &["cluster", "balancing"])["is_on"] == false;
        ["n1", "n2", "n3"].into_iter().all(is_off)
    });
    create_site(&lab, "n2", DOMAIN);
    put_file(&lab, DOMAIN, "file.txt", "from afar");
    soon("the site to be served at every node", || {
        all.iter().all(|node| is_served(&lab, node))
    });
    let live = live_node(&lab, "n1", DOMAIN);
    stand_still(&lab, &live);
    wait_copied(&lab, &live, DOMAIN);
    die_and_return(&lab, &live);
}

fn is_served(lab: &Lab, node: &str) -> bool {
    read(lab, node, DOMAIN, "/file.txt") == "from afar"
}

fn others(live: &str) -> Vec<&'static str> {
    let all = ["n1", "n2", "n3"].into_iter();
    all.filter(|node| *node != live).collect()
}

/// The live node stands still, and nobody takes over.
fn stand_still(lab: &Lab, live: &str) {
    lab.freeze(live).unwrap();
    std::thread::sleep(STANDSTILL);
    lab.thaw(live).unwrap();
    for node in others(live) {
        assert!(is_served(lab, node), "through {node}");
        assert_eq!(live_node(lab, node, DOMAIN), live, "as {node} sees it");
        assert_eq!(deaths(lab, node), "", "as {node} saw it");
    }
}

/// The deaths that a node has seen.
fn deaths(lab: &Lab, node: &str) -> String {
    let look = [
        "journalctl",
        "-q",
        "-u",
        "hwcd",
        "-o",
        "cat",
        "--grep",
        "node is down",
    ];
    lab.exec(node, &look).unwrap().text()
}

/// The live node is killed, another one takes over, settings are written meanwhile, and it returns.
fn die_and_return(lab: &Lab, live: &str) {
    let others = others(live);
    let killed = Deadline::after(FAILOVER_LIMIT);
    lab.kill(live).unwrap();
    wait_until("another node to take over", killed, || {
        let is_everywhere = others.iter().all(|node| is_served(lab, node));
        Ok(is_everywhere.then_some(()))
    })
    .unwrap();
    eprintln!("taken over after {:.1} s", killed.elapsed().as_secs_f64());
    let new = live_node(lab, others[0], DOMAIN);
    assert!(
        others.contains(&new.as_str()),
        "live on {new:?}, {live} was killed"
    );
    assert_eq!(health(lab, others[0], live), "down");
    hwc(lab, others[0], &["cluster", "balancing", "--on"]);
    assert_eq!(
        hwc(lab, others[0], &["cluster", "balancing"])["is_on"],
        true
    );
    lab.start(live, BOOT).unwrap();
    lab_cluster::wait_until_whole(lab, 3).unwrap();
    soon("the one that returned to know what it missed", || {
        hwc(lab, live, &["cluster", "balancing"])["is_on"] == true
    });
    wait_copied(lab, live, DOMAIN);
    assert!(is_served(lab, live));
    assert_eq!(live_node(lab, live, DOMAIN), new);
}
