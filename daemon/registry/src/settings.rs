//! The settings as one value in memory: what everyone sees ([`Desired`]) and what only the
//! registry needs (counters, expiry of revocations, the order in which jobs ended).
//!
//! It changes by [`Edit`]s alone, which are also what is written to the tables (`tables`): one
//! list of edits, two interpreters. `rules` decides which edits a change means.

use hwc_api::desired::{
    Account, ApiToken, Cluster, Database, Dataset, Desired, JoinToken, Node, Site,
};
use hwc_api::ids::{AccountId, DatabaseId, JobId, MoveId, SessionId, SiteId, TokenId};
use hwc_api::job::Job;
use hwc_api::moves::MoveReceipt;
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The first Unix user id that is given out; Debian's own and people's users are far below.
pub(crate) const UID_FIRST: u64 = 200_000;

/// Everything that applied changes have made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settings {
    /// What the rooms of the daemon see. `desired.index` counts accepted changes.
    pub desired: Arc<Desired>,
    /// The next number of each kind.
    pub counters: Counters,
    /// When each revoked session would have expired.
    pub revocations: BTreeMap<SessionId, WallTime>,
    /// Ended jobs by the index of the change that ended them: the oldest are forgotten first.
    pub finished_jobs: BTreeMap<u64, JobId>,
}

/// The next number of each kind. They only grow: no id and no uid is given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub node: u64,
    pub account: u64,
    pub site: u64,
    pub database: u64,
    pub dataset: u64,
    pub job: u64,
    pub receipt: u64,
    pub token: u64,
    pub uid: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            node: 1,
            account: 1,
            site: 1,
            database: 1,
            dataset: 1,
            job: 1,
            receipt: 1,
            token: 1,
            uid: UID_FIRST,
        }
    }
}

/// One change of one object: what `rules` decides, what tables and memory carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    PutCluster(Cluster),
    PutNode(Node),
    PutJoinToken(JoinToken),
    DeleteJoinToken(String),
    PutAccount(Account),
    DeleteAccount(AccountId),
    PutToken(ApiToken),
    DeleteToken(TokenId),
    PutRevocation(SessionId, WallTime),
    DeleteRevocation(SessionId),
    PutDataset(Dataset),
    PutSite(Site),
    DeleteSite(SiteId),
    PutDatabase(Database),
    DeleteDatabase(DatabaseId),
    /// A job, with the index of the change that ended it once it has ended.
    PutJob(Job, Option<u64>),
    DeleteJob(JobId),
    PutMove(MoveReceipt),
    DeleteMove(MoveId),
}

impl Settings {
    /// Carries edits out in memory and sets the counters and the index that go with them.
    pub fn carry_out(&mut self, edits: &[Edit], counters: Counters, index: u64) {
        for edit in edits {
            self.carry_out_one(edit);
        }
        self.counters = counters;
        Arc::make_mut(&mut self.desired).index = index;
    }

    fn carry_out_one(&mut self, edit: &Edit) {
        let desired = Arc::make_mut(&mut self.desired);
        match edit {
            Edit::PutCluster(cluster) => desired.cluster = Some(cluster.clone()),
            Edit::PutNode(node) => put(&mut desired.nodes, node.id, node),
            Edit::PutJoinToken(token) => {
                put(&mut desired.join_tokens, token.secret_hash.clone(), token);
            }
            Edit::DeleteJoinToken(secret_hash) => delete(&mut desired.join_tokens, secret_hash),
            Edit::PutAccount(account) => put(&mut desired.accounts, account.id, account),
            Edit::DeleteAccount(id) => delete(&mut desired.accounts, id),
            Edit::PutToken(token) => put(&mut desired.tokens, token.id, token),
            Edit::DeleteToken(id) => delete(&mut desired.tokens, id),
            Edit::PutRevocation(session, expires_at) => {
                desired.revoked_sessions.insert(*session);
                self.revocations.insert(*session, *expires_at);
            }
            Edit::DeleteRevocation(session) => {
                desired.revoked_sessions.remove(session);
                self.revocations.remove(session);
            }
            Edit::PutDataset(dataset) => put(&mut desired.datasets, dataset.id, dataset),
            Edit::PutSite(site) => put(&mut desired.sites, site.id, site),
            Edit::DeleteSite(id) => delete(&mut desired.sites, id),
            Edit::PutDatabase(database) => put(&mut desired.databases, database.id, database),
            Edit::DeleteDatabase(id) => delete(&mut desired.databases, id),
            Edit::PutJob(job, finished_index) => {
                put(&mut desired.jobs, job.id, job);
                if let Some(index) = finished_index {
                    self.finished_jobs.insert(*index, job.id);
                }
            }
            Edit::DeleteJob(id) => {
                delete(&mut desired.jobs, id);
                self.finished_jobs.retain(|_, job| job != id);
            }
            Edit::PutMove(receipt) => put(&mut desired.moves, receipt.id, receipt),
            Edit::DeleteMove(id) => delete(&mut desired.moves, id),
        }
    }

    /// The edits that make empty settings into these, in an order that every reference can be
    /// kept: what is referred to comes first.
    pub fn as_edits(&self) -> Vec<Edit> {
        let desired = &self.desired;
        let finished: BTreeMap<JobId, u64> = self
            .finished_jobs
            .iter()
            .map(|(index, job)| (*job, *index))
            .collect();
        let mut edits = Vec::new();
        edits.extend(desired.cluster.iter().cloned().map(Edit::PutCluster));
        edits.extend(desired.nodes.values().cloned().map(Edit::PutNode));
        edits.extend(
            desired
                .join_tokens
                .values()
                .cloned()
                .map(Edit::PutJoinToken),
        );
        edits.extend(desired.accounts.values().cloned().map(Edit::PutAccount));
        edits.extend(desired.tokens.values().cloned().map(Edit::PutToken));
        edits.extend(
            self.revocations
                .iter()
                .map(|(session, expires_at)| Edit::PutRevocation(*session, *expires_at)),
        );
        edits.extend(desired.datasets.values().cloned().map(Edit::PutDataset));
        edits.extend(desired.sites.values().cloned().map(Edit::PutSite));
        edits.extend(desired.databases.values().cloned().map(Edit::PutDatabase));
        edits.extend(
            desired
                .jobs
                .values()
                .map(|job| Edit::PutJob(job.clone(), finished.get(&job.id).copied())),
        );
        edits.extend(desired.moves.values().cloned().map(Edit::PutMove));
        edits
    }
}

fn put<K: Ord, V: Clone>(map: &mut BTreeMap<K, V>, key: K, value: &V) {
    map.insert(key, value.clone());
}

fn delete<K: Ord, V>(map: &mut BTreeMap<K, V>, key: &K) {
    map.remove(key);
}
