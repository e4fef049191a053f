//! `hwc site move`: move a site, watch it go, read the receipts.

use super::move_words::{receipt_text, state};
use super::nodes::find_node;
use super::sites::find;
use super::table::age;
use super::{Failure, Session, complain};
use crate::client::CallError;
use clap::Args;
use hwc_api::ids::{DatasetId, MoveId, NodeId, SiteId};
use hwc_api::job::JobOutcome;
use hwc_api::names::{DomainName, NodeName};
use hwc_api::pace::Paces;
use hwc_api::time::WallTime;
use hwc_api::v1::{
    CallOffMove, JobView, ListSiteMoves, MoveSite, MoveSiteBody, MovesView, ReadJob,
};
use hwc_runtime::clock::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often progress is asked for.
const PROGRESS_PAUSE: Duration = Duration::from_millis(300);
/// A receipt comes a moment after the move, once all nodes have said what their visitors noticed:
/// waited for this many times.
const RECEIPT_TRIES: u32 = 20;

/// What moves where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The site's domain. Its databases move with it.
    site: DomainName,
    /// The node; the fittest one if none is named.
    #[arg(conflicts_with = "call_off")]
    node: Option<NodeName>,
    /// Show how it goes and wait for the receipt. Ctrl-C ends the waiting, not the move.
    #[arg(long, conflicts_with = "call_off")]
    wait: bool,
    /// Call off what has not been handed over yet, planned moves included.
    #[arg(long)]
    call_off: bool,
}

pub async fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let site = find(session, &arguments.site).await?.id;
    if arguments.call_off {
        let done = session.client.call(&CallOffMove { site }).await?;
        return session.print(&done, |_| {
            format!("What had not been handed over of {} stays.", arguments.site)
        });
    }
    let node = match &arguments.node {
        Some(name) => Some(find_node(session, name).await?.node.id),
        None => None,
    };
    let before = session.client.call(&ListSiteMoves { site }).await?;
    let job = begin(session, site, node).await?;
    if arguments.wait {
        return watch(session, site, job, &receipts(&before)).await;
    }
    session.print(&job, |job| {
        format!(
            "{} moves (job {}); “hwc moves {}” shows how it goes.",
            arguments.site, job.job.id, arguments.site
        )
    })
}

async fn begin(
    session: &Session,
    site: SiteId,
    node: Option<NodeId>,
) -> Result<JobView, CallError> {
    let body = MoveSiteBody { node };
    session.client.call(&MoveSite { site, body }).await
}

fn receipts(moves: &MovesView) -> BTreeSet<MoveId> {
    moves.ended.iter().map(|view| view.of.id).collect()
}

/// Tells each step until the job ends, then prints the receipts that are new.
async fn watch(
    session: &Session,
    site: SiteId,
    mut job: JobView,
    before: &BTreeSet<MoveId>,
) -> Result<(), Failure> {
    let clock = Clock::system();
    let mut progress = Progress::default();
    let outcome = loop {
        let moves = session.client.call(&ListSiteMoves { site }).await?;
        let lines = progress.news(&moves, clock.wall());
        if !session.is_json {
            lines.iter().for_each(|line| complain(line));
        }
        if let Some(outcome) = job.job.outcome.take() {
            break outcome;
        }
        tokio::time::sleep(PROGRESS_PAUSE).await;
        job = session.client.call(&ReadJob { job: job.job.id }).await?;
    };
    let ended = new_receipts(session, site, before, &progress).await?;
    session.print(&ended, |moves| {
        let texts = moves.ended.iter().rev().map(receipt_text);
        texts.collect()
    })?;
    match outcome {
        JobOutcome { problem: None, .. } => Ok(()),
        JobOutcome {
            problem: Some(problem),
            ..
        } => Err(CallError::Refused(problem).into()),
    }
}

/// The receipts since `before`, once there is one for every dataset that was seen to move.
async fn new_receipts(
    session: &Session,
    site: SiteId,
    before: &BTreeSet<MoveId>,
    progress: &Progress,
) -> Result<MovesView, CallError> {
    let mut tries = 0;
    loop {
        let mut moves = session.client.call(&ListSiteMoves { site }).await?;
        moves.ended.retain(|view| !before.contains(&view.of.id));
        let accounted: BTreeSet<_> = moves.ended.iter().map(|v| v.of.report.dataset).collect();
        let is_whole = !accounted.is_empty() && progress.seen().all(|id| accounted.contains(&id));
        if is_whole || tries == RECEIPT_TRIES {
            return Ok(moves);
        }
        tries += 1;
        tokio::time::sleep(PROGRESS_PAUSE).await;
    }
}

/// What was told last of each dataset.
#[derive(Debug, Default)]
struct Progress {
    /// Without how long it takes: that alone is no news.
    told: BTreeMap<DatasetId, String>,
    paces: Paces,
}

impl Progress {
    /// What changed, a line each.
    fn news(&mut self, moves: &MovesView, now: WallTime) -> Vec<String> {
        let mut news = Vec::new();
        for view in &moves.under_way {
            let (title, to) = (&view.title, &view.to.name);
            let line = format!("{title} to {to}: {}", state(&view.of, now));
            let left = self.paces.remaining_ms(&view.of, now);
            if self.told.get(&view.of.dataset) != Some(&line) {
                let left = left.map(|left| format!(", about {} left", age(left)));
                news.push(line.clone() + &left.unwrap_or_default());
                self.told.insert(view.of.dataset, line);
            }
        }
        news
    }

    fn seen(&self) -> impl Iterator<Item = DatasetId> + '_ {
        self.told.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::moves::{MovePhase, MoveProgress, MoveReason};
    use hwc_api::v1::{MoveView, NodeRef};

    fn moves(phase: MovePhase, sent_bytes: u64, behind_bytes: u64) -> MovesView {
        let node = |id| NodeRef {
            id: NodeId(id),
            name: NodeName::parse(&format!("n{id}")).expect("a name"),
        };
        let of = MoveProgress {
            dataset: DatasetId(1),
            from: NodeId(1),
            to: NodeId(2),
            reason: MoveReason::Balance,
            phase,
            started_at: WallTime(0),
            due_at: None,
            rounds: 1,
            sent_bytes,
            behind_bytes,
            gate_closed_at: None,
        };
        let view = MoveView {
            of,
            site: Some(SiteId(1)),
            title: "a.example".to_owned(),
            from: node(1),
            to: node(2),
        };
        MovesView {
            under_way: vec![view],
            ended: Vec::new(),
        }
    }

    #[test]
    fn each_step_is_told_once_and_how_long_it_takes_as_soon_as_that_is_known() {
        use MovePhase::{Closing, Copying, Planned};
        let mut progress = Progress::default();
        let mut check = |phase, sent, behind, now, expected: &[&str]| {
            let news = progress.news(&moves(phase, sent, behind), WallTime(now));
            assert_eq!(news, expected, "at {now}");
        };
        check(
            Planned,
            0,
            1_000,
            0,
            &["a.example to n2: waits for its turn"],
        );
        check(Planned, 0, 1_000, 300, &[]);
        check(Copying, 0, 1_000, 9_000, &["a.example to n2: copying, 0 %"]);
        check(
            Copying,
            100,
            900,
            10_000,
            &["a.example to n2: copying, 10 %"],
        );
        check(
            Copying,
            250,
            750,
            11_500,
            &["a.example to n2: copying, 25 %, about 7.5 s left"],
        );
        check(Copying, 250, 750, 11_800, &[]);
        let closing = "a.example to n2: requests wait: the running ones end";
        check(Closing, 1_000, 0, 20_000, &[closing]);
    }
}
