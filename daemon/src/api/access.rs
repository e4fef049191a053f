//! Who may do what: the one function that decides it, for every route and every object.

use crate::session::SessionFacts;
use hwc_api::desired::Role;
use hwc_api::ids::{AccountId, TokenId};
use hwc_api::problem::{Problem, ProblemCode};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Root on this node, through the control socket: an administrator without an account.
    LocalRoot,
    /// A signed-in account.
    Account {
        /// Which.
        account: AccountId,
        /// Its role.
        role: Role,
        /// What it signed in with.
        credential: Credential,
    },
}

/// What an account showed to be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A session.
    Session(SessionFacts),
    /// An API token.
    Token(TokenId),
}

impl Actor {
    /// Who asked, where that is kept: root is noted as [`AccountId::ROOT`].
    #[must_use]
    pub fn noted(&self) -> AccountId {
        self.account().unwrap_or(AccountId::ROOT)
    }

    /// The actor's account; root has none.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::LocalRoot => None,
            Self::Account { account, .. } => Some(*account),
        }
    }

    /// Whether the actor runs the cluster.
    #[must_use]
    pub const fn is_administrator(&self) -> bool {
        match self {
            Self::LocalRoot => true,
            Self::Account { role, .. } => matches!(role, Role::Administrator),
        }
    }
}

/// What can be done through the API. Each endpoint names exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See one's own account and session, and end the session.
    UseSession,
    /// List and read sites.
    ReadSites,
    /// Create a site.
    CreateSite,
    /// Delete a site.
    DeleteSite,
    /// Read the moves of a site.
    ReadSiteMoves,
    /// Read why a site is where it is.
    ExplainSite,
    /// Move sites, call moves off, pin sites and hold them.
    MoveSites,
    /// Read all moves.
    ReadMoves,
    /// Read how load is spread.
    ReadBalancing,
    /// Change how load is spread.
    ManageBalancing,
    /// Read the catalogue of applications.
    ReadApps,
    /// Install an application.
    InstallApp,
    /// Read a job.
    ReadJobs,
    /// List and read accounts.
    ReadAccounts,
    /// Create, change and delete accounts.
    ManageAccounts,
    /// List, create and delete one's own API tokens.
    ManageTokens,
    /// Read nodes and their health.
    ReadNodes,
    /// Add, drain, change and remove nodes.
    ManageNodes,
    /// Read what a node's brain saw and decided.
    ReadJournal,
    /// Read the settings of the cluster as a whole.
    ReadClusterSettings,
    /// Change the settings of the cluster as a whole.
    ManageCluster,
    /// Read which nodes have the newest key of sealed datagrams.
    ReadKeys,
    /// Replace the key of sealed datagrams.
    RotateKeys,
    /// Read who keeps the registry.
    ReadRegistry,
    /// Give up nodes that are gone for good.
    DeclareLost,
    /// Read the state of the cluster, as far as it concerns the actor.
    ReadStatus,
    /// Be told of changes, as far as they concern the actor.
    Subscribe,
}

/// On what it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// Not known yet: asks whether there is anything at all on which the actor may do it.
    Any,
    /// The cluster as a whole.
    Cluster,
    /// An account, or something that belongs to it.
    Of(AccountId),
}

/// Whether `actor` may do `action` on `object`.
///
/// # Errors
/// `forbidden` where the role never allows it; `not-found` where the object is another's, so that
/// nobody learns what exists beyond their own.
pub fn can(actor: &Actor, action: Action, object: Object) -> Result<(), Problem> {
    let Actor::Account {
        account,
        role: Role::Customer,
        ..
    } = actor
    else {
        return Ok(());
    };
    if !is_for_customers(action) {
        return Err(Problem::new(
            ProblemCode::Forbidden,
            "Only an administrator may do this.",
        ));
    }
    match object {
        Object::Any => Ok(()),
        Object::Of(owner) if owner == *account => Ok(()),
        Object::Cluster | Object::Of(_) => Err(super::not_found("object")),
    }
}

/// What customers may do at all, on what is theirs.
const fn is_for_customers(action: Action) -> bool {
    match action {
        Action::UseSession
        | Action::ReadSites
        | Action::CreateSite
        | Action::DeleteSite
        | Action::ReadSiteMoves
        | Action::ExplainSite
        | Action::ReadApps
        | Action::InstallApp
        | Action::ReadJobs
        | Action::ManageTokens
        | Action::ReadStatus
        | Action::Subscribe => true,
        Action::ReadAccounts
        | Action::ManageAccounts
        | Action::ReadNodes
        | Action::ManageNodes
        | Action::MoveSites
        | Action::ReadMoves
        | Action::ReadBalancing
        | Action::ManageBalancing
        | Action::ReadJournal
        | Action::ReadClusterSettings
        | Action::ManageCluster
        | Action::ReadKeys
        | Action::RotateKeys
        | Action::ReadRegistry
        | Action::DeclareLost => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(account: u32, role: Role) -> Actor {
        let credential = Credential::Token(TokenId(1));
        Actor::Account {
            account: AccountId(account),
            role,
            credential,
        }
    }

    fn check(actor: &Actor, action: Action, object: Object, expected: Option<ProblemCode>) {
        let code = can(actor, action, object).err().map(|problem| problem.code);
        assert_eq!(code, expected, "{actor:?} {action:?} {object:?}");
    }

    #[test]
    fn a_customer_acts_on_own_things_only() {
        let mara = actor(1, Role::Customer);
        check(&mara, Action::DeleteSite, Object::Of(AccountId(1)), None);
        check(
            &mara,
            Action::DeleteSite,
            Object::Of(AccountId(2)),
            Some(ProblemCode::NotFound),
        );
        check(
            &mara,
            Action::ReadStatus,
            Object::Cluster,
            Some(ProblemCode::NotFound),
        );
        check(
            &mara,
            Action::ManageNodes,
            Object::Any,
            Some(ProblemCode::Forbidden),
        );
        check(&mara, Action::ExplainSite, Object::Of(AccountId(1)), None);
        check(
            &mara,
            Action::MoveSites,
            Object::Of(AccountId(1)),
            Some(ProblemCode::Forbidden),
        );
        check(
            &mara,
            Action::ManageAccounts,
            Object::Of(AccountId(1)),
            Some(ProblemCode::Forbidden),
        );
    }

    #[test]
    fn administrators_and_root_act_on_everything() {
        for actor in [actor(9, Role::Administrator), Actor::LocalRoot] {
            check(&actor, Action::ManageNodes, Object::Cluster, None);
            check(&actor, Action::DeleteSite, Object::Of(AccountId(1)), None);
        }
    }
}
