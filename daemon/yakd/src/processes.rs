//! Processes of a user: find, kill, and wait until none is left.
//!
//! For the fence: a dataset is given up only when nothing runs any more that could write to it.

use crate::error::YakdError;
use hwc_runtime::clock::Clock;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How long processes may take to die after SIGKILL. One that waits for a dead disk takes longer:
/// then the fence has failed and the caller must be told.
const DEATH_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks: dying takes a few milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The processes that run under a user id.
pub(crate) fn of_user(uid: u32) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let is_theirs = |entry: &std::fs::DirEntry| entry.metadata().is_ok_and(|m| m.uid() == uid);
    entries
        .flatten()
        .filter(|entry| {
            let is_process = entry
                .file_name()
                .as_encoded_bytes()
                .iter()
                .all(u8::is_ascii_digit);
            is_process && (is_theirs(entry) || has_real_user(entry, uid))
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .collect()
}

/// A process that isn't dumpable has a folder that belongs to root; its status tells the truth.
/// One that is dead and only waits for its parent writes nothing any more.
fn has_real_user(entry: &std::fs::DirEntry, uid: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else {
        return false;
    };
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let users = field("Uid:").unwrap_or_default();
    let mut users = users
        .split_whitespace()
        .filter_map(|word| word.parse::<u32>().ok());
    users.any(|user| user == uid)
}

fn is_dead(pid: Pid) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    // The state follows the last parenthesis (proc_pid_stat(5)): Z is a zombie, X is dead.
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
}

/// Kills all processes of a user and waits until they are gone.
pub(crate) async fn kill_all(uid: u32, clock: &Clock) -> Result<(), YakdError> {
    let began = clock.now();
    loop {
        let left: Vec<_> = of_user(uid)
            .into_iter()
            .filter(|pid| !is_dead(*pid))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        for pid in &left {
            match kill(*pid, Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => tracing::warn!(%pid, %errno, "a process can't be killed"),
            }
        }
        let waited = clock.now().since(began);
        if waited > DEATH_LIMIT {
            return Err(YakdError::StillRunning {
                uid,
                pids: left.into_iter().map(Pid::as_raw).collect(),
                waited_ms: waited.as_millis(),
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_found() {
        let uid = nix::unistd::getuid().as_raw();
        assert!(of_user(uid).contains(&nix::unistd::getpid()));
        assert!(!of_user(4_000_000_000).contains(&nix::unistd::getpid()));
    }

    #[tokio::test]
    async fn processes_of_a_user_are_killed() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let uid = 2_000_000_000 + std::process::id();
        let user = uid.to_string();
        let words = ["--reuid", user.as_str(), "--clear-groups", "sleep", "600"];
        let mut child = hwc_runtime::command::run("setpriv", words)
            .into_command()
            .spawn()
            .expect("setpriv starts");
        let clock = Clock::system();
        let began = clock.now();
        while of_user(uid).is_empty() {
            assert!(
                clock.now().since(began) < Duration::from_secs(10),
                "sleep never ran"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        kill_all(uid, &clock).await.expect("they die");
        let status = child.wait().await.expect("waited for");
        assert!(!status.success(), "{status}");
    }
}
