//! What a change means: a pure function of the settings and the change, so that every node comes
//! to the same result.
//!
//! A refusal is a [`Problem`] and comes with no edits at all: it changes nothing. No input makes a
//! rule panic or fail otherwise. One file per family of changes.

mod accounts;
mod cluster;
mod databases;
mod datasets;
mod draft;
mod jobs;
mod moves;
mod nodes;
mod sessions;
mod sites;
#[cfg(test)]
mod tests;

use crate::settings::{Counters, Edit, Settings};
use draft::Draft;
use hwc_api::change::{Applied, Change};
use hwc_api::desired::Desired;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use std::sync::Arc;

/// What an accepted change does.
#[derive(Debug)]
pub(crate) struct Decision {
    /// In the order in which they are to be carried out.
    pub edits: Vec<Edit>,
    /// The counters afterwards.
    pub counters: Counters,
    /// The index of the settings afterwards.
    pub index: u64,
    /// The answer.
    pub applied: Applied,
}

impl Settings {
    /// Judges a change and carries it out in memory.
    #[cfg(test)]
    pub fn apply(&mut self, change: &Change) -> Result<Applied, Problem> {
        let decision = decide(self, change)?;
        self.carry_out(&decision.edits, decision.counters, decision.index);
        Ok(decision.applied)
    }
}

/// Judges one change against the settings as they are.
pub(crate) fn decide(settings: &Settings, change: &Change) -> Result<Decision, Problem> {
    let mut draft = Draft::new(settings);
    let is_founding = matches!(change, Change::InitCluster { .. });
    if !is_founding && settings.desired.cluster.is_none() {
        return Err(Problem::new(
            ProblemCode::NotMember,
            "There is no cluster yet. Begin with: hwc cluster init",
        ));
    }
    let applied = judge(&mut draft, change)?;
    Ok(draft.into_decision(applied))
}

/// Judges the removal of a node against the settings as they are, without numbers to give out.
///
/// # Errors
/// Why it would be refused.
pub(crate) fn check_removal(desired: &Arc<Desired>, node: NodeId) -> Result<(), Problem> {
    let settings = Settings {
        desired: Arc::clone(desired),
        ..Settings::default()
    };
    decide(&settings, &Change::RemoveNode { node }).map(drop)
}

fn judge(draft: &mut Draft<'_>, change: &Change) -> Result<Applied, Problem> {
    match change {
        Change::InitCluster {
            cluster,
            name,
            address,
        } => cluster::init(draft, cluster, name, *address),
        Change::CreateJoinToken {
            secret_hash,
            expires_at,
        } => cluster::create_join_token(draft, secret_hash, *expires_at),
        Change::JoinNode {
            secret_hash,
            name,
            address,
            now,
        } => cluster::join_node(draft, secret_hash, name, *address, *now),
        Change::RemoveNode { node } => nodes::remove(draft, *node),
        Change::DeclareLost { nodes } => nodes::declare_lost(draft, nodes),
        Change::CreateAccount {
            login,
            name,
            email,
            role,
            limits,
            password_hash,
            now,
        } => accounts::create(
            draft,
            accounts::NewAccount {
                login,
                name,
                email,
                role: *role,
                limits: *limits,
                password_hash,
                now: *now,
            },
        ),
        Change::SetPassword {
            account,
            password_hash,
            now,
        } => accounts::set_password(draft, *account, password_hash, *now),
        Change::SetSuspended {
            account,
            is_suspended,
            now,
        } => accounts::set_suspended(draft, *account, *is_suspended, *now),
        Change::DeleteAccount { account } => accounts::delete(draft, *account),
        Change::CreateSite {
            account,
            domains,
            php,
            replicas,
            copies,
            now,
        } => sites::create(
            draft,
            sites::NewSite {
                account: *account,
                domains,
                php: *php,
                replicas,
                copies: *copies,
                now: *now,
            },
        ),
        Change::DeleteSite { site } => sites::delete(draft, *site),
        Change::SetApp { site, app } => sites::set_app(draft, *site, app.as_ref()),
        Change::CreateDatabase {
            account,
            site,
            name,
            user,
            password_hash,
            replicas,
            copies,
            now,
        } => databases::create(
            draft,
            databases::NewDatabase {
                account: *account,
                site: *site,
                name,
                user,
                password_hash,
                replicas,
                copies: *copies,
                now: *now,
            },
        ),
        Change::DeleteDatabase { database } => databases::delete(draft, *database),
        Change::SetReplicas {
            dataset,
            expected,
            replicas,
        } => datasets::set_replicas(draft, *dataset, expected, replicas),
        Change::SetZone { node, zone } => nodes::set_zone(draft, *node, zone),
        Change::SetServices { node, switched_off } => {
            nodes::set_services(draft, *node, switched_off)
        }
        Change::DrainNode { node, drain } => nodes::drain(draft, *node, drain),
        Change::UndrainNode { node } => nodes::undrain(draft, *node),
        Change::PinSite { site, node } => sites::pin(draft, *site, *node),
        Change::HoldSite { site, until } => sites::hold(draft, *site, *until),
        Change::SetBalancing { balancing } => cluster::set_balancing(draft, *balancing),
        Change::SetNetwork { network } => Ok(cluster::set_network(draft, *network)),
        Change::NoteMove { report } => moves::note(draft, report),
        Change::RevokeSession {
            session,
            expires_at,
            now,
        } => Ok(sessions::revoke(draft, *session, *expires_at, *now)),
        Change::CreateToken {
            account,
            label,
            secret_hash,
            now,
            expires_at,
        } => sessions::create_token(draft, *account, label, secret_hash, *now, *expires_at),
        Change::DeleteToken { token } => sessions::delete_token(draft, *token),
        Change::StartJob {
            kind,
            account,
            node,
            now,
        } => jobs::start(draft, kind, *account, *node, *now),
        Change::FinishJob { job, outcome } => jobs::finish(draft, *job, outcome),
    }
}
