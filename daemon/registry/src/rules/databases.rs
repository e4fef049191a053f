//! Databases and their users.

use super::draft::{Copies, Draft, not_found};
use super::sites;
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::desired::{Account, Database, DatasetContent, NativePasswordHash, Role};
use hwc_api::ids::{AccountId, DatabaseId, NodeId, SiteId};
use hwc_api::names::{DatabaseName, DatabaseUser};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;

/// What `Change::CreateDatabase` asks for.
pub(super) struct NewDatabase<'a> {
    pub account: AccountId,
    pub site: Option<SiteId>,
    pub name: &'a DatabaseName,
    pub user: &'a DatabaseUser,
    pub password_hash: &'a NativePasswordHash,
    pub replicas: &'a [NodeId],
    pub copies: u8,
    pub now: WallTime,
}

pub(super) fn create(draft: &mut Draft<'_>, new: NewDatabase<'_>) -> Result<Applied, Problem> {
    let account = draft.account_in_good_standing(new.account)?;
    let beside = match new.site {
        Some(site) => holders_of_site(draft, account, site)?,
        None => &[],
    };
    check_limit(draft, account)?;
    check_names(draft, new.name, new.user)?;
    let id = DatabaseId(draft.take(|counters| &mut counters.database)?);
    let copies = Copies {
        replicas: new.replicas,
        number: new.copies,
        beside,
    };
    let dataset = draft.create_dataset(DatasetContent::Database(id), copies)?;
    let uid = draft.take(|counters| &mut counters.uid)?;
    draft.edit(Edit::PutDatabase(Database {
        id,
        account: account.id,
        site: new.site,
        dataset,
        uid,
        name: new.name.clone(),
        user: new.user.clone(),
        password_hash: new.password_hash.clone(),
        created_at: new.now,
    }));
    Ok(Applied::Database(id))
}

/// The nodes that hold a site. It must be the account's own; another's is told apart from a
/// missing one by nobody.
fn holders_of_site<'a>(
    draft: &Draft<'a>,
    account: &Account,
    site: SiteId,
) -> Result<&'a [NodeId], Problem> {
    let found = sites::existing(draft, site)?;
    if found.account != account.id {
        return Err(not_found("site", site).field("site"));
    }
    let dataset = draft.desired().datasets.get(&found.dataset);
    Ok(dataset.map_or(&[], |dataset| &dataset.replicas))
}

fn check_limit(draft: &Draft<'_>, account: &Account) -> Result<(), Problem> {
    let limit = match account.role {
        Role::Administrator => return Ok(()),
        Role::Customer => account.limits.databases,
    };
    let databases = draft.desired().databases.values();
    let owned = databases
        .filter(|database| database.account == account.id)
        .count();
    if owned < limit as usize {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::DatabaseLimit,
        format!(
            "The account has as many databases as it may ({limit}). Delete one or ask for a \
             higher limit."
        ),
    )
    .detail(limit.to_string()))
}

fn check_names(draft: &Draft<'_>, name: &DatabaseName, user: &DatabaseUser) -> Result<(), Problem> {
    for database in draft.desired().databases.values() {
        let (field, value) = if database.name == *name {
            ("name", name.as_str())
        } else if database.user == *user {
            ("user", user.as_str())
        } else {
            continue;
        };
        return Err(Problem::new(
            ProblemCode::DatabaseTaken,
            format!("The {field} {value} belongs to a database already. Choose another."),
        )
        .field(field)
        .detail(value));
    }
    Ok(())
}

pub(super) fn delete(draft: &mut Draft<'_>, database: DatabaseId) -> Result<Applied, Problem> {
    let database = draft
        .desired()
        .databases
        .get(&database)
        .ok_or_else(|| not_found("database", database).field("database"))?;
    remove(draft, database);
    Ok(Applied::Done)
}

/// Deletes a database that exists; its dataset becomes trash.
pub(super) fn remove(draft: &mut Draft<'_>, database: &Database) {
    draft.edit(Edit::DeleteDatabase(database.id));
    draft.delete_dataset(database.dataset);
}
