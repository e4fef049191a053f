//! Events, actions and the brain itself survive a format that does not describe itself.

use super::desk::{ASKED, B, C, Desk, ME, files};
use crate::{
    Action, Alarm, CallOff, Command, DatasetEvent, Event, InventoryItem, Millis, MoveStage,
    MoveStatus, PeerMessage, PersistToken, PersistedRow, RefusalReason, ReplicateFailure, SizeStep,
    StateMachine, StreamId, StreamOffer, TakenSnapshot, TransferId,
};
use hwc_api::explanation::{Candidate, Decision, Obstacle, Outcome, RehomeReason, Unfit};
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::moves::{MovePhase, MoveReason};
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, Lineage, SnapshotId, Speaker};
use hwc_api::ownership::{LineageEntry, RouteRecord};
use hwc_api::time::WallTime;
use std::collections::BTreeMap;

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

#[test]
fn what_the_desk_never_sees_survives_too() {
    let boot = BootId(7);
    let inventory = vec![InventoryItem {
        dataset: DatasetId(1),
        row: Some(row()),
        lineage: Some(lineage()),
        divergent: vec![lineage()],
        head_taken_at: WallTime(-5),
    }];
    for event in [
        Event::Booted { boot, inventory },
        Event::PeerSuspect { node: B },
        Event::Sizes([(DatasetId(1), SizeStep::of(5 << 30))].into()),
        Event::RecordsHeard { node: B, boot },
        Event::Tick,
    ] {
        assert_eq!(round_trip(&event), event);
    }
    for event in dataset_events() {
        assert_eq!(round_trip(&event), event);
    }
    for command in commands() {
        assert_eq!(round_trip(&command), command);
    }
}

fn epoch() -> Epoch {
    Epoch {
        counter: 3,
        node: B,
        boot: BootId(0xffff_ffff),
    }
}

fn snapshot() -> SnapshotId {
    SnapshotId {
        epoch: epoch(),
        sequence: 9,
    }
}

fn lineage() -> Lineage {
    let line = Lineage::genesis()
        .with(snapshot(), 10)
        .expect("a successor");
    assert!(matches!(line.entries(), [LineageEntry { .. }]));
    line
}

fn row() -> PersistedRow {
    PersistedRow {
        seen: epoch(),
        is_deleted: true,
        is_dropped: false,
        anchors: BTreeMap::from([(B, snapshot())]),
    }
}

fn record() -> HolderRecord {
    HolderRecord {
        boot: BootId(1),
        state: HolderState::Draining,
        is_contending: true,
        has_copy: true,
        is_deleted: false,
        epoch: epoch(),
        seen: epoch(),
        lineage: lineage(),
        heard: vec![speaker()],
        against: epoch(),
        divergent: vec![lineage()],
        moving_to: Some(C),
        head_taken_at: WallTime(1),
    }
}

fn speaker() -> Speaker {
    Speaker {
        node: C,
        boot: BootId(2),
    }
}

fn messages() -> [PeerMessage; 2] {
    let (epoch, lineage) = (epoch(), lineage());
    [
        PeerMessage::Promote {
            to: speaker(),
            epoch,
            lineage: lineage.clone(),
        },
        PeerMessage::Grant { epoch, lineage },
    ]
}

fn dataset_events() -> Vec<DatasetEvent> {
    let (epoch, stream, transfer) = (epoch(), StreamId(4), TransferId(5));
    let lineage = lineage();
    let taken = TakenSnapshot {
        snapshot: snapshot(),
        changed_bytes: u64::MAX,
        taken_at: WallTime(i64::MIN),
    };
    let final_snapshot = Some(taken);
    let offer = StreamOffer {
        from: B,
        epoch,
        parent: Some(snapshot()),
        lineage: lineage.clone(),
        head_taken_at: WallTime(2),
    };
    let mut events = vec![
        DatasetEvent::Record {
            from: B,
            record: record(),
        },
        DatasetEvent::Persisted {
            token: PersistToken(3),
        },
        DatasetEvent::Opened { epoch },
        DatasetEvent::OpenFailed { epoch },
        DatasetEvent::Fenced {
            epoch,
            final_snapshot,
        },
        DatasetEvent::GateClosed {
            epoch,
            final_snapshot: None,
        },
        DatasetEvent::SnapshotTaken(taken),
        DatasetEvent::StreamOffered { stream, offer },
        DatasetEvent::StreamReceived { stream },
        DatasetEvent::StreamFailed { stream },
        DatasetEvent::StreamCommitted { stream },
        DatasetEvent::ReplicaAcknowledged { transfer },
        DatasetEvent::Filed {
            lineage: lineage.clone(),
        },
        DatasetEvent::RolledBack { lineage: None },
        DatasetEvent::CopyDropped,
        DatasetEvent::OperationFailed,
        DatasetEvent::DivergentReceived {
            lineage: lineage.clone(),
        },
        DatasetEvent::DivergentForgotten { lineage },
        DatasetEvent::MoveTo {
            node: C,
            reason: ASKED,
        },
        DatasetEvent::CallOffMove,
    ];
    events.extend(messages().map(|message| DatasetEvent::Message { from: B, message }));
    let failures = [
        ReplicateFailure::Interrupted,
        ReplicateFailure::Refused,
        ReplicateFailure::ParentMissing,
    ];
    events.extend(failures.map(|failure| DatasetEvent::ReplicateFailed { transfer, failure }));
    events
}

