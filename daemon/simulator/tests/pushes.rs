//! A divergent copy is brought to a second node, however often its way there breaks.

use hwc_api::ids::{DatasetId, NodeId};
use hwc_simulator::Verbosity;
use hwc_simulator::network::Weather;
use hwc_simulator::time::seconds;
use hwc_simulator::world::{Setup, Temper, Tempo, World};
use hwc_state_machine::StateMachine;

const SITE: DatasetId = DatasetId(1);

/// Seed 405: what was on its way over a slow connection that broke was not sent again for twice the
/// time that it would have taken.
#[test]
fn what_was_on_its_way_when_the_connection_broke_is_sent_again() {
    let mut world = World::new(Setup {
        nodes: 2,
        seed: 1,
        tempo: Tempo::lan(),
        weather: Weather {
            bytes_per_s: 1_000,
            ..Weather::calm()
        },
        temper: Temper::calm(),
        brain: StateMachine::new,
        verbosity: Verbosity::Silent,
    });
    let (one, other) = (NodeId(1), NodeId(2));
    world.create(SITE, vec![one, other]);
    world.run_for(seconds(5));
    world.cut(one, other);
    world.run_for(seconds(40));
    for (node, writes) in [(one, 600), (other, 700)] {
        for _ in 0..writes {
            assert!(world.write_at(node, SITE), "{node} does not serve");
        }
    }
    world.run_for(seconds(5));
    world.mend_links();
    world.run_for(seconds(30));
    assert_eq!(world.truth().tally.filed, 1);
    world.cut(one, other);
    world.run_for(seconds(10));
    let rest = world.come_to_rest();
    assert!(rest.is_ok(), "{rest:?}");
}
