//! A brain is replayed from its journal: the same events make a fresh brain want the same.

use hwc_api::ids::{DatasetId, NodeId};
use hwc_simulator::world::{Temper, World};
use hwc_state_machine::{Event, StateMachine, Timers};
use std::collections::BTreeMap;

#[test]
fn the_same_events_lead_to_the_same_actions() {
    let temper = Temper {
        loss: 0.05,
        repeat: 0.05,
        failure: 0.05,
        write_every_ms: 300,
        ..Temper::calm()
    };
    let mut world = World::new(3, 7, temper, StateMachine::new);
    world.keep_journal();
    let nodes = [NodeId(1), NodeId(2), NodeId(3)];
    for node in nodes {
        world.crash(node);
        world.boot(node);
    }
    world.set_members(DatasetId(1), nodes.to_vec());
    world.run_for(40_000);
    world.cut(NodeId(1), NodeId(2));
    world.cut(NodeId(1), NodeId(3));
    world.run_for(10_000);
    world.mend_links();
    world.run_for(10_000);
    assert_eq!(world.violation(), None);

    let mut brains = BTreeMap::new();
    for entry in world.journal() {
        let key = (entry.node, entry.start);
        if let Event::Booted { .. } = entry.event {
            brains.insert(key, StateMachine::new(entry.node, Timers::lan()));
        }
        let brain = brains.get_mut(&key).expect("a step before its boot");
        assert_eq!(brain.step(entry.now, entry.event.clone()), entry.actions);
    }
    assert!(world.journal().len() > 500 && world.ghost().tally.filed > 0);
}
