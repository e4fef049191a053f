//! The registry by command, on real nodes: what is refused, with nothing changed; a node that is
//! removed, comes back and is told so; a machine that joins anew; a majority that is lost.

#![allow(
    clippy::unwrap_used,
    reason = "tests may panic; clippy's own exemption misses helpers outside #[test] functions"
)]

mod support;

use std::time::Duration;

use hwc_lab::Lab;
use hwc_lab::cluster as lab_cluster;
use support::cluster::{
    begin, create_site, health, hwc, join, live_node, put_file, read, refused, site, soon,
    wait_copied,
};
use support::{lab, text};

const DOMAIN: &str = "shop.example";
const BOOT: Duration = Duration::from_secs(120);
/// More than what must stay free on a node.
const FILLER: &str = "/srv/hwc/filler";

#[test]
fn nodes_leave_return_and_are_given_up_by_command() {
    let Some(lab) = lab("registry", 3) else {
        return;
    };
    begin(&lab, "lan");
    hwc(&lab, "n1", &["cluster", "balancing", "--off"]);
    create_site(&lab, "n1", DOMAIN);
    put_file(&lab, DOMAIN, "file.txt", "here");
    let live = live_node(&lab, "n1", DOMAIN);
    let near = copies(&lab, &live).remove(0);
    let is_far = |node: &&str| *node != live && *node != near;
    let far = ["n1", "n2", "n3"].into_iter().find(is_far).unwrap();
    refuse_what_makes_no_sense(&lab, &live, &near);
    refuse_a_full_node(&lab, &live, far);
    refuse_a_second_move(&lab, &live, &near, far);
    refuse_to_drain_the_last_node(&lab, &live, &near, far);
    remove_a_node_for_good(&lab, &live, far);
    join_anew(&lab, &live, far);
    give_up_most_voters(&lab, &live, &near, far);
}

/// The nodes that hold a copy of the site.
fn copies(lab: &Lab, node: &str) -> Vec<String> {
    let files = &site(lab, node, DOMAIN)["files"];
    let copies = files["copies"].as_array().unwrap().iter();
    let names = copies.map(|copy| copy["node"]["name"].as_str().unwrap().to_owned());
    names.collect()
}

/// How many changes of the settings a node knows of.
fn changes(lab: &Lab, node: &str) -> u64 {
    hwc(lab, node, &["cluster", "registry"])["index"]
        .as_u64()
        .unwrap()
}

fn check_refused(lab: &Lab, node: &str, arguments: &[&str], code: &str) {
    let (found, message) = refused(lab, node, arguments);
    assert_eq!(found, code, "{arguments:?}: {message}");
}

fn refuse_what_makes_no_sense(lab: &Lab, live: &str, other: &str) {
    let before = changes(lab, live);
    let all = ["n1", "n2", "n3"];
    let everybody: Vec<_> = ["cluster", "declare-lost"].into_iter().chain(all).collect();
    for (arguments, code) in [
        (["site", "move", DOMAIN, "n9"].as_slice(), "unknown-node"),
        (&["site", "move", DOMAIN, live], "already-there"),
        (&["site", "move", "no.example", other], "not-found"),
        (&["node", "undrain", other], "node-not-draining"),
        (&["node", "undrain", "n9"], "unknown-node"),
        (&["node", "drain", "n9"], "unknown-node"),
        (&["node", "remove", "n9", "--yes"], "unknown-node"),
        (&["node", "remove", other], "not-confirmed"),
        (&["cluster", "declare-lost", "n9"], "unknown-node"),
        (&["cluster", "declare-lost", other], "node-alive"),
        (&["cluster", "declare-lost", other, "--yes"], "node-alive"),
        (&everybody, "node-alive"),
    ] {
        check_refused(lab, live, arguments, code);
    }
    assert_eq!(changes(lab, live), before, "nothing was changed");
    assert_eq!(live_node(lab, live, DOMAIN), live);
}

/// Two moves at once: the second one is refused, the first one, which has to make a copy, arrives.
fn refuse_a_second_move(lab: &Lab, live: &str, near: &str, far: &str) {
    hwc(lab, live, &["site", "move", DOMAIN, far]);
    check_refused(lab, live, &["site", "move", DOMAIN, near], "site-busy");
    check_refused(lab, near, &["site", "move", DOMAIN, near], "site-busy");
    soon("the site to arrive", || live_node(lab, live, DOMAIN) == far);
    soon("the move to have ended", || {
        let jobs = site(lab, far, DOMAIN)["jobs"].clone();
        let mut jobs = jobs.as_array().unwrap().iter();
        jobs.all(|job| !job["outcome"].is_null())
    });
    wait_copied(lab, far, DOMAIN);
    hwc(lab, far, &["site", "move", DOMAIN, live, "--wait"]);
    assert_eq!(live_node(lab, live, DOMAIN), live);
    wait_copied(lab, live, DOMAIN);
}

/// A node without a copy has no room for one.
fn refuse_a_full_node(lab: &Lab, live: &str, full: &str) {
    let fill = free_bytes(lab, live, full).saturating_sub(100 << 20);
    text(lab, full, &["fallocate", "-l", &fill.to_string(), FILLER]);
    soon("the live node to know that it is full", || {
        free_bytes(lab, live, full) < 200 << 20
    });
    check_refused(lab, live, &["site", "move", DOMAIN, full], "node-full");
    text(lab, full, &["rm", FILLER]);
    soon("the live node to know that it is not", || {
        free_bytes(lab, live, full) > 1 << 30
    });
}

