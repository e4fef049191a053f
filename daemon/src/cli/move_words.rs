//! Moves, receipts and their reasons in words and tables.

use super::table::{age, size, table};
use hwc_api::moves::{MovePhase, MoveProgress, MoveReason, MoveReceipt, MoveReport, Pause};
use hwc_api::time::WallTime;
use hwc_api::v1::{MoveView, MovesView};

/// Moves under way, then receipts.
#[must_use]
pub fn moves_table(moves: &MovesView, now: WallTime) -> String {
    if moves.under_way.is_empty() && moves.ended.is_empty() {
        return "Nothing has moved.".to_owned();
    }
    let under_way: Vec<_> = moves.under_way.iter().map(|view| row(view, now)).collect();
    let ended: Vec<_> = moves
        .ended
        .iter()
        .map(|view| ended_row(view, now))
        .collect();
    let mut text = String::new();
    if !under_way.is_empty() {
        let headings = ["MOVES", "FROM", "TO", "WHY", "STATE", "SENT", "MISSING"];
        text += &table(&headings, &under_way);
    }
    if !under_way.is_empty() && !ended.is_empty() {
        text.push('\n');
    }
    if !ended.is_empty() {
        let headings = [
            "MOVED", "FROM", "TO", "WHY", "WHEN", "SENT", "PAUSE", "WAITED", "FAILED", "RESULT",
        ];
        text += &table(&headings, &ended);
    }
    text
}

fn row(view: &MoveView<MoveProgress>, now: WallTime) -> Vec<String> {
    vec![
        view.title.clone(),
        view.from.name.to_string(),
        view.to.name.to_string(),
        reason(view.of.reason).to_owned(),
        state(&view.of, now),
        size(view.of.sent_bytes),
        size(view.of.behind_bytes),
    ]
}

fn ended_row(view: &MoveView<MoveReceipt>, now: WallTime) -> Vec<String> {
    let report = &view.of.report;
    let pauses = [report.http, report.mysql];
    let result = report.problem.as_ref();
    vec![
        view.title.clone(),
        view.from.name.to_string(),
        view.to.name.to_string(),
        reason(report.reason).to_owned(),
        format!("{} ago", age(now.since_ms(report.ended_at))),
        size(report.sent_bytes),
        format!("{} ms", longest(pauses, |pause| pause.closed_ms)),
        sum(pauses, |pause| pause.held).to_string(),
        sum(pauses, |pause| pause.failed).to_string(),
        result.map_or_else(
            || "moved".to_owned(),
            |problem| format!("called off: {}", problem.message),
        ),
    ]
}

fn longest(pauses: [Pause; 2], of: impl Fn(Pause) -> u32) -> u32 {
    pauses.into_iter().map(of).max().unwrap_or(0)
}

fn sum(pauses: [Pause; 2], of: impl Fn(Pause) -> u32) -> u64 {
    pauses.into_iter().map(|pause| u64::from(of(pause))).sum()
}

/// A receipt, told.
#[must_use]
pub fn receipt_text(view: &MoveView<MoveReceipt>) -> String {
    let report: &MoveReport = &view.of.report;
    let (from, to) = (&view.from.name, &view.to.name);
    let end = report.problem.as_ref().map_or_else(
        || format!("moved from {from} to {to}"),
        |problem| format!("stays on {from}: {}", problem.message),
    );
    let took = age(report.ended_at.since_ms(report.started_at));
    let (sent, rounds) = (size(report.sent_bytes), report.rounds);
    let mut text = format!("{}: {end}; {sent} in {rounds} rounds, {took}\n", view.title);
    for (protocol, what, pause) in [
        ("HTTP", "requests", report.http),
        ("MySQL", "connections", report.mysql),
    ] {
        text += &format!(
            "  {protocol:<5}  paused {} ms, {} {what} waited (longest {} ms), {} failed\n",
            pause.closed_ms, pause.held, pause.longest_wait_ms, pause.failed
        );
    }
    text
}

/// What a move does just now.
#[must_use]
pub fn state(progress: &MoveProgress, now: WallTime) -> String {
    let due = progress.due_at.filter(|due| *due > now);
    match (progress.phase, due) {
        (MovePhase::Planned, Some(due)) => format!("begins in {}", age(due.since_ms(now))),
        (MovePhase::Planned, None) => "waits for its turn".to_owned(),
        (MovePhase::Copying, _) => format!("copying, {} %", percent(progress)),
        (MovePhase::Closing, _) => "requests wait: the running ones end".to_owned(),
        (MovePhase::Finishing, _) => "requests wait: the last increment".to_owned(),
        (MovePhase::Promoting, _) => "requests wait: taking over".to_owned(),
    }
}

