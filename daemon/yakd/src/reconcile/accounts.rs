//! Unix users and groups: made by systemd-sysusers from our file, removed when the registry has
//! no use for them any more, their processes first.

use crate::dataset::Datasets;
use crate::error::YakdError;
use crate::files::FileSet;
use crate::gather::{TenantId, Wanted};
use crate::processes;
use crate::render::accounts;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_runtime::clock::Clock;
use hwc_runtime::command::run_command;
use std::collections::BTreeMap;
use std::path::Path;

const PASSWD: &str = "/etc/passwd";

/// Our users that the system knows: name and user id.
pub(crate) fn present() -> Result<BTreeMap<String, u32>, YakdError> {
    let text = std::fs::read_to_string(PASSWD).map_err(YakdError::file("read", PASSWD))?;
    Ok(parse(&text))
}

/// Lines of passwd(5) whose name and number are in our scheme.
fn parse(text: &str) -> BTreeMap<String, u32> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| is_ours(name))?;
        let number = fields.nth(1)?.parse().ok()?;
        TenantId::parse(number).map(|id| (name.to_owned(), id.number()))
    };
    text.lines().filter_map(user).collect()
}

fn is_ours(name: &str) -> bool {
    let number = name
        .strip_prefix("site-")
        .or_else(|| name.strip_prefix("db-"));
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Writes the list of accounts and creates those that are missing.
pub(crate) async fn create(wanted: &Wanted) -> Result<(), YakdError> {
    let files = accounts::render(wanted)?;
    FileSet::into_checked(files).apply(Path::new("/"), &[])?;
    run_command("systemd-sysusers", [accounts::PATH]).await?;
    Ok(())
}

/// Makes the system's users those that are wanted; gives what could not be done.
pub(crate) async fn reconcile(
    datasets: &Datasets,
    wanted: &Wanted,
) -> Result<Vec<Problem>, YakdError> {
    let target: BTreeMap<_, _> = accounts::users(wanted)
        .map(|(name, id)| (name, id.number()))
        .collect();
    let before = present()?;
    for (name, uid) in &before {
        // One with another number belongs to another cluster's registry, or a restored system's.
        if target.get(name) == Some(uid) {
            continue;
        }
        // A start with newer settings may have made it a moment ago.
        let newest = datasets.newest.get();
        let is_new = accounts::users(&newest).any(|(n, id)| n == *name && id.number() == *uid);
        if !is_new {
            remove(name, *uid, &datasets.clock).await?;
        }
    }
    create(wanted).await?;
    let after = present()?;
    let missing = target
        .iter()
        .filter(|(name, uid)| after.get(*name) != Some(*uid));
    Ok(missing.map(|(name, uid)| not_created(name, *uid)).collect())
}

async fn remove(name: &str, uid: u32, clock: &Clock) -> Result<(), YakdError> {
    processes::kill_all(uid, clock).await?;
    // Its home is /nonexistent: no files are touched. Its group of the same name goes with it.
    run_command("userdel", ["--", name]).await?;
    tracing::info!(
        user = name,
        "removed a Unix user that the registry does not know"
    );
    Ok(())
}

fn not_created(name: &str, uid: u32) -> Problem {
    let message = format!(
        "the Unix user {name} with number {uid} could not be created: another user has the name or number"
    );
    Problem::new(ProblemCode::ConfigurationRefused, message).detail(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_users_are_seen() {
        let text = "root:x:0:0:root:/root:/bin/bash\n\
                    site-7:x:200000:200000::/nonexistent:/usr/sbin/nologin\n\
                    db-7:x:200001:200001::/nonexistent:/usr/sbin/nologin\n\
                    site-8:x:1000:1000:a person:/home/x:/bin/bash\n\
                    site-:x:200002:200002::/:/bin/sh\n\
                    site-x:x:200003:200003::/:/bin/sh\n\
                    broken\n";
        let users = parse(text);
        assert_eq!(users.len(), 2);
        assert_eq!(users.get("site-7"), Some(&200_000));
        assert_eq!(users.get("db-7"), Some(&200_001));
    }
}
