//! The store's part in going on without lost nodes: the outline of the log, and its rewriting while
//! openraft stands still.

use super::Database;
use super::raft_state::{self, StateKey};
use crate::raft_types::{Entry, LogId, StoredMembership, Vote, raft_id};
use hwc_api::ids::NodeId;
use openraft::{CommittedLeaderId, EntryPayload, LogIdOptionExt, Membership};
use std::collections::{BTreeMap, BTreeSet};

/// The outline of a log.
#[derive(Debug)]
pub(crate) struct LogOutline {
    /// Its end.
    pub last: Option<LogId>,
    /// The first entry of each leader, oldest first.
    pub leaders: Vec<LogId>,
    /// The highest term, of the log or the vote.
    pub term: u64,
}

/// Reads the outline of the log.
pub(crate) async fn log_outline(database: &Database) -> sqlx::Result<LogOutline> {
    let mut transaction = database.read_consistently().await?;
    let last = raft_state::log_end(&mut transaction).await?;
    let vote: Option<Vote> = raft_state::state_read(&mut transaction, StateKey::Vote).await?;
    Ok(LogOutline {
        last,
        leaders: raft_state::log_leader_list(&mut transaction).await?,
        term: highest_term(last, vote),
    })
}

fn highest_term(last: Option<LogId>, vote: Option<Vote>) -> u64 {
    let of_log = last.map_or(0, |last| last.leader_id.term);
    of_log.max(vote.map_or(0, |vote| vote.leader_id().term))
}

/// Makes this node the only voter, with everything that is in its log, in a term above all known
/// ones; the other members that are not lost learn. Notes who is lost. openraft must not run.
pub(crate) async fn become_only_voter(
    database: &Database,
    me: NodeId,
    lost: &BTreeSet<NodeId>,
    term: u64,
) -> sqlx::Result<()> {
    let mut transaction = database.write().await?;
    let last = raft_state::log_end(&mut transaction).await?;
    let vote: Option<Vote> = raft_state::state_read(&mut transaction, StateKey::Vote).await?;
    let written = raft_state::log_last_membership(&mut transaction).await?;
    let membership = match written {
        Some(membership) => membership,
        None => {
            let applied: Option<StoredMembership> =
                raft_state::state_read(&mut transaction, StateKey::Membership).await?;
            applied.unwrap_or_default().membership().clone()
        }
    };
    let me = raft_id(me);
    let gone: BTreeSet<u64> = lost.iter().copied().map(raft_id).collect();
    let staying: BTreeMap<u64, _> = membership
        .nodes()
        .map(|(node, data)| (*node, data.clone()))
        .filter(|(node, _)| !gone.contains(node))
        .collect();
    let term = term.max(highest_term(last, vote)) + 1;
    let entry = Entry {
        log_id: LogId::new(CommittedLeaderId::new(term, me), last.next_index()),
        payload: EntryPayload::Membership(Membership::new(vec![BTreeSet::from([me])], staying)),
    };
    raft_state::log_upsert(&mut transaction, &entry).await?;
    // Not committed: openraft elects itself in the next term, and commits the log with it.
    raft_state::state_write(&mut transaction, StateKey::Vote, &Vote::new(term, me)).await?;
    raft_state::state_write(&mut transaction, StateKey::Lost, lost).await?;
    transaction.commit().await
}

/// The nodes that were declared lost here and may not be out of the settings yet.
pub(crate) async fn lost_read(database: &Database) -> sqlx::Result<BTreeSet<NodeId>> {
    let mut connection = database.read().await?;
    let lost = raft_state::state_read(&mut connection, StateKey::Lost).await?;
    Ok(lost.unwrap_or_default())
}

/// Notes which nodes were declared lost here.
pub(crate) async fn lost_write(database: &Database, lost: &BTreeSet<NodeId>) -> sqlx::Result<()> {
    let mut transaction = database.write().await?;
    raft_state::state_write(&mut transaction, StateKey::Lost, lost).await?;
    transaction.commit().await
}