/// The free space of a node's pool, as the brain of the live node knows it.
fn free_bytes(lab: &Lab, live: &str, node: &str) -> u64 {
    let nodes = hwc(lab, live, &["node", "list"]);
    let mut nodes = nodes.as_array().unwrap().iter();
    let id = &nodes.find(|view| view["name"] == node).unwrap()["id"];
    let explained = hwc(lab, live, &["explain", DOMAIN]);
    let candidates = explained["datasets"][0]["candidates"].as_array().unwrap();
    let candidate = candidates.iter().find(|candidate| candidate["node"] == *id);
    candidate.unwrap()["free_bytes"].as_u64().unwrap()
}

fn refuse_to_drain_the_last_node(lab: &Lab, live: &str, near: &str, far: &str) {
    for node in [near, far] {
        hwc(lab, live, &["node", "drain", node, "--allow-fewer-copies"]);
        check_refused(lab, live, &["site", "move", DOMAIN, node], "node-draining");
    }
    let last = ["node", "drain", live, "--allow-fewer-copies"];
    check_refused(lab, live, &last, "last-node");
    for node in [near, far] {
        hwc(lab, live, &["node", "undrain", node]);
    }
    wait_copied(lab, live, DOMAIN);
}

/// A node is removed while it is away: when it comes back, its daemon says that it was removed, and
/// nothing else, also after a restart.
fn remove_a_node_for_good(lab: &Lab, live: &str, node: &str) {
    lab.kill(node).unwrap();
    soon("its death to be seen", || health(lab, live, node) == "down");
    check_refused(lab, live, &["site", "move", DOMAIN, node], "node-down");
    hwc(lab, live, &["node", "remove", node, "--yes"]);
    check_refused(
        lab,
        live,
        &["node", "remove", node, "--yes"],
        "unknown-node",
    );
    lab.start(node, BOOT).unwrap();
    wait_told(lab, node);
    text(lab, node, &["systemctl", "restart", "hwcd"]);
    wait_told(lab, node);
    check_refused(
        lab,
        node,
        &["node", "join", "hwc1-token", "--address", "10.0.0.1"],
        "not-member",
    );
    assert_eq!(
        read(lab, node, DOMAIN, "/file.txt"),
        "",
        "it serves nothing"
    );
    assert_eq!(health(lab, live, node), "", "nobody knows it");
}

/// Waits until a node knows that it was removed.
fn wait_told(lab: &Lab, node: &str) {
    soon("the removed node to be told", || {
        let output = lab.exec(node, &["hwc", "status"]).unwrap();
        let said = output.error_text();
        output.code == 1 && said.contains("was removed from the cluster for good")
    });
}

/// The machine of a removed node, its state emptied, joins under its old name.
fn join_anew(lab: &Lab, live: &str, node: &str) {
    text(lab, node, &["systemctl", "stop", "hwcd"]);
    text(
        lab,
        node,
        &["find", "/var/lib/hwc", "-mindepth", "1", "-delete"],
    );
    text(lab, node, &["systemctl", "start", "hwcd"]);
    join(lab, live, node);
    lab_cluster::wait_until_whole(lab, 3).unwrap();
    soon("it to keep the settings too", || {
        let registry = hwc(lab, live, &["cluster", "registry"]);
        registry["voters"].as_array().unwrap().len() == 3
    });
    soon("it to serve visitors", || {
        read(lab, node, DOMAIN, "/file.txt") == "here"
    });
}

/// Most voters are gone: settings are read-only, until those are given up.
fn give_up_most_voters(lab: &Lab, live: &str, one: &str, other: &str) {
    for node in [one, other] {
        lab.kill(node).unwrap();
    }
    soon("their deaths to be seen", || {
        [one, other]
            .iter()
            .all(|node| health(lab, live, node) == "down")
    });
    let change = ["cluster", "balancing", "--on"];
    check_refused(lab, live, &change, "settings-read-only");
    check_refused(
        lab,
        live,
        &["cluster", "declare-lost", one, "--yes"],
        "node-down",
    );
    let give_up = ["cluster", "declare-lost", one, other];
    check_refused(lab, live, &give_up, "not-confirmed");
    let words: Vec<_> = ["hwc"].into_iter().chain(give_up).collect();
    let meaning = lab.exec(live, &words).unwrap().text();
    assert!(meaning.contains("they can never return"), "{meaning}");
    assert!(meaning.contains(&format!("kept by {live}")), "{meaning}");
    check_refused(lab, live, &change, "settings-read-only");
    let confirmed: Vec<_> = give_up.into_iter().chain(["--yes"]).collect();
    hwc(lab, live, &confirmed);
    hwc(lab, live, &change);
    assert_eq!(read(lab, live, DOMAIN, "/file.txt"), "here");
    // Both were most of the voters, and find each other.
    for node in [one, other] {
        lab.start(node, BOOT).unwrap();
    }
    for node in [one, other] {
        wait_told(lab, node);
    }
    assert_eq!(live_node(lab, live, DOMAIN), live);
}
