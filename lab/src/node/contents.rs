//! What distinguishes a node from the image: its names, our units, our programs.
//!
//! Written again at every start, so that a rebuilt program or a changed unit is picked up.

use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{FileContext, Result};
use crate::names::CLIENT;
use crate::state::Record;

/// Where a node has its data pool.
pub const POOL: &str = "/srv/hwc";
/// Our programs, in every node under `/usr/bin`.
const PROGRAMS: [&str; 3] = ["hwcd", "hwc", "hwc-panel"];
/// Unit files are found by these endings.
const UNIT_KINDS: [&str; 6] = ["service", "socket", "target", "slice", "timer", "path"];

/// Something of ours that a node has to do without.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Notice(String);

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What is bound into a node read-only, and notices about what is missing.
pub(super) fn binds(record: &Record) -> (Vec<(PathBuf, String)>, Vec<Notice>) {
    let sources = &record.binds;
    let mut wanted: Vec<(Option<PathBuf>, String, &str)> = Vec::new();
    for program in PROGRAMS {
        let source = sources.bin.as_ref().map(|bin| bin.join(program));
        wanted.push((source, format!("/usr/bin/{program}"), program));
    }
    wanted.push((
        sources.site.clone(),
        "/usr/share/hwc/panel".into(),
        "the panel's site",
    ));
    let in_repository = |name: &str| {
        sources
            .repository
            .as_ref()
            .map(|repository| repository.join(name))
    };
    wanted.push((
        in_repository("apps"),
        "/usr/share/hwc/apps".into(),
        "the catalogue of applications",
    ));
    wanted.push((
        in_repository("locales"),
        "/usr/share/hwc/locales".into(),
        "the locales",
    ));
    wanted.push((
        Some(record.apps.clone()),
        "/usr/share/hwc/mirror".into(),
        "the mirror of application archives",
    ));
    let (mut binds, mut notices) = (Vec::new(), Vec::new());
    for (source, target, what) in wanted {
        match source {
            Some(source) if source.exists() => binds.push((source, target)),
            Some(source) => notices.push(Notice(format!(
                "nodes go without {what}: {} does not exist",
                source.display()
            ))),
            None => notices.push(Notice(format!(
                "nodes go without {what}: its directory is not known"
            ))),
        }
    }
    (binds, notices)
}

/// Writes names and units into the node's filesystem, which is mounted at `root` and not running.
pub(super) fn write(root: &Path, name: &str, record: &Record) -> Result<()> {
    let etc = root.join("etc");
    replace(&etc.join("hostname"), format!("{name}\n").as_bytes())?;
    replace(&etc.join("hosts"), render_hosts(record).as_bytes())?;
    write_units(&etc.join("systemd/system"), record)
}

/// Writes a file anew: a link that the node left there must not lead out of it.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).file("remove", path);
        }
        Ok(()) | Err(_) => {}
    }
    fs::write(path, content).file("write", path)
}

fn render_hosts(record: &Record) -> String {
    let mut text = "127.0.0.1 localhost\n".to_owned();
    text.push_str(&format!("{} {CLIENT}\n", record.subnet.client()));
    for node in &record.nodes {
        text.push_str(&format!("{} {}\n", node.address, node.name));
    }
    text
}

/// Copies our units; one whose program is there is started at boot.
fn write_units(target: &Path, record: &Record) -> Result<()> {
    let Some(source) = record
        .binds
        .repository
        .as_ref()
        .map(|repository| repository.join("daemon/systemd"))
    else {
        return Ok(());
    };
    let Ok(entries) = fs::read_dir(&source) else {
        return Ok(());
    };
    let wants = target.join("multi-user.target.wants");
    fs::create_dir_all(&wants).file("create", &wants)?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let (Some(name), Some(kind)) = (
            path.file_name(),
            path.extension().and_then(|kind| kind.to_str()),
        ) else {
            continue;
        };
        if !UNIT_KINDS.contains(&kind) {
            continue;
        }
        replace(&target.join(name), &fs::read(&path).file("read", &path)?)?;
        let program = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let is_startable = kind == "service"
            && PROGRAMS.contains(&program)
            && record
                .binds
                .bin
                .as_ref()
                .is_some_and(|bin| bin.join(program).exists());
        let link = wants.join(name);
        let is_enabled = link.symlink_metadata().is_ok();
        if is_startable && !is_enabled {
            symlink(Path::new("/etc/systemd/system").join(name), &link).file("enable", link)?;
        } else if is_enabled && !is_startable {
            fs::remove_file(&link).file("disable", link)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{BindSources, NodeRecord};
    use crate::subnet::Subnet;

    fn record(binds: BindSources) -> Record {
        let nodes = [1, 2].map(|number| NodeRecord {
            name: format!("n{number}"),
            address: Subnet(3).node(number),
        });
        Record {
            id: "demo".into(),
            subnet: Subnet(3),
            nodes: nodes.to_vec(),
            image: "/image".into(),
            apps: "/".into(),
            disk_bytes: 1,
            binds,
            owner: None,
            boot: String::new(),
            made_at: 0,
        }
    }

    #[test]
    fn every_member_is_known_by_name() {
        let hosts = render_hosts(&record(BindSources::default()));
        assert_eq!(
            hosts,
            "127.0.0.1 localhost\n10.77.3.1 client\n10.77.3.11 n1\n10.77.3.12 n2\n"
        );
    }

    #[test]
    fn what_is_missing_is_said_and_not_bound() {
        let sources = BindSources {
            bin: Some("/nonexistent".into()),
            site: None,
            repository: None,
        };
        let (binds, notices) = binds(&record(sources));
        assert_eq!(
            binds,
            [(PathBuf::from("/"), "/usr/share/hwc/mirror".to_owned())]
        );
        assert_eq!(notices.len(), 6);
        assert_eq!(
            notices[0].to_string(),
            "nodes go without hwcd: /nonexistent/hwcd does not exist"
        );
    }
}
