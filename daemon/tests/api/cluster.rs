//! What concerns the whole cluster: the kind of network, keys, what nodes refused, journals.

use crate::fixture::TestApi;
use axum::http::StatusCode;
use hwc_api::ids::{BootId, ClusterId, NodeId};
use hwc_api::network::Network;
use hwc_api::observed::RegistryStanding;
use hwc_api::time::WallTime;
use hwc_group::datagram::{Refusal, Sealer};
use hwc_group::identity::{SealingKey, SecretBytes, Start};
use hwc_group::roster::Roster;
use hwc_journal::{Entry, Head, Journal, SegmentWriter};
use hwc_runtime::files::{FileMode, write_atomically};
use hwc_state_machine::{Event, Millis, StateMachine, Timers};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;

const N1: NodeId = NodeId(1);

#[tokio::test]
async fn the_kind_of_network_is_set_and_what_is_in_force_is_told() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    let path = "/cluster/settings";
    let reply = api.ask("GET", path, Some(&admin), "").await;
    assert_eq!(reply.body["network"], "lan", "{reply:?}");
    assert_eq!(reply.body["in_force"][0]["network"], "lan", "{reply:?}");
    assert_eq!(reply.body["in_force"][0]["needs_restart"], false);

    let body = r#"{"network":"wan"}"#;
    let reply = api.ask("PUT", path, Some(&admin), body).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.body["network"], "wan", "{reply:?}");
    assert_eq!(reply.body["in_force"][0]["network"], "lan", "{reply:?}");
    assert_eq!(reply.body["in_force"][0]["needs_restart"], true);
    let cluster = api.desired().cluster.clone().expect("a cluster");
    assert_eq!(cluster.network, Network::Wan);

    // The node was restarted.
    api.see(|picture| {
        let report = picture.nodes.get_mut(&N1).expect("a report");
        report.network = Network::Wan;
    });
    let reply = api.ask("GET", path, Some(&admin), "").await;
    assert_eq!(reply.body["in_force"][0]["needs_restart"], false);
    for body in [
        "{}",
        r#"{"network":"ethernet"}"#,
        r#"{"network":"lan","x":1}"#,
    ] {
        let malformed = (422, "malformed", "");
        api.refused(Some(&admin), ("PUT", path, body), malformed)
            .await;
    }
}

#[tokio::test]
async fn the_key_is_replaced_and_never_shown() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    api.join("n2").await;
    let before = api.ask("GET", "/cluster/keys", Some(&admin), "").await;
    assert_eq!(before.status, StatusCode::OK, "{before:?}");
    let generation = before.body["generation"].as_u64().expect("a number");
    let after = api.ask("POST", "/cluster/keys", Some(&admin), "").await;
    assert_eq!(after.body["generation"], generation + 1, "{after:?}");
    assert!(after.body["old_ends_after_ms"].as_u64() > Some(1_000));
    assert_eq!(after.body["nodes"][0]["state"], "newest", "{after:?}");
    // Nobody answers under the second name.
    assert_eq!(after.body["nodes"][1]["state"], "unheard", "{after:?}");
    assert_eq!(after.body["is_everywhere"], false, "{after:?}");
    let shown = after.body.as_object().expect("an object").keys();
    let shown: Vec<_> = shown.map(String::as_str).collect();
    assert_eq!(
        shown,
        ["generation", "is_everywhere", "nodes", "old_ends_after_ms"]
    );
}

#[tokio::test]
async fn refusals_and_standing_are_told_to_administrators_alone() {
    let api = TestApi::new().await;
    let (admin, mara) = (api.sign_in("admin").await, api.sign_in("mara").await);
    api.see(|picture| {
        let report = picture.nodes.get_mut(&N1).expect("a report");
        let refusals = &mut report.refusals;
        refusals.datagrams.insert("replayed".to_owned(), 7);
        refusals.requests.insert("node-full".to_owned(), 2);
        report.registry_standing = RegistryStanding::LostSettings;
    });
    let nodes = api.ask("GET", "/nodes", Some(&admin), "").await;
    let report = &nodes.body[0]["observed"];
    assert_eq!(report["refusals"]["datagrams"], json!({ "replayed": 7 }));
    assert_eq!(report["refusals"]["requests"], json!({ "node-full": 2 }));
    assert_eq!(report["refusals"]["connections"], json!({}));
    assert_eq!(report["registry_standing"], "lost-settings");
    assert_eq!(report["network"], "lan");
    let status = api.ask("GET", "/status", Some(&admin), "").await;
    assert_eq!(status.body["registry"]["standing"], "member", "{status:?}");
    assert_eq!(status.body["registry"]["voters"][0]["name"], "n1");
    assert!(status.body["registry"]["obstacle"].is_null(), "{status:?}");
    let status = api.ask("GET", "/status", Some(&mara), "").await;
    assert!(status.body["registry"].is_null(), "{status:?}");
    assert!(status.body["nodes"][0]["observed"].is_null(), "{status:?}");
}

