//! The receipt of an asked move that its node forgot: the daemon was restarted before it was over.
//! The brain begins anew after a restart, so nobody else would ever tell of it.

use super::datasets_of;
use crate::picture::Picture;
use hwc_api::desired::Desired;
use hwc_api::job::{Job, JobKind};
use hwc_api::moves::{MoveReason, MoveReport, Pause};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;

/// What is to be noted of a job of this node that an earlier start began. None when it is no move,
/// when everything of the site has its receipt, or is where it was to go.
#[must_use]
pub fn receipt(
    desired: &Desired,
    picture: &Picture,
    job: &Job,
    now: WallTime,
) -> Option<MoveReport> {
    let JobKind::MoveSite { site, to, by } = &job.kind else {
        return None;
    };
    let site = desired.sites.get(site)?;
    let is_told_of = |dataset| {
        desired.moves.values().any(|receipt| {
            let report = &receipt.report;
            (report.dataset, report.to) == (dataset, *to) && report.ended_at >= job.started_at
        })
    };
    let is_there = |dataset| {
        let live = picture.live_node(dataset);
        live.is_some_and(|live| live.node == *to)
    };
    // One receipt for the site: it was asked for as a whole, the files first.
    let dataset = datasets_of(desired, site)
        .into_iter()
        .find(|dataset| !is_told_of(*dataset) && !is_there(*dataset))?;
    let message = "The node that the site was to leave was restarted.";
    Some(MoveReport {
        dataset,
        from: job.node,
        to: *to,
        // A job of an earlier version knows for whom it was done only.
        reason: MoveReason::Asked(by.unwrap_or(job.account)),
        started_at: job.started_at,
        ended_at: now,
        problem: Some(Problem::new(ProblemCode::MoveCalledOff, message).detail("restarted")),
        rounds: 0,
        sent_bytes: 0,
        http: Pause::default(),
        mysql: Pause::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample::{MARA, Sample};
    use hwc_api::ids::{AccountId, DatasetId, JobId, NodeId, SiteId};

    const STARTED_AT: WallTime = WallTime(1_000);

    fn job(kind: JobKind) -> Job {
        Job {
            id: JobId(3),
            kind,
            account: MARA,
            node: NodeId(1),
            started_at: STARTED_AT,
            outcome: None,
        }
    }

    fn to_second() -> Job {
        job(JobKind::MoveSite {
            site: SiteId(1),
            to: NodeId(2),
            by: Some(AccountId::ROOT),
        })
    }

    fn two_datasets() -> Sample {
        let mut sample = Sample::with_nodes(3);
        sample.site(1, 10, "shop.example", &[1, 2]);
        sample.database(1, 11, Some(1), &[1, 2]);
        sample
    }

    fn check(sample: &Sample, job: &Job, expected: Option<u32>) {
        let report = receipt(&sample.desired, &sample.picture, job, WallTime(9_000));
        let dataset = report.map(|report| report.dataset);
        assert_eq!(dataset, expected.map(DatasetId));
    }

    #[test]
    fn a_move_that_a_restart_ended_is_told_of_as_called_off() {
        let mut sample = two_datasets();
        sample.live(10, 3);
        let report = receipt(
            &sample.desired,
            &sample.picture,
            &to_second(),
            WallTime(9_000),
        )
        .expect("a receipt");
        assert_eq!(
            (report.dataset, report.from, report.to),
            (DatasetId(10), NodeId(1), NodeId(2))
        );
        let times = (report.started_at, report.ended_at);
        assert_eq!(times, (STARTED_AT, WallTime(9_000)));
        assert_eq!(report.reason, MoveReason::Asked(AccountId::ROOT));
        let code = report.problem.map(|problem| problem.code);
        assert_eq!(code, Some(ProblemCode::MoveCalledOff));
    }

    #[test]
    fn what_has_a_receipt_or_arrived_is_not_told_of_again() {
        let asked = MoveReason::Asked(MARA);
        let mut sample = two_datasets();
        // An earlier move, and one to another node.
        sample.receipt(1, 10, 1, 2, asked, STARTED_AT.0 - 1);
        sample.receipt(2, 10, 1, 3, asked, STARTED_AT.0 + 1);
        check(&sample, &to_second(), Some(10));
        sample.receipt(3, 10, 1, 2, asked, STARTED_AT.0 + 2);
        check(&sample, &to_second(), Some(11));
        sample.live(11, 2);
        check(&sample, &to_second(), None);
    }

    #[test]
    fn an_installation_has_no_receipt() {
        let installation = job(JobKind::InstallApp {
            site: SiteId(1),
            app: "wordpress".to_owned(),
            version: "6".to_owned(),
        });
        check(&two_datasets(), &installation, None);
    }
}
