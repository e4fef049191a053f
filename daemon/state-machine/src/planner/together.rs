//! What moves together: the files of a site and its databases.
//!
//! All are brought close first. Then the gate of the files is closed, so that no request is left
//! that talks to a database; then those of the databases, so that no statement is cut off. A dataset
//! that stays keeps the rest here, until the files are closed; after that each follows them as well
//! as it can.

use super::advance::end;
use super::plan::{Part, Plan, Stage};
use super::{MoveOrder, Output, View};
use crate::moves::{CallOff, MoveStage};
use crate::ownership::Ownership;
use hwc_api::ids::DatasetId;
use hwc_api::moves::MovePhase;
use hwc_api::time::WallTime;
use std::collections::BTreeMap;

/// A database that could not follow its site is sent after it so often.
const MOST_TRIES: u8 = 3;

/// A dataset that stays keeps the others here whose gates are open, unless the files are closed;
/// files that stay keep all that was not handed over.
pub(super) fn keep_together(plan: &mut Plan, view: View<'_>, output: &mut Output) {
    let has_stayed = plan.parts.values().any(Part::was_called_off);
    if !has_stayed || have_files_left(plan, view) == Some(true) {
        return;
    }
    let files = plan.files.and_then(|files| plan.parts.get(&files));
    let have_files_stayed = files.is_some_and(Part::was_called_off);
    for (dataset, part) in &mut plan.parts {
        if have_files_stayed || part.is_gate_open(view.datasets.get(dataset)) {
            end(*dataset, part, CallOff::UnitStays, output);
        }
    }
}

/// Databases that stayed behind although their site has gone are sent after it, a few times. Each
/// time is a move of its own, which began at another moment (`wall` is now).
pub(super) fn send_after(plan: &Plan, wall: WallTime, view: View<'_>) -> Option<Plan> {
    let files = plan.files.and_then(|files| plan.parts.get(&files));
    let is_site_there = match files {
        Some(files) => files.stage == Stage::Ended(MoveStage::Moved),
        None => plan.tries > 0,
    };
    let left_behind = plan.parts.iter().filter(|(_, part)| match part.stage {
        Stage::Ended(MoveStage::CalledOff(cause)) => cause != CallOff::Vetoed,
        Stage::Ended(_)
        | Stage::Waiting
        | Stage::Joining { .. }
        | Stage::Moving
        | Stage::Promoting { .. } => false,
    });
    let parts: BTreeMap<_, _> = left_behind
        .filter_map(|(dataset, _)| {
            let ownership = view.datasets.get(dataset)?;
            // Its gate may be on the way to open again.
            let is_here = ownership.serving().is_some() && !ownership.is_gone();
            is_here.then(|| (*dataset, Part::new(ownership, plan.to)))
        })
        .collect();
    if !is_site_there || parts.is_empty() || plan.tries >= MOST_TRIES {
        return None;
    }
    Some(Plan {
        started_at: wall.max(plan.started_at.plus_ms(1)),
        due: view.now.plus(view.timers.retry_move_ms),
        due_at: None,
        is_begun: false,
        tries: plan.tries + 1,
        files: None,
        parts,
        ..*plan
    })
}

/// Whether the gate of the site's files is closed for good, or they are there already; `None` if
/// they are not moved by this plan.
pub(super) fn have_files_left(plan: &Plan, view: View<'_>) -> Option<bool> {
    let files = plan.files?;
    let part = plan.parts.get(&files)?;
    Some(match part.stage {
        Stage::Waiting | Stage::Joining { .. } => false,
        Stage::Moving => view
            .datasets
            .get(&files)
            .and_then(Ownership::moving)
            .is_some_and(|moving| moving.phase == MovePhase::Finishing),
        Stage::Promoting { .. } => true,
        Stage::Ended(stage) => stage == MoveStage::Moved,
    })
}

/// Files close once everything is close; databases once the files are closed.
pub(super) fn permit_closing(plan: &Plan, view: View<'_>, output: &mut Output) {
    let is_ready = |dataset: &DatasetId, part: &Part| match part.stage {
        Stage::Waiting | Stage::Joining { .. } => false,
        Stage::Moving => view
            .datasets
            .get(dataset)
            .and_then(Ownership::moving)
            .is_some_and(|moving| moving.is_ready || moving.phase != MovePhase::Copying),
        Stage::Promoting { .. } | Stage::Ended(_) => true,
    };
    let all_ready = plan
        .parts
        .iter()
        .all(|(dataset, part)| is_ready(dataset, part));
    let have_files_left = have_files_left(plan, view);
    for (dataset, part) in &plan.parts {
        let may_close = match have_files_left {
            _ if part.stage != Stage::Moving => false,
            None => all_ready,
            Some(false) => all_ready && plan.files == Some(*dataset),
            Some(true) => true,
        };
        let was_told = view
            .datasets
            .get(dataset)
            .and_then(Ownership::moving)
            .is_none_or(|moving| moving.may_close);
        if may_close && !was_told {
            output.order(*dataset, MoveOrder::PermitClosing);
        }
    }
}
