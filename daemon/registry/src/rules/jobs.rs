//! Jobs: one at a time per site, and a bounded memory of those that ended.

use super::draft::{Draft, not_found};
use super::sites;
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::ids::{AccountId, JobId, NodeId, SiteId};
use hwc_api::job::{Job, JobKind, JobOutcome};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;

/// How many ended jobs are remembered: a few screens of the panel.
pub(crate) const FINISHED_JOBS_KEPT: usize = 200;

pub(super) fn start(
    draft: &mut Draft<'_>,
    kind: &JobKind,
    account: AccountId,
    node: NodeId,
    now: WallTime,
) -> Result<Applied, Problem> {
    let account = match kind {
        JobKind::InstallApp { .. } => draft.account_in_good_standing(account)?,
        // The administrator's business: suspended customers' sites must leave a node as well.
        JobKind::MoveSite { .. } => draft.account(account)?,
    };
    let site = sites::existing(draft, site_of(kind))?;
    draft.node(node)?;
    if let JobKind::MoveSite { to, .. } = kind {
        draft
            .check_takes_datasets(*to)
            .map_err(|problem| problem.field("to"))?;
    }
    let mut jobs = draft.desired().jobs.values();
    if let Some(running) = jobs.find(|job| job.outcome.is_none() && site_of(&job.kind) == site.id) {
        return Err(Problem::new(
            ProblemCode::SiteBusy,
            "The site has work under way already. Wait until it has ended.",
        )
        .field("site")
        .detail(running.id.to_string()));
    }
    let id = JobId(draft.take(|counters| &mut counters.job)?);
    let job = Job {
        id,
        kind: kind.clone(),
        account: account.id,
        node,
        started_at: now,
        outcome: None,
    };
    draft.edit(Edit::PutJob(job, None));
    Ok(Applied::Job(id))
}

/// The first outcome stays: a job that ended does not end again.
pub(super) fn finish(
    draft: &mut Draft<'_>,
    id: JobId,
    outcome: &JobOutcome,
) -> Result<Applied, Problem> {
    let job = draft
        .desired()
        .jobs
        .get(&id)
        .ok_or_else(|| not_found("job", id).field("job"))?;
    if job.outcome.is_some() {
        return Ok(Applied::Done);
    }
    let job = Job {
        outcome: Some(outcome.clone()),
        ..job.clone()
    };
    draft.edit(Edit::PutJob(job, Some(draft.index())));
    forget_oldest(draft);
    Ok(Applied::Done)
}

/// Makes room for the job that has just ended.
fn forget_oldest(draft: &mut Draft<'_>) {
    let finished = &draft.settings().finished_jobs;
    let too_many = (finished.len() + 1).saturating_sub(FINISHED_JOBS_KEPT);
    for job in finished.values().take(too_many) {
        draft.edit(Edit::DeleteJob(*job));
    }
}

/// The site that a job works on.
fn site_of(kind: &JobKind) -> SiteId {
    match kind {
        JobKind::InstallApp { site, .. } | JobKind::MoveSite { site, .. } => *site,
    }
}
