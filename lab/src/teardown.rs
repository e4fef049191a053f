//! Taking a lab away, whatever is left of it: processes, mounts, cgroups, namespaces, files.
//!
//! Works from what the kernel shows and not from our records, so that it serves `down`, a failed
//! `up` and `gc` alike, and can be repeated until everything is gone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::Hierarchies;
use crate::deadline::{Deadline, wait_until};
use crate::error::{Error, FileContext, Result};
use crate::interrupt::Uninterrupted;
use crate::mounts;
use crate::names::LabId;
use crate::network;
use crate::state::StateDirectory;

/// How long loop devices may outlive their mounts.
const LOOP_LIMIT: Duration = Duration::from_secs(15);
/// Where systemd-nspawn keeps directories per container.
const NSPAWN_RUNTIME: &str = "/run/systemd/nspawn";

/// Removes everything of a lab. A second Ctrl-C does not stop it.
pub(crate) fn remove(id: &LabId, hierarchies: &Hierarchies) -> Result<()> {
    let _uninterrupted = Uninterrupted::begin();
    let state = StateDirectory::of(id);
    let mut problems = Vec::new();
    let mut note = |result: Result<()>| problems.extend(result.err().map(|error| error.chain()));
    note(hierarchies.kill(id.as_str()));
    note(unmount_below(state.path()));
    note(remove_nspawn_leftovers(id));
    note(hierarchies.remove(id.as_str()));
    hierarchies.remove_top_if_empty();
    note(network::remove(id));
    note(wait_for_loops(state.path()));
    // Never delete through a mount that would not go.
    match mounts::below(state.path()) {
        Ok(left) if left.is_empty() => note(state.remove()),
        Ok(_) => {}
        Err(error) => note(Err(error)),
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::CleanUp {
        id: id.to_string(),
        problems: problems.join("; "),
    })
}

fn unmount_below(directory: &Path) -> Result<()> {
    for mount in mounts::below(directory)? {
        mounts::unmount(&mount.mount_point)?;
    }
    Ok(())
}

/// Directories and mounts that systemd-nspawn keeps for a container in `/run`.
fn remove_nspawn_leftovers(id: &LabId) -> Result<()> {
    let entries = |directory: &Path| std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_ours = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(&id.prefix()))
    };
    for kind in entries(Path::new(NSPAWN_RUNTIME)).filter(|kind| kind.path().is_dir()) {
        for path in entries(&kind.path())
            .map(|entry| entry.path())
            .filter(|path| is_ours(path) && path.is_dir())
        {
            unmount_below(&path)?;
            std::fs::remove_dir_all(&path).file("remove", path)?;
        }
    }
    Ok(())
}

fn wait_for_loops(directory: &Path) -> Result<()> {
    wait_until(
        "releasing loop devices",
        Deadline::after(LOOP_LIMIT),
        || {
            Ok((!mounts::loop_backing_files()
                .iter()
                .any(|(_, file)| file.starts_with(directory)))
            .then_some(()))
        },
    )
}
