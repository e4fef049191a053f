//! A brain is replayed from its journal: the same events make a fresh brain want the same.

use hwc_api::ids::{DatasetId, NodeId};
use hwc_simulator::Verbosity;
use hwc_simulator::network::Weather;
use hwc_simulator::time::{ms, seconds};
use hwc_simulator::world::{Demand, Setup, Temper, Tempo, World};
use hwc_state_machine::{Event, StateMachine, Timers};
use std::collections::BTreeMap;

#[test]
fn the_same_events_lead_to_the_same_actions() {
    let mut world = World::new(Setup {
        nodes: 3,
        seed: 7,
        tempo: Tempo::lan(),
        weather: Weather {
            loss: 0.05,
            repeat: 0.05,
            ..Weather::calm()
        },
        temper: Temper {
            failure: 0.05,
            ..Temper::calm()
        },
        brain: StateMachine::new,
        verbosity: Verbosity::Silent,
    });
    world.keep_journal();
    let nodes = [NodeId(1), NodeId(2), NodeId(3)];
    for node in nodes {
        world.crash(node);
        world.boot(node);
    }
    world.run_for(seconds(2));
    world.create(DatasetId(1), nodes.to_vec());
    let demand = Demand {
        every: ms(200),
        ..Demand::NONE
    };
    world.set_demand(DatasetId(1), demand);
    world.run_for(seconds(40));
    world.cut(NodeId(1), NodeId(2));
    world.cut(NodeId(1), NodeId(3));
    world.run_for(seconds(10));
    world.mend_links();
    world.run_for(seconds(10));
    assert_eq!(world.violation(), None);

    let mut brains = BTreeMap::new();
    for entry in world.journal() {
        let key = (entry.node, entry.start);
        if let Event::Booted { .. } = entry.event {
            brains.insert(key, StateMachine::new(entry.node, Timers::lan()));
        }
        // What the starts before this journal did is not in it.
        let Some(brain) = brains.get_mut(&key) else {
            continue;
        };
        assert_eq!(brain.step(entry.now, entry.event.clone()), entry.actions);
    }
    assert!(world.journal().len() > 500 && world.truth().tally.filed > 0);
}