/// A segment of a brain that ticked so often.
pub fn segment(ticks: u64) -> Vec<u8> {
    let mut brain = StateMachine::new(N1, Timers::lan());
    let booted = Event::Booted {
        boot: BootId(1),
        inventory: Vec::new(),
    };
    brain.step(Millis(0), booted);
    let head = Head {
        cluster: ClusterId("c".to_owned()),
        node: N1,
        boot: BootId(1),
        version: "test".to_owned(),
        at: Millis(0),
        wall: WallTime(0),
    };
    let mut segment = SegmentWriter::begin(&head, &brain).expect("a segment");
    for at in 1..=ticks {
        let entry = Entry {
            at: Millis(at),
            wall: WallTime(0),
            event: Event::Tick,
        };
        segment.add(&entry).expect("an entry");
    }
    segment.take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_read_from_any_node_up_to_what_is_whole() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    let path = "/nodes/1/journal";
    let folder = api.journal();
    std::fs::create_dir_all(&folder).expect("a folder");
    let (first, second) = (segment(3), segment(40_000));
    let cut = [&second[..], b"\x09\x00\x00"].concat();
    for (name, bytes) in [("0000000001-1.hwcj", &first), ("0000000003-1.hwcj", &cut)] {
        write_atomically(&folder.join(name), bytes, FileMode::SECRET).expect("written");
    }
    let reply = api.download(path, &admin).await;
    assert_eq!(reply.0, StatusCode::OK);
    assert_eq!(reply.1, [first, second].concat());
    let journal = Journal::read(&reply.1).expect("a journal");
    assert_eq!(journal.segments[1].entries.len(), 40_000);

    api.join("n2").await;
    let down = (503, "node-down", "node");
    let silent = ("GET", "/nodes/2/journal", "");
    api.refused(Some(&admin), silent, down).await;
    let unknown = (404, "unknown-node", "");
    let request = ("GET", "/nodes/9/journal", "");
    api.refused(Some(&admin), request, unknown).await;
}

/// What node 1 refused so far, by reason.
fn refused(api: &TestApi, why: Refusal) -> u64 {
    let refusals = api.group.refusals().datagrams;
    refusals.get(&why).copied().unwrap_or_default()
}

/// Sends a datagram to node 1; it is refused for this reason, and counted.
async fn is_refused(api: &TestApi, datagram: &[u8], why: Refusal) {
    let counted = refused(api, why);
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.expect("a socket");
    let to = api.group.transport.address();
    socket.send_to(datagram, to).await.expect("sent");
    for _ in 0..250 {
        if refused(api, why) > counted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(refused(api, why), counted + 1, "{why}");
}

#[tokio::test]
async fn gossip_that_is_not_ours_is_refused_counted_and_changes_nothing() {
    let api = TestApi::new().await;
    let n2 = NodeId(2);
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let nodes = [(N1, api.group.transport.address()), (n2, nowhere)];
    api.group.set_roster(Roster {
        nodes: nodes.into(),
        ..Roster::default()
    });
    let start = Start {
        number: 1,
        boot: BootId(1),
    };
    let sealed = |cluster: &ClusterId, keys: &[SealingKey], sender| {
        let sealer = Sealer::new(cluster, keys, sender, start);
        sealer.expect("a sealer").seal(b"hello").expect("sealed")
    };
    let ours = api.desired().cluster.clone().expect("a cluster").id;
    let good = sealed(&ours, &api.keys, n2);
    let mut flipped = good.clone();
    flipped[30] ^= 1;
    let foreign = sealed(&ClusterId("f".repeat(32)), &api.keys, n2);
    let stranger = sealed(&ours, &api.keys, NodeId(7));
    let other_keys = api.keys.iter().map(|key| SealingKey {
        id: key.id.wrapping_add(100),
        key: SecretBytes::new([9; 32]),
        ..key.clone()
    });
    let unknown_key = sealed(&ours, &other_keys.collect::<Vec<_>>(), n2);
    let shown = || (api.desired(), api.group.board.connected());
    let before = shown();
    for (why, datagram) in [
        (Refusal::Unauthenticated, &flipped[..]),
        (Refusal::Truncated, &good[..20]),
        (Refusal::Oversized, &[2; 4_000]),
        (Refusal::OtherCluster, &foreign),
        (Refusal::UnknownSender, &stranger),
        (Refusal::UnknownKey, &unknown_key),
        // Sealed by a node of ours, and no message; a second time it is a repetition.
        (Refusal::Malformed, &good),
        (Refusal::Replayed, &good),
    ] {
        is_refused(&api, datagram, why).await;
    }
    assert_eq!(shown(), before);
}
