//! Moves in words and numbers: what is happening, why, how far it is, what visitors noticed.

use crate::i18n::format;
use crate::live::{Live, site_datasets};
use crate::tr;
use hwc_api::explanation::{DatasetExplanation, Decision, Obstacle, Outcome, RehomeReason, Unfit};
use hwc_api::ids::{AccountId, DatasetId, SiteId};
use hwc_api::moves::{MovePhase, MoveProgress, MoveReason, MoveReceipt, Pause};
use hwc_api::ownership::HolderState;
use hwc_api::v1::{MoveView, SiteView};
use leptos::prelude::With;

/// What a move does just now.
#[must_use]
pub fn phase(phase: MovePhase) -> String {
    match phase {
        MovePhase::Planned => tr!("move-phase-planned"),
        MovePhase::Copying => tr!("move-phase-copying"),
        MovePhase::Closing => tr!("move-phase-closing"),
        MovePhase::Finishing => tr!("move-phase-finishing"),
        MovePhase::Promoting => tr!("move-phase-promoting"),
    }
}

/// Why something moves.
#[must_use]
pub fn reason(live: Live, reason: MoveReason) -> String {
    match reason {
        MoveReason::Asked(by) => asked_by(live, by),
        MoveReason::Drain => tr!("move-reason-drain"),
        MoveReason::Balance => tr!("move-reason-balance"),
        MoveReason::Pin => tr!("move-reason-pin"),
        MoveReason::Reunite => tr!("move-reason-reunite"),
    }
}

/// Who asked for a move: customers are told no names.
#[must_use]
pub fn asked_by(live: Live, by: AccountId) -> String {
    match live.account_name(by) {
        Some(name) => tr!("move-reason-asked-by", name = name),
        None if by == AccountId::ROOT && live.is_administrator() => tr!("move-reason-asked-root"),
        None => tr!("move-reason-asked"),
    }
}

/// How far a move is, 0 to 100. Nearly all of its time goes into sending ahead, so that has nine
/// tenths of the bar; a move that is over is not drawn any more.
#[must_use]
pub fn percent(progress: &MoveProgress) -> u8 {
    match progress.phase {
        MovePhase::Planned => 0,
        MovePhase::Copying => {
            let whole = progress.sent_bytes.saturating_add(progress.behind_bytes);
            let sent = format::percent(progress.sent_bytes, whole);
            u8::try_from(u16::from(sent) * 9 / 10).unwrap_or_default()
        }
        MovePhase::Closing => 92,
        MovePhase::Finishing => 95,
        MovePhase::Promoting => 98,
    }
}

/// What visitors noticed, over HTTP and at the database together.
#[must_use]
pub fn noticed(receipt: &MoveReceipt) -> Pause {
    let (http, mysql) = (receipt.report.http, receipt.report.mysql);
    Pause {
        closed_ms: http.closed_ms.max(mysql.closed_ms),
        held: http.held.saturating_add(mysql.held),
        longest_wait_ms: http.longest_wait_ms.max(mysql.longest_wait_ms),
        failed: http.failed.saturating_add(mysql.failed),
    }
}

/// The receipt in a line: who waited, how long at most, what failed.
#[must_use]
pub fn receipt(receipt: &MoveReceipt) -> String {
    let noticed = noticed(receipt);
    if noticed.held == 0 && noticed.failed == 0 {
        return tr!("receipt-nobody");
    }
    tr!(
        "receipt-line",
        waited = format::number(noticed.held.into()),
        longest = format::wait(noticed.longest_wait_ms.into()),
        failed = noticed.failed
    )
}

/// The longest wait, as it stands in a table; a dash where nobody waited.
#[must_use]
pub fn longest_wait(noticed: Pause) -> String {
    if noticed.held == 0 {
        "–".to_owned()
    } else {
        format::wait(noticed.longest_wait_ms.into())
    }
}

/// What moves: the site, or one of its databases.
#[must_use]
pub fn what<T>(live: Live, view: &MoveView<T>, dataset: DatasetId) -> String {
    let is_database = live.sites.with(|sites| {
        let site = view.site.and_then(|id| sites.get(&id));
        site.is_some_and(|site| {
            let mut databases = site.databases.iter();
            databases.any(|database| database.dataset.id == dataset)
        })
    });
    if is_database {
        tr!("why-database", database = view.title.clone())
    } else {
        view.title.clone()
    }
}

/// Moves of a site that are planned or under way, its files first.
#[must_use]
pub fn under_way(live: Live, site: &SiteView) -> Vec<MoveView<MoveProgress>> {
    live.moves.with(|moves| {
        site_datasets(site)
            .filter_map(|dataset| moves.get(&dataset.id).cloned())
            .collect()
    })
}

/// Receipts of a site's moves, the newest first.
#[must_use]
pub fn receipts(live: Live, site: SiteId) -> Vec<MoveView<MoveReceipt>> {
    live.receipts.with(|receipts| {
        let newest_first = receipts.values().rev();
        newest_first
            .filter(|view| view.site == Some(site))
            .cloned()
            .collect()
    })
}

