//! Jobs, and which of them a site shows.

use super::Scene;
use hwc_api::desired::Site;
use hwc_api::ids::{JobId, SiteId};
use hwc_api::job::{Job, JobKind};
use hwc_api::v1::JobView;
use std::mem::discriminant;

impl Scene<'_> {
    /// A job with its progress.
    #[must_use]
    pub fn job(&self, job: &Job) -> JobView {
        JobView {
            job: job.clone(),
            progress: self.picture.jobs.get(&job.id).cloned(),
        }
    }

    /// A job by its id.
    #[must_use]
    pub fn job_by_id(&self, job: JobId) -> Option<JobView> {
        self.desired.jobs.get(&job).map(|job| self.job(job))
    }

    /// The newest job of each kind on a site, the newest first: a move does not hide how the
    /// installation went.
    pub(super) fn newest_jobs(&self, site: &Site) -> Vec<JobView> {
        let mut newest: Vec<&Job> = Vec::new();
        let newest_first = self.desired.jobs.values().rev();
        for job in newest_first.filter(|job| job_site(job) == site.id) {
            let kind = discriminant(&job.kind);
            if newest.iter().all(|newer| discriminant(&newer.kind) != kind) {
                newest.push(job);
            }
        }
        newest.into_iter().map(|job| self.job(job)).collect()
    }
}

/// The site that a job works on.
const fn job_site(job: &Job) -> SiteId {
    match &job.kind {
        JobKind::InstallApp { site, .. } | JobKind::MoveSite { site, .. } => *site,
    }
}

#[cfg(test)]
mod tests {
    use crate::view::sample::{MARA, Sample};
    use hwc_api::ids::{JobId, NodeId, SiteId};
    use hwc_api::job::{Job, JobKind};
    use hwc_api::time::WallTime;

    fn add(sample: &mut Sample, id: u32, kind: JobKind) {
        let job = Job {
            id: JobId(id),
            kind,
            account: MARA,
            node: NodeId(1),
            started_at: WallTime(id.into()),
            outcome: None,
        };
        sample.desired.jobs.insert(job.id, job);
    }

    fn installation(site: u32) -> JobKind {
        JobKind::InstallApp {
            site: SiteId(site),
            app: "wordpress".to_owned(),
            version: "6".to_owned(),
        }
    }

    fn a_move(site: u32) -> JobKind {
        JobKind::MoveSite {
            site: SiteId(site),
            to: NodeId(2),
            by: Some(MARA),
        }
    }

    #[test]
    fn moves_do_not_hide_the_installation_of_a_site() {
        let mut sample = Sample::with_nodes(2);
        sample.site(1, 10, "shop.example", &[1, 2]);
        sample.site(2, 20, "other.example", &[1, 2]);
        let kinds = [
            installation(1),
            installation(1),
            a_move(1),
            a_move(1),
            installation(2),
        ];
        for (id, kind) in (1..).zip(kinds) {
            add(&mut sample, id, kind);
        }
        let shown = |site: u32| -> Vec<u32> {
            let view = sample.scene().site(&sample.desired.sites[&SiteId(site)]);
            view.jobs.iter().map(|view| view.job.id.0).collect()
        };
        assert_eq!(shown(1), [4, 2]);
        assert_eq!(shown(2), [5]);
    }
}
