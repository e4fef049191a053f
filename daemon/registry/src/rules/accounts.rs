//! Accounts: who may own and sign in.
//!
//! Denials win: the moment from which sessions are valid never goes back, and the cluster always
//! keeps one administrator who can sign in.

use super::draft::Draft;
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::desired::{Account, Limits, Role};
use hwc_api::ids::AccountId;
use hwc_api::names::{EmailAddress, LoginName};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;

/// What `Change::CreateAccount` asks for.
pub(super) struct NewAccount<'a> {
    pub login: &'a LoginName,
    pub name: &'a str,
    pub email: &'a EmailAddress,
    pub role: Role,
    pub limits: Limits,
    pub password_hash: &'a str,
    pub now: WallTime,
}

pub(super) fn create(draft: &mut Draft<'_>, new: NewAccount<'_>) -> Result<Applied, Problem> {
    if draft.desired().account_of_login(new.login).is_some() {
        return Err(Problem::new(
            ProblemCode::LoginTaken,
            format!("The login name {} is taken. Choose another.", new.login),
        )
        .field("login")
        .detail(new.login.to_string()));
    }
    let id = AccountId(draft.take(|counters| &mut counters.account)?);
    draft.edit(Edit::PutAccount(Account {
        id,
        login: new.login.clone(),
        name: new.name.to_owned(),
        email: new.email.clone(),
        role: new.role,
        limits: new.limits,
        password_hash: new.password_hash.to_owned(),
        sessions_valid_from: new.now,
        is_suspended: false,
        created_at: new.now,
    }));
    Ok(Applied::Account(id))
}

pub(super) fn set_password(
    draft: &mut Draft<'_>,
    account: AccountId,
    password_hash: &str,
    now: WallTime,
) -> Result<Applied, Problem> {
    let account = draft.account(account)?;
    draft.edit(Edit::PutAccount(Account {
        password_hash: password_hash.to_owned(),
        sessions_valid_from: account.sessions_valid_from.max(now),
        ..account.clone()
    }));
    Ok(Applied::Done)
}

/// Lifting a suspension voids sessions too: a node that had not heard of it may have issued some.
pub(super) fn set_suspended(
    draft: &mut Draft<'_>,
    account: AccountId,
    is_suspended: bool,
    now: WallTime,
) -> Result<Applied, Problem> {
    let account = draft.account(account)?;
    if is_suspended {
        keep_an_administrator(draft, account, "suspended")?;
    }
    draft.edit(Edit::PutAccount(Account {
        is_suspended,
        sessions_valid_from: account.sessions_valid_from.max(now),
        ..account.clone()
    }));
    Ok(Applied::Done)
}

pub(super) fn delete(draft: &mut Draft<'_>, account: AccountId) -> Result<Applied, Problem> {
    let account = draft.account(account)?;
    let desired = draft.desired();
    let sites = owned(desired.sites.values().map(|site| site.account), account.id);
    let databases = owned(
        desired.databases.values().map(|database| database.account),
        account.id,
    );
    let jobs = desired.jobs.values().filter(|job| job.outcome.is_none());
    let jobs = owned(jobs.map(|job| job.account), account.id);
    if sites + databases + jobs > 0 {
        return Err(Problem::new(
            ProblemCode::Conflict,
            format!(
                "The account still has {sites} sites, {databases} databases and {jobs} running \
                 jobs. Delete them first."
            ),
        )
        .field("account")
        .detail((sites + databases + jobs).to_string()));
    }
    keep_an_administrator(draft, account, "deleted")?;
    for token in desired.tokens.values() {
        if token.account == account.id {
            draft.edit(Edit::DeleteToken(token.id));
        }
    }
    draft.edit(Edit::DeleteAccount(account.id));
    Ok(Applied::Done)
}

fn owned(owners: impl Iterator<Item = AccountId>, account: AccountId) -> usize {
    owners.filter(|owner| *owner == account).count()
}

fn keep_an_administrator(
    draft: &Draft<'_>,
    account: &Account,
    what: &'static str,
) -> Result<(), Problem> {
    let can_administer =
        |account: &Account| account.role == Role::Administrator && !account.is_suspended;
    let others = draft
        .desired()
        .accounts
        .values()
        .filter(|other| other.id != account.id && can_administer(other))
        .count();
    if can_administer(account) && others == 0 {
        return Err(Problem::new(
            ProblemCode::Conflict,
            format!("The last administrator can't be {what}. Create another administrator first."),
        )
        .field("account"));
    }
    Ok(())
}