/// What keeps something where it is.
#[must_use]
pub fn obstacle(obstacle: Obstacle) -> String {
    match obstacle {
        Obstacle::Pinned => tr!("obstacle-pinned"),
        Obstacle::Held => tr!("obstacle-held"),
        Obstacle::CoolDown => tr!("obstacle-cool-down"),
        Obstacle::Budget => tr!("obstacle-budget"),
        Obstacle::NoTarget => tr!("obstacle-no-target"),
        Obstacle::NoGain => tr!("obstacle-no-gain"),
        Obstacle::SwitchedOff => tr!("obstacle-switched-off"),
        Obstacle::NotBusy => tr!("obstacle-not-busy"),
    }
}

/// Why a node can't take something.
#[must_use]
pub fn unfit(unfit: Unfit) -> String {
    match unfit {
        Unfit::Down => tr!("unfit-down"),
        Unfit::Unwell => tr!("unfit-unwell"),
        Unfit::Draining => tr!("unfit-draining"),
        Unfit::NotHosting => tr!("unfit-not-hosting"),
        Unfit::Full => tr!("unfit-full"),
        Unfit::Here => tr!("unfit-here"),
        Unfit::Busy => tr!("unfit-busy"),
        Unfit::SameZone => tr!("unfit-same-zone"),
    }
}

/// What the node that explains does for a dataset.
#[must_use]
pub fn holder(explained: &DatasetExplanation, node: String) -> String {
    match explained.state {
        HolderState::Replica => tr!("holder-replica", node = node),
        HolderState::Claiming => tr!("holder-claiming", node = node),
        HolderState::Live => tr!("holder-live", node = node),
        HolderState::Draining => tr!("holder-draining", node = node),
    }
}

/// A decision in a sentence. Loads are told to administrators only; others get none.
#[must_use]
pub fn decision(live: Live, decision: &Decision) -> String {
    match &decision.outcome {
        Outcome::Claim { epoch: _ } => {
            tr!("decision-claim", node = live.node_name(decision.by))
        }
        Outcome::Move {
            to,
            reason: why,
            load_percent,
            target_load_percent,
        } => {
            let node = live.node_name(*to);
            let why = reason(live, *why);
            if *load_percent == 0 && *target_load_percent == 0 {
                tr!("decision-move", node = node, reason = why)
            } else {
                tr!(
                    "decision-move-loads",
                    node = node,
                    reason = why,
                    load = *load_percent,
                    target = *target_load_percent
                )
            }
        }
        Outcome::Stay { obstacle: why } => tr!("decision-stay", reason = obstacle(*why)),
        Outcome::Rehome {
            before: _,
            after,
            reason: why,
        } => {
            let nodes: Vec<String> = after.iter().map(|id| live.node_name(*id)).collect();
            tr!(
                "decision-rehome",
                nodes = nodes.join(", "),
                reason = rehome(*why)
            )
        }
    }
}

fn rehome(reason: RehomeReason) -> String {
    match reason {
        RehomeReason::NodeLost => tr!("rehome-node-lost"),
        RehomeReason::Drain => tr!("rehome-drain"),
        RehomeReason::NotHosting => tr!("rehome-not-hosting"),
        RehomeReason::TooFew => tr!("rehome-too-few"),
        RehomeReason::TooMany => tr!("rehome-too-many"),
        RehomeReason::OneZone => tr!("rehome-one-zone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{MoveId, NodeId};
    use hwc_api::moves::MoveReport;
    use hwc_api::time::WallTime;

    fn progress(phase: MovePhase, sent_bytes: u64, behind_bytes: u64) -> MoveProgress {
        MoveProgress {
            dataset: DatasetId(1),
            from: NodeId(1),
            to: NodeId(2),
            reason: MoveReason::Drain,
            phase,
            started_at: WallTime(0),
            due_at: None,
            rounds: 0,
            sent_bytes,
            behind_bytes,
            gate_closed_at: None,
        }
    }

    #[test]
    fn a_move_gets_further_with_each_phase_and_never_ends_before_its_receipt() {
        let steps = [
            progress(MovePhase::Planned, 0, 100),
            progress(MovePhase::Copying, 50, 50),
            progress(MovePhase::Copying, 100, 0),
            progress(MovePhase::Closing, 100, 0),
            progress(MovePhase::Finishing, 100, 0),
            progress(MovePhase::Promoting, 100, 0),
        ];
        let percents: Vec<u8> = steps.iter().map(percent).collect();
        assert_eq!(percents, [0, 45, 90, 92, 95, 98]);
        assert_eq!(percent(&progress(MovePhase::Copying, u64::MAX, 9)), 90);
    }

    #[test]
    fn waits_of_both_protocols_are_counted_together_and_the_longest_is_kept() {
        let pause = |held, longest_wait_ms, failed| Pause {
            closed_ms: longest_wait_ms,
            held,
            longest_wait_ms,
            failed,
        };
        let receipt = MoveReceipt {
            id: MoveId(1),
            report: MoveReport {
                dataset: DatasetId(1),
                from: NodeId(1),
                to: NodeId(2),
                reason: MoveReason::Drain,
                started_at: WallTime(0),
                ended_at: WallTime(9),
                problem: None,
                rounds: 1,
                sent_bytes: 0,
                http: pause(6, 210, 1),
                mysql: pause(3, 390, 0),
            },
        };
        assert_eq!(noticed(&receipt), pause(9, 390, 1));
    }
}
