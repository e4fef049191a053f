//! Zones, services, drains, removals and losses of nodes.

use super::*;
use hwc_api::desired::{Node, NodeService};
use std::collections::BTreeSet;

/// The small cluster with more nodes, ids 3 and up.
fn nodes_and(count: u16, changes: impl IntoIterator<Item = Change>) -> Settings {
    let joins = (3..=count).flat_map(|id| {
        let secret = format!("secret of {id}");
        let join = join(&secret, &format!("node-{id}"), &format!("10.0.0.{id}"));
        [join_token(&secret), join]
    });
    cluster_and(joins.chain(changes))
}

fn node(settings: &Settings, id: u16) -> &Node {
    &settings.desired.nodes[&NodeId(id)]
}

fn lost(ids: &[u16]) -> Change {
    Change::DeclareLost {
        nodes: ids.iter().copied().map(NodeId).collect(),
    }
}

fn undrain(id: u16) -> Change {
    Change::UndrainNode { node: NodeId(id) }
}

fn remove(id: u16) -> Change {
    Change::RemoveNode { node: NodeId(id) }
}

#[test]
fn a_node_has_a_zone() {
    let mut settings = cluster_and([]);
    assert_eq!(node(&settings, 2).zone.as_str(), "default");
    check_applied(&mut settings, &set_zone(2, "attic"), Applied::Done);
    assert_eq!(node(&settings, 2).zone.as_str(), "attic");
}

#[test]
fn what_is_asked_of_a_node_that_is_not_there_is_refused() {
    let settings = nodes_and(3, [site(CUSTOMER, &["a.example"], &[1]), remove(3)]);
    for (id, gone) in [(3, "3"), (9, "9")] {
        for change in [
            set_zone(id, "attic"),
            switch_off(id, []),
            drain(id, true),
            undrain(id),
            pin(1, Some(id)),
            set_replicas(1, &[1], &[id]),
        ] {
            let code = ProblemCode::UnknownNode;
            check_refused(&settings, &change, code, Some("node"), Some(gone));
        }
        let moved = start_move(1, id);
        check_refused(
            &settings,
            &moved,
            ProblemCode::UnknownNode,
            Some("to"),
            Some(gone),
        );
    }
    for change in [
        remove(9),
        lost(&[2, 9]),
        note_move(1, 1, 9),
        note_move(1, 9, 1),
    ] {
        check_refused(
            &settings,
            &change,
            ProblemCode::UnknownNode,
            Some("node"),
            Some("9"),
        );
    }
}

#[test]
fn every_service_stays_on_somewhere() {
    for (service, code) in [
        (NodeService::Hosting, ProblemCode::LastNode),
        (NodeService::FrontDoors, ProblemCode::Conflict),
        (NodeService::Voting, ProblemCode::Conflict),
    ] {
        let mut settings = nodes_and(3, [switch_off(1, [service]), switch_off(2, [service])]);
        check_refused(
            &settings,
            &switch_off(3, [service]),
            code,
            Some("node"),
            None,
        );
        check_refused(&settings, &remove(3), code, Some("node"), None);
        check_applied(&mut settings, &switch_off(1, []), Applied::Done);
        check_applied(&mut settings, &switch_off(3, [service]), Applied::Done);
        assert_eq!(node(&settings, 3).switched_off, BTreeSet::from([service]));
        check_applied(&mut settings, &remove(3), Applied::Done);
    }
}

#[test]
fn a_node_that_holds_datasets_goes_on_hosting() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1, 2]),
        database(CUSTOMER, None, "a", "a", &[2]),
    ]);
    let off = switch_off(2, [NodeService::Hosting]);
    let code = ProblemCode::Conflict;
    check_refused(&settings, &off, code, Some("switched_off"), Some("2"));
    apply_all(
        &mut settings,
        [
            set_replicas(1, &[1, 2], &[1]),
            Change::DeleteDatabase {
                database: DatabaseId(1),
            },
        ],
    );
    check_applied(&mut settings, &off, Applied::Done);
}

#[test]
fn nothing_comes_to_a_node_that_hosts_nothing() {
    let settings = nodes_and(
        3,
        [
            site(OTHER_CUSTOMER, &["a.example"], &[1]),
            switch_off(3, [NodeService::Hosting]),
        ],
    );
    let code = ProblemCode::NodeNotHosting;
    for change in [
        site(CUSTOMER, &["b.example"], &[1, 3]),
        database(CUSTOMER, None, "b", "b", &[3]),
        set_replicas(1, &[1], &[1, 3]),
        pin(1, Some(3)),
        drain(3, true),
    ] {
        check_refused(&settings, &change, code, Some("node"), Some("node-3"));
    }
    check_refused(
        &settings,
        &start_move(1, 3),
        code,
        Some("to"),
        Some("node-3"),
    );
}