fn commands() -> Vec<Command> {
    let (epoch, stream, lineage) = (epoch(), StreamId(4), lineage());
    let mut commands = vec![
        Command::Persist {
            row: row(),
            token: PersistToken(1),
        },
        Command::Publish { record: record() },
        Command::Route {
            record: Some(RouteRecord {
                state: HolderState::Claiming,
                epoch,
                is_open: false,
            }),
        },
        Command::Open {
            epoch,
            from: Some(snapshot()),
        },
        Command::Fence { epoch },
        Command::CloseGate { epoch },
        Command::ReopenGate { epoch },
        Command::Replicate {
            transfer: TransferId(6),
            to: C,
            epoch,
            parent: None,
            lineage: lineage.clone(),
            head_taken_at: WallTime(3),
        },
        Command::AcceptStream { stream },
        Command::RefuseStream {
            stream,
            reason: RefusalReason::OtherParent,
        },
        Command::CommitStream { stream },
        Command::DiscardStream { stream },
        Command::FileDivergent {
            lineage: lineage.clone(),
        },
        Command::RollBack { to: None },
        Command::DropCopy,
        Command::PushDivergent {
            to: C,
            lineage: lineage.clone(),
        },
        Command::Retain {
            snapshots: vec![snapshot()],
        },
        Command::TellOwner {
            divergent: lineage.clone(),
            winner: lineage,
        },
        Command::SetReplicas {
            expected: vec![B],
            replicas: vec![B, C],
        },
        Command::Alarm {
            alarm: Alarm::NothingToServe,
        },
    ];
    commands.extend(messages().map(|message| Command::Send { to: B, message }));
    commands.extend(outcomes().map(|outcome| Command::Decided {
        decision: Decision {
            at: WallTime(4),
            by: B,
            dataset: DatasetId(1),
            outcome,
            candidates: vec![candidate(None), candidate(Some(Unfit::Unwell))],
        },
    }));
    let stages = [
        MoveStage::UnderWay(MovePhase::Promoting),
        MoveStage::Moved,
        MoveStage::CalledOff(CallOff::TooLong(MovePhase::Closing)),
        MoveStage::CalledOff(CallOff::TargetUnfit(Unfit::Full)),
    ];
    commands.extend(stages.map(|stage| Command::MoveChanged {
        status: MoveStatus {
            to: C,
            reason: MoveReason::Pin,
            stage,
            started_at: WallTime(5),
            due_at: Some(WallTime(6)),
            rounds: 7,
            sent_bytes: 8,
            behind_bytes: 9,
        },
    }));
    commands
}

fn outcomes() -> [Outcome; 4] {
    [
        Outcome::Claim { epoch: epoch() },
        Outcome::Move {
            to: C,
            reason: ASKED,
            load_percent: 90,
            target_load_percent: 30,
        },
        Outcome::Stay {
            obstacle: Obstacle::CoolDown,
        },
        Outcome::Rehome {
            before: vec![B],
            after: vec![C],
            reason: RehomeReason::OneZone,
        },
    ]
}

fn candidate(unfit: Option<Unfit>) -> Candidate {
    Candidate {
        node: NodeId(9),
        score: unfit.is_none().then_some(u64::MAX),
        unfit,
        has_copy: true,
        load_percent: 1,
        free_bytes: 2,
    }
}
