//! What a daemon left running: programs that it had started go with it; processes that only serve
//! visitors' connections to their end stay, a few of them.
//!
//! systemd leaves all processes but the main one alone (`KillMode=process`), because it can't tell
//! them apart; so this is done here.

use super::complain;
use rustix::process::{Pid, Signal, getpid, kill_process};
use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a process calls itself that only serves visitors' connections to their end.
pub const LINGERER: &CStr = c"hwcd-lingers";
/// So many of them may be at one time: each lasts a minute at most, so more means that the daemon is
/// restarted again and again.
const LINGERERS_MAX: usize = 2;

/// A process of the daemon's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: Pid,
    is_lingerer: bool,
    /// When it began, in the kernel's ticks.
    began: u64,
}

/// What becomes of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// It ends by itself when asked.
    Asked,
    Killed,
}

/// Ends what must not be left of earlier daemons. Does nothing where systemd did not start this
/// process: there the control group is not ours alone.
pub fn clear() {
    let Some(group) = own_group() else { return };
    let Ok(list) = fs::read_to_string(group.join("cgroup.procs")) else {
        return complain("the list of this service's processes can't be read");
    };
    let processes: Vec<_> = list.lines().filter_map(look_at).collect();
    for (process, fate) in judge(getpid(), processes) {
        // It may have ended by itself.
        let _ended = match fate {
            Fate::Stays => Ok(()),
            Fate::Asked => kill_process(process.pid, Signal::TERM),
            Fate::Killed => kill_process(process.pid, Signal::KILL),
        };
    }
}

/// The control group of the service, if systemd started this very process as one.
fn own_group() -> Option<PathBuf> {
    let started = std::env::var("SYSTEMD_EXEC_PID").ok()?;
    let is_own = started.parse() == Ok(getpid().as_raw_nonzero().get());
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    // The unified hierarchy, which systemd mounts here, or beside the legacy ones.
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let folder = roots
        .iter()
        .map(|root| Path::new(root).join(path))
        .find(|folder| folder.join("cgroup.procs").exists())?;
    (is_own && path.ends_with(".service")).then_some(folder)
}

fn look_at(line: &str) -> Option<Process> {
    let pid = Pid::from_raw(line.trim().parse().ok()?)?;
    let folder = PathBuf::from(format!("/proc/{line}"));
    let is_roots = fs::metadata(&folder).ok()?.uid() == 0;
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // The name is in brackets and may be anything; what follows it are numbers.
    let (name, numbers) = stat.split_once('(')?.1.rsplit_once(')')?;
    let began = numbers.split_ascii_whitespace().nth(19)?.parse().ok()?;
    Some(Process {
        pid,
        is_lingerer: is_roots && name.as_bytes() == LINGERER.to_bytes(),
        began,
    })
}

/// What becomes of whom; pure.
fn judge(own: Pid, mut processes: Vec<Process>) -> Vec<(Process, Fate)> {
    // The youngest first: they have most visitors.
    processes.sort_by_key(|process| std::cmp::Reverse(process.began));
    let mut lingerers = 0;
    processes
        .into_iter()
        .map(|process| {
            if process.pid == own {
                return (process, Fate::Stays);
            }
            if !process.is_lingerer {
                return (process, Fate::Killed);
            }
            lingerers += 1;
            let is_one_too_many = lingerers > LINGERERS_MAX;
            let fate = if is_one_too_many {
                Fate::Asked
            } else {
                Fate::Stays
            };
            (process, fate)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, is_lingerer: bool, began: u64) -> Process {
        Process {
            pid: Pid::from_raw(pid).expect("a pid"),
            is_lingerer,
            began,
        }
    }

    #[test]
    fn programs_go_and_the_youngest_lingerers_stay() {
        let own = process(50, false, 900);
        let all = vec![
            process(10, true, 100),
            process(30, true, 300),
            own,
            process(40, false, 310),
            process(20, true, 200),
        ];
        let fates: Vec<_> = judge(own.pid, all)
            .into_iter()
            .map(|(process, fate)| (process.pid.as_raw_nonzero().get(), fate))
            .collect();
        assert_eq!(
            fates,
            [
                (50, Fate::Stays),
                (40, Fate::Killed),
                (30, Fate::Stays),
                (20, Fate::Stays),
                (10, Fate::Asked),
            ]
        );
    }

    #[test]
    fn a_process_is_read_as_the_kernel_shows_it() {
        let own = look_at(&getpid().as_raw_nonzero().to_string()).expect("this process");
        assert_eq!(own.pid, getpid());
        assert!(!own.is_lingerer && own.began > 0);
        assert_eq!(look_at("0"), None);
        assert_eq!(look_at("nobody"), None);
    }

    #[test]
    fn outside_a_service_nothing_is_touched() {
        // Tests are not started by systemd.
        assert_eq!(own_group(), None);
    }
}
