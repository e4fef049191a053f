//! Events, actions and the brain itself survive a format that does not describe itself.

use super::desk::{C, Desk, ME, files};
use crate::{Action, Event, Millis, StateMachine};
use hwc_api::moves::MovePhase;

/// A desk on which much has happened: claims, moves, a drain, a loss, a standstill.
fn eventful() -> Desk {
    let mut desk = Desk::with_sites(3);
    desk.facts.leader = Some(ME);
    desk.takes(1, 500);
    desk.others_move(C, ME, 500, MovePhase::Planned);
    desk.wait(5_000);
    desk.ask(files(1), C);
    desk.call_off(files(2));
    desk.facts_of(ME).is_draining = true;
    desk.wait(20_000);
    desk.goes_down(C);
    desk.wait(620_000);
    desk.give(Event::Gap { length_ms: 5_000 });
    desk.wait(10_000);
    desk
}

fn round_trip<T>(value: &T) -> T
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let bytes = postcard::to_stdvec(value).expect("written");
    postcard::from_bytes(&bytes).expect("read")
}

#[test]
fn every_event_and_action_survives() {
    let desk = eventful();
    assert!(desk.journal.len() > 1_000);
    for (now, event, actions) in &desk.journal {
        assert_eq!(
            &round_trip::<(Millis, Event)>(&(*now, event.clone())).1,
            event
        );
        assert_eq!(&round_trip::<Vec<Action>>(actions), actions);
    }
}

#[test]
fn a_brain_that_was_put_away_goes_on_as_if_nothing_had_happened() {
    let desk = eventful();
    let mut brain = StateMachine::new(ME, crate::Timers::lan());
    for (step, (now, event, actions)) in desk.journal.iter().enumerate() {
        if step % 7 == 0 {
            brain = round_trip(&brain);
        }
        assert_eq!(&brain.step(*now, event.clone()), actions, "step {step}");
    }
}