/// How much of what has to be copied is there already.
fn percent(progress: &MoveProgress) -> u64 {
    let all = progress.sent_bytes.saturating_add(progress.behind_bytes);
    let sent = u128::from(progress.sent_bytes) * 100;
    let percent = sent.checked_div(u128::from(all)).unwrap_or(100);
    u64::try_from(percent).unwrap_or(100)
}

/// Why something moves, in a word or two.
#[must_use]
pub const fn reason(reason: MoveReason) -> &'static str {
    match reason {
        MoveReason::Asked(_) => "asked for",
        MoveReason::Drain => "drain",
        MoveReason::Balance => "balance",
        MoveReason::Pin => "pin",
        MoveReason::Reunite => "reunion",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{AccountId, DatasetId, MoveId, NodeId, SiteId};
    use hwc_api::names::NodeName;
    use hwc_api::problem::{Problem, ProblemCode};
    use hwc_api::v1::NodeRef;

    fn node(id: u16) -> NodeRef {
        NodeRef {
            id: NodeId(id),
            name: NodeName::parse(&format!("n{id}")).expect("a name"),
        }
    }

    fn view<T>(of: T) -> MoveView<T> {
        MoveView {
            of,
            site: Some(SiteId(1)),
            title: "a.example".to_owned(),
            from: node(1),
            to: node(2),
        }
    }

    fn progress(phase: MovePhase) -> MoveProgress {
        MoveProgress {
            dataset: DatasetId(1),
            from: NodeId(1),
            to: NodeId(2),
            reason: MoveReason::Balance,
            phase,
            started_at: WallTime(0),
            due_at: Some(WallTime(30_000)),
            rounds: 1,
            sent_bytes: 3_000,
            behind_bytes: 1_000,
            gate_closed_at: None,
        }
    }

    fn receipt(problem: Option<Problem>) -> MoveReceipt {
        let report = MoveReport {
            dataset: DatasetId(1),
            from: NodeId(1),
            to: NodeId(2),
            reason: MoveReason::Asked(AccountId(1)),
            started_at: WallTime(0),
            ended_at: WallTime(4_200),
            problem,
            rounds: 3,
            sent_bytes: 2_048,
            http: Pause {
                closed_ms: 182,
                held: 12,
                longest_wait_ms: 150,
                failed: 0,
            },
            mysql: Pause::default(),
        };
        MoveReceipt {
            id: MoveId(1),
            report,
        }
    }

    #[test]
    fn a_receipt_says_what_visitors_noticed() {
        assert_eq!(
            receipt_text(&view(receipt(None))),
            "a.example: moved from n1 to n2; 2.0 KiB in 3 rounds, 4.2 s\n  \
             HTTP   paused 182 ms, 12 requests waited (longest 150 ms), 0 failed\n  \
             MySQL  paused 0 ms, 0 connections waited (longest 0 ms), 0 failed\n"
        );
        let problem = Problem::new(ProblemCode::NodeDown, "n2 does not answer.");
        let text = receipt_text(&view(receipt(Some(problem))));
        assert!(text.starts_with("a.example: stays on n1: n2 does not answer.;"));
    }

    #[test]
    fn a_move_says_what_it_waits_for() {
        let state_at = |phase, now| state(&progress(phase), WallTime(now));
        assert_eq!(state_at(MovePhase::Planned, 10_000), "begins in 20.0 s");
        assert_eq!(state_at(MovePhase::Planned, 31_000), "waits for its turn");
        assert_eq!(state_at(MovePhase::Copying, 31_000), "copying, 75 %");
        let empty = MoveProgress {
            sent_bytes: 0,
            behind_bytes: 0,
            ..progress(MovePhase::Copying)
        };
        assert_eq!(state(&empty, WallTime(0)), "copying, 100 %");
    }

    #[test]
    fn under_way_comes_before_ended() {
        let moves = MovesView {
            under_way: vec![view(progress(MovePhase::Copying))],
            ended: vec![view(receipt(None))],
        };
        let text = moves_table(&moves, WallTime(64_200));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(
            lines[1].starts_with("a.example  n1    n2  balance  copying, 75 %"),
            "{text}"
        );
        assert!(
            lines[4].contains("1 min ago") && lines[4].ends_with("moved"),
            "{text}"
        );
        assert_eq!(
            moves_table(&MovesView::default(), WallTime(0)),
            "Nothing has moved."
        );
    }
}
