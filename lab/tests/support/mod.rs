//! What the tests on real labs share.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "tests may panic; clippy's own exemption misses helpers outside #[test] functions"
)]

pub mod cluster;
pub mod site;
pub mod sql;
pub mod visits;

use std::path::{Path, PathBuf};

use hwc_lab::cgroup::Hierarchies;
use hwc_lab::{Lab, LabId, LabOptions, Progress, machine, mounts, state};

/// Set by our own test run: a machine that can't carry a lab fails the tests.
const REQUIRED: &str = "HWC_LAB_REQUIRED";

/// The id of a test's lab: no two test runs get into each other's way.
pub fn id(name: &str) -> LabId {
    format!("t{}-{name}", std::process::id()).parse().unwrap()
}

/// Whether labs can be made here; says why not.
pub fn is_possible() -> bool {
    let Err(error) = machine::require_lab() else {
        return true;
    };
    assert!(
        std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, but: {error}"
    );
    eprintln!("skipped: {error}");
    false
}

/// A lab with this many nodes, or `None` where labs are not possible.
pub fn lab(name: &str, nodes: usize) -> Option<Lab> {
    let options = LabOptions {
        progress: Progress::quiet(),
        ..LabOptions::new(id(name), nodes)
    };
    is_possible().then(|| Lab::up(options).unwrap_or_else(|error| panic!("{}", error.chain())))
}

/// What a command in a node says; it must succeed.
pub fn text(lab: &Lab, node: &str, args: &[&str]) -> String {
    let output = lab.exec(node, args).unwrap();
    assert!(
        output.is_success(),
        "{args:?} in {node}: {} {}",
        output.text(),
        output.error_text()
    );
    output.text()
}

/// Whether one of three pings from one node to another comes back.
pub fn ping(lab: &Lab, from: &str, to: &str) -> bool {
    lab.exec(from, &["ping", "-c3", "-i0.2", "-W1", "-q", to])
        .unwrap()
        .is_success()
}

/// Owned names.
pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Fails when anything on this machine still belongs to the lab.
pub fn assert_nothing_left(id: &LabId) {
    let directory = state::state_root().join(id.as_str());
    let mounts: Vec<_> = mounts::below(&directory)
        .unwrap()
        .into_iter()
        .map(|mount| mount.mount_point)
        .collect();
    assert!(mounts.is_empty(), "mounts: {mounts:?}");
    let loops: Vec<_> = mounts::loop_backing_files()
        .into_iter()
        .filter(|(_, file)| file.starts_with(&directory))
        .collect();
    assert!(loops.is_empty(), "loop devices: {loops:?}");
    let prefix = id.namespace("");
    let of_lab = |parent: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let is_ours = |path: &PathBuf| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(&prefix)
        };
        entries.filter(is_ours).collect()
    };
    assert_eq!(of_lab(Path::new("/run/netns")), Vec::<PathBuf>::new());
    for directory in std::fs::read_dir("/run/systemd/nspawn")
        .into_iter()
        .flatten()
        .flatten()
    {
        assert_eq!(of_lab(&directory.path()), Vec::<PathBuf>::new());
    }
    let hierarchies = Hierarchies::detect().unwrap();
    for root in std::iter::once(&hierarchies.unified).chain(&hierarchies.legacy) {
        let cgroup = root.join("hwclab").join(id.as_str());
        assert!(!cgroup.exists(), "{} exists", cgroup.display());
    }
    for path in [directory, Path::new("/run/hwc-lab").join(id.as_str())] {
        assert!(
            path.symlink_metadata().is_err(),
            "{} exists",
            path.display()
        );
    }
    assert_eq!(processes_naming(&prefix), Vec::<String>::new());
}

/// Command lines of living processes that contain a text, this test's own aside.
fn processes_naming(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| {
        let bytes = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
    });
    lines.filter(|line| line.contains(text)).collect()
}
