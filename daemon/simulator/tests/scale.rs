//! A small large cluster: agrees, survives a node and a zone, and holds nobody living for dead.

use hwc_group::profile::Profile;
use hwc_simulator::scale::{self, Fault, ScaleSetup};
use std::time::Duration;

fn setup() -> ScaleSetup {
    ScaleSetup {
        zones: 6,
        minute: Duration::from_secs(8),
        write_every: Duration::from_secs(20),
        ..ScaleSetup::of(30, 600, || Duration::ZERO)
    }
}

/// `run` itself fails where a dataset is served twice, or an orphan nowhere.
#[test]
fn a_node_and_a_zone_die_and_everything_is_served_elsewhere() {
    let figures = scale::run(setup(), |_| {}).expect("all agree");
    // Twenty each, more or less: who started late finds some of its own served elsewhere.
    assert!(figures.one_dies.datasets > 5, "what one node served");
    assert!(figures.zone_nodes == 5 && figures.zone_dies.datasets > 5 * 5);
    assert!(figures.steps > 10_000);
    assert_eq!(figures.false_deaths, 0);
    let bytes = figures.bytes;
    for rates in [bytes.quiet, bytes.reports, bytes.peace] {
        assert!(rates.datagrams > 0.0 && rates.boards > 0.0);
    }
    assert!(bytes.quiet.boards < bytes.reports.boards);
    assert!(bytes.reports.boards < bytes.peace.boards);
}

#[test]
fn far_apart_a_death_is_known_too() {
    let profile = Profile::Wan;
    let near = scale::detection(setup()).expect("all know");
    let far = scale::detection(ScaleSetup { profile, ..setup() }).expect("all know");
    assert!(near < far);
}

#[test]
fn too_few_nodes_are_refused() {
    let tiny = ScaleSetup::of(3, 10, || Duration::ZERO);
    let refused = scale::run(tiny, |_| {});
    assert!(matches!(refused, Err(Fault::TooSmall { nodes: 3, .. })));
}