#[test]
fn nothing_new_comes_to_a_node_that_is_drained() {
    let mut settings = nodes_and(
        3,
        [site(CUSTOMER, &["a.example"], &[1, 2]), drain(2, false)],
    );
    let code = ProblemCode::NodeDraining;
    for change in [
        site(OTHER_CUSTOMER, &["b.example"], &[1, 2]),
        database(CUSTOMER, None, "b", "b", &[2]),
    ] {
        check_refused(&settings, &change, code, Some("node"), Some("beta"));
    }
    check_refused(&settings, &start_move(1, 2), code, Some("to"), Some("beta"));
    let beside = database(CUSTOMER, Some(1), "b", "b", &[2, 1]);
    check_applied(&mut settings, &beside, Applied::Database(DatabaseId(1)));
    apply_all(
        &mut settings,
        [set_replicas(1, &[1, 2], &[2, 1, 3]), pin(1, Some(2))],
    );
    apply_all(&mut settings, [set_replicas(1, &[2, 1, 3], &[1, 3])]);
    let back = set_replicas(1, &[1, 3], &[1, 2]);
    check_refused(&settings, &back, code, Some("node"), Some("beta"));
    apply_all(&mut settings, [undrain(2), back]);
}

#[test]
fn a_drain_that_leaves_too_few_copies_is_refused_with_the_numbers() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1, 2]),
        database(CUSTOMER, Some(1), "a", "a", &[1, 2]),
        database(CUSTOMER, None, "b", "b", &[1]),
    ]);
    let code = ProblemCode::TooFewCopies;
    let problem = check_refused(&settings, &drain(2, false), code, Some("node"), Some("2"));
    assert!(problem.message.contains("only 1 other node"), "{problem}");
    check_refused(&settings, &drain(1, false), code, Some("node"), Some("3"));
    apply_all(
        &mut settings,
        [
            join_token("t"),
            join("t", "gamma", "10.0.0.3"),
            drain(3, false),
        ],
    );
    check_refused(&settings, &drain(2, false), code, Some("node"), Some("2"));
    check_applied(&mut settings, &undrain(3), Applied::Done);
    check_applied(&mut settings, &drain(2, false), Applied::Done);
    assert!(!node(&settings, 2).takes_datasets());
}

#[test]
fn the_last_node_that_takes_datasets_is_not_drained() {
    let mut settings = nodes_and(3, [switch_off(3, [NodeService::Hosting]), drain(1, true)]);
    let code = ProblemCode::LastNode;
    check_refused(&settings, &drain(2, true), code, Some("node"), None);
    check_applied(&mut settings, &undrain(1), Applied::Done);
    check_applied(&mut settings, &drain(2, true), Applied::Done);
}

#[test]
fn a_drain_asked_for_again_keeps_its_beginning_and_takes_the_newer_terms() {
    let mut settings = cluster_and([drain(2, false)]);
    let mut again = drain(2, true);
    if let Change::DrainNode { drain, .. } = &mut again {
        drain.since = NOW.plus_ms(5_000);
        drain.note = "new memory too".to_owned();
    }
    check_applied(&mut settings, &again, Applied::Done);
    let drain = node(&settings, 2).drain.clone().expect("draining");
    assert_eq!((drain.since, drain.may_lack_copies), (NOW, true));
    assert_eq!(drain.note, "new memory too");
}

#[test]
fn only_a_draining_node_is_undrained() {
    let mut settings = cluster_and([drain(2, false)]);
    check_applied(&mut settings, &undrain(2), Applied::Done);
    assert_eq!(node(&settings, 2).drain, None);
    let code = ProblemCode::NodeNotDraining;
    check_refused(&settings, &undrain(2), code, Some("node"), Some("beta"));
}

#[test]
fn a_removed_node_is_neither_draining_nor_a_pin() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        pin(1, Some(2)),
        drain(2, true),
    ]);
    check_applied(&mut settings, &remove(2), Applied::Done);
    assert_eq!(node(&settings, 2).drain, None);
    assert_eq!(settings.desired.sites[&SiteId(1)].pin, None);
}

#[test]
fn what_only_lost_nodes_hold_is_given_up_and_stays_named() {
    let mut settings = nodes_and(
        4,
        [
            site(CUSTOMER, &["a.example"], &[2, 3]),
            database(CUSTOMER, Some(1), "a", "a", &[3, 1, 2]),
            pin(1, Some(3)),
        ],
    );
    check_applied(&mut settings, &lost(&[2, 3]), Applied::Done);
    let removed: Vec<_> = settings
        .desired
        .nodes
        .values()
        .map(|node| node.is_removed)
        .collect();
    assert_eq!(removed, [false, true, true, false]);
    let replicas = |id| settings.desired.datasets[&DatasetId(id)].replicas.clone();
    assert_eq!(replicas(1), [NodeId(2), NodeId(3)]);
    assert_eq!(replicas(2), [NodeId(1)]);
    assert_eq!(settings.desired.sites[&SiteId(1)].pin, None);
    check_applied(&mut settings, &lost(&[2]), Applied::Done);
}

#[test]
fn neither_nobody_nor_everybody_is_lost() {
    let settings = nodes_and(3, [remove(3)]);
    check_refused(
        &settings,
        &lost(&[]),
        ProblemCode::Invalid,
        Some("nodes"),
        None,
    );
    for all in [&[1, 2][..], &[1, 2, 3]] {
        check_refused(
            &settings,
            &lost(all),
            ProblemCode::LastNode,
            Some("nodes"),
            None,
        );
    }
}
