//! The moves that leave this node: how far each is, as everyone is shown, and its report at the end.

use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::{MovePhase, MoveProgress, MoveReport, Pause};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;
use hwc_runtime::clock::Moment;
use hwc_state_machine::{CallOff, MoveStage, MoveStatus};
use std::collections::BTreeMap;
use std::time::Duration;

/// Moves that are planned or under way.
#[derive(Debug, Default)]
pub struct MoveBook {
    under_way: BTreeMap<DatasetId, UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    shown: MoveProgress,
    gate_closed_at: Option<Moment>,
}

/// What is new about a move.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// It got further.
    Progress(MoveProgress),
    /// It is over.
    Ended {
        /// All but what visitors noticed.
        report: MoveReport,
        /// For how long the gate was closed; none if it never was.
        closed_for: Option<Duration>,
    },
}

impl MoveBook {
    /// Takes in what the brain says of a move, and how many bytes went out of the increment that is
    /// under way: the brain counts an increment when the target has it. None where that is no news.
    pub fn take_in(
        &mut self,
        me: NodeId,
        dataset: DatasetId,
        status: &MoveStatus,
        running_bytes: u64,
        now: Moment,
        wall: WallTime,
    ) -> Option<News> {
        let phase = match status.stage {
            MoveStage::UnderWay(phase) => phase,
            MoveStage::Moved => return Some(self.end(me, dataset, status, None, now, wall)),
            MoveStage::CalledOff(why) => {
                let problem = called_off(why);
                return Some(self.end(me, dataset, status, Some(problem), now, wall));
            }
        };
        let before = self.under_way.remove(&dataset);
        let closed = before.as_ref().and_then(|before| {
            let wall = before.shown.gate_closed_at?;
            Some((before.gate_closed_at?, wall))
        });
        let closed = match phase {
            MovePhase::Planned | MovePhase::Copying => None,
            MovePhase::Closing | MovePhase::Finishing | MovePhase::Promoting => {
                Some(closed.unwrap_or((now, wall)))
            }
        };
        // A stream may be longer than what is new in it.
        let running_bytes = running_bytes.min(status.behind_bytes);
        let shown = MoveProgress {
            dataset,
            from: me,
            to: status.to,
            reason: status.reason,
            phase,
            started_at: status.started_at,
            due_at: status.due_at,
            rounds: status.rounds,
            sent_bytes: status.sent_bytes.saturating_add(running_bytes),
            behind_bytes: status.behind_bytes - running_bytes,
            gate_closed_at: closed.map(|(_, wall)| wall),
        };
        let is_new = before.is_none_or(|before| before.shown != shown);
        let under_way = UnderWay {
            shown: shown.clone(),
            gate_closed_at: closed.map(|(moment, _)| moment),
        };
        self.under_way.insert(dataset, under_way);
        is_new.then_some(News::Progress(shown))
    }

    /// Whether any move is planned or under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    fn end(
        &mut self,
        me: NodeId,
        dataset: DatasetId,
        status: &MoveStatus,
        problem: Option<Problem>,
        now: Moment,
        wall: WallTime,
    ) -> News {
        let before = self.under_way.remove(&dataset);
        let closed_at = before.and_then(|before| before.gate_closed_at);
        News::Ended {
            report: MoveReport {
                dataset,
                from: me,
                to: status.to,
                reason: status.reason,
                started_at: status.started_at,
                ended_at: wall,
                problem,
                rounds: status.rounds,
                sent_bytes: status.sent_bytes,
                http: Pause::default(),
                mysql: Pause::default(),
            },
            closed_for: closed_at.map(|closed_at| now.since(closed_at)),
        }
    }
}

/// Why a move came to nothing, in words. Its code is always the same: the dataset is where it was.
#[must_use]
pub fn called_off(why: CallOff) -> Problem {
    let (word, sentence) = match why {
        CallOff::Vetoed => ("vetoed", "It was called off."),
        CallOff::Needless => ("needless", "What it was for is no longer so."),
        CallOff::TargetUnfit(_) => ("target-unfit", "The other node can't take it any more."),
        CallOff::TargetLost => ("target-lost", "The other node does not answer any more."),
        CallOff::TooLong(_) => ("too-long", "It took longer than visitors are to wait."),
        CallOff::NoCopy => ("no-copy", "The other node could not be given a copy."),
        CallOff::UnitStays => ("unit-stays", "Another part of the site stays where it is."),
        CallOff::NotLive => ("not-live", "It went live elsewhere, or was deleted."),
        CallOff::StoodStill => ("stood-still", "This node stood still for a moment."),
        CallOff::NotTaken => ("not-taken", "The other node did not take it."),
    };
    Problem::new(ProblemCode::MoveCalledOff, sentence).detail(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::moves::MoveReason;

    const ME: NodeId = NodeId(1);
    const DATASET: DatasetId = DatasetId(7);

    fn status(stage: MoveStage) -> MoveStatus {
        MoveStatus {
            to: NodeId(2),
            reason: MoveReason::Drain,
            stage,
            started_at: WallTime(5),
            due_at: None,
            rounds: 1,
            sent_bytes: 10,
            behind_bytes: 0,
        }
    }

    #[test]
    fn the_gate_counts_as_closed_from_the_first_closing_to_the_end() {
        let mut book = MoveBook::default();
        let mut say =
            |stage, at| book.take_in(ME, DATASET, &status(stage), 0, Moment(at), WallTime(0));
        let phases = [MovePhase::Copying, MovePhase::Closing, MovePhase::Finishing];
        for (phase, at) in phases.into_iter().zip([100, 200, 300]) {
            let news = say(MoveStage::UnderWay(phase), at);
            assert!(matches!(news, Some(News::Progress(_))), "{news:?}");
        }
        assert_eq!(say(MoveStage::UnderWay(MovePhase::Finishing), 350), None);
        let Some(News::Ended { report, closed_for }) = say(MoveStage::Moved, 500) else {
            panic!("the move did not end");
        };
        assert_eq!(closed_for, Some(Duration::from_millis(300)));
        assert_eq!(report.problem, None);
        assert!(book.is_empty());
    }

    #[test]
    fn what_went_out_of_a_running_increment_counts_as_sent() {
        let mut book = MoveBook::default();
        let copying = MoveStatus {
            sent_bytes: 10,
            behind_bytes: 100,
            ..status(MoveStage::UnderWay(MovePhase::Copying))
        };
        for (running_bytes, expected) in [(0, (10, 100)), (40, (50, 60)), (400, (110, 0))] {
            let news = book.take_in(ME, DATASET, &copying, running_bytes, Moment(0), WallTime(0));
            let Some(News::Progress(shown)) = news else {
                panic!("no news of {running_bytes}: {news:?}");
            };
            assert_eq!((shown.sent_bytes, shown.behind_bytes), expected);
        }
    }

    #[test]
    fn a_move_that_never_closed_the_gate_paused_nobody() {
        let mut book = MoveBook::default();
        let mut say =
            |stage, at| book.take_in(ME, DATASET, &status(stage), 0, Moment(at), WallTime(0));
        say(MoveStage::UnderWay(MovePhase::Copying), 100);
        let Some(News::Ended { report, closed_for }) =
            say(MoveStage::CalledOff(CallOff::Vetoed), 200)
        else {
            panic!("the move did not end");
        };
        assert_eq!(closed_for, None);
        let code = report.problem.map(|problem| problem.code);
        assert_eq!(code, Some(ProblemCode::MoveCalledOff));
    }
}
