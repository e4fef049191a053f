//! The image that all nodes share: Debian 13 with the services of a web host, built once and cached.
//!
//! `CACHE/image-KEY/` is the root filesystem, used read-only below every node's overlay; KEY
//! is a hash of everything that shapes it, so that a changed table makes a new image.
//! `CACHE/apps/` holds application archives (see `wordpress.rs`). Everything is built under a
//! temporary name and renamed when complete.

pub mod packages;
mod tuning;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::Flock;
use sha2::{Digest, Sha256};

use crate::apt::Mirror;
use crate::command::Command;
use crate::deadline::{self, Deadline};
use crate::error::{FileContext, Result};
use crate::mounts::BindGuard;
use crate::progress::Progress;
use crate::{machine, state, wordpress};

/// The Debian release of the nodes.
pub const SUITE: &str = "trixie";
/// Where the image is kept unless `HWC_LAB_CACHE` says otherwise.
const DEFAULT_CACHE: &str = "/var/cache/hwc-lab";
/// A slow mirror on a busy machine: usually it takes one or two minutes.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Other images may belong to another branch of the source: they stay for a week after their last use.
const UNUSED_LIMIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Length of the key in the image's name: enough to tell tables apart, short enough to read.
const KEY_LENGTH: usize = 16;

/// The cache directory and what is in it.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

/// A complete image.
#[derive(Debug, Clone)]
pub struct Image {
    /// The root filesystem.
    pub root: PathBuf,
    /// Application archives.
    pub apps: PathBuf,
    /// Whether it was there already.
    pub was_cached: bool,
}

impl Cache {
    /// `HWC_LAB_CACHE`, or the default place.
    pub fn from_environment() -> Self {
        Self::at(
            std::env::var_os("HWC_LAB_CACHE").map_or_else(|| DEFAULT_CACHE.into(), PathBuf::from),
        )
    }

    /// A cache in this directory.
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Gives the image, after building what is missing; `fresh` builds it again in any case.
    ///
    /// # Errors
    /// When the mirror can't be reached, a package is missing, or a program fails.
    pub fn ensure(&self, fresh: bool, progress: Progress) -> Result<Image> {
        fs::create_dir_all(&self.directory).file("create", &self.directory)?;
        let _lock = self.lock(progress)?;
        let (root, apps) = (self.root(), self.apps());
        let has_image = root.is_dir() && !fresh;
        let has_apps = wordpress::is_packed(&apps) && !fresh;
        if !has_image || !has_apps {
            let mirror = Mirror::of_this_machine()?;
            let building = Building::new(&self.directory)?;
            if has_image {
                // Only the archives are missing: a system of its own is not worth keeping for them.
                progress
                    .say("application archives are missing: building a system to fetch them with");
            }
            building.install(&mirror, progress)?;
            progress.say("packing the application archives");
            wordpress::pack(&building.root, &building.directory, &apps, progress)?;
            if !has_image {
                building.finish(&root, progress)?;
            }
        }
        let now = deadline::wall_clock();
        fs::File::open(&root)
            .and_then(|directory| directory.set_modified(now))
            .file("mark as used", &root)?;
        self.prune(&root, progress)?;
        Ok(Image {
            root,
            apps,
            was_cached: has_image && has_apps,
        })
    }

    /// [`Cache::ensure`] for a lab: the tools for building are only asked for when there is something to build.
    pub(crate) fn ensure_with_tools(&self, progress: Progress) -> Result<Image> {
        if !self.root().is_dir() || !wordpress::is_packed(&self.apps()) {
            machine::require_image_tools()?;
        }
        self.ensure(false, progress)
    }

    fn root(&self) -> PathBuf {
        self.directory.join(format!("image-{}", key()))
    }

    fn apps(&self) -> PathBuf {
        self.directory.join("apps")
    }

    fn lock(&self, progress: Progress) -> Result<Flock<fs::File>> {
        let path = self.directory.join(".lock");
        state::lock_file(
            &path,
            state::Sharing::Exclusive,
            "image cache",
            Deadline::after(BUILD_LIMIT),
            || {
                progress.say("waiting for another hwc-lab that builds the image");
            },
        )
    }

    /// Removes images that no lab stands on and nobody asked for in a while, and leftovers of builds that died.
    fn prune(&self, keep: &Path, progress: Progress) -> Result<()> {
        let used = state::images_in_use();
        let entries = fs::read_dir(&self.directory).file("read", &self.directory)?;
        for entry in entries.flatten() {
            let (path, name) = (
                entry.path(),
                entry.file_name().to_string_lossy().into_owned(),
            );
            let age = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .map(deadline::age)
                .unwrap_or_default();
            let is_old = name.starts_with("image-")
                && path != keep
                && !used.contains(&path)
                && age > UNUSED_LIMIT;
            if is_old || name.starts_with("building-") {
                progress.say(format_args!("removing {}", path.display()));
                fs::remove_dir_all(&path).file("remove", &path)?;
            }
        }
        Ok(())
    }
}

/// Hash of everything that shapes the image.
fn key() -> String {
    let shape = format!(
        "{SUITE} {} {:?} {:?} {:?}",
        std::env::consts::ARCH,
        packages::NODE,
        mmdebstrap_options(),
        tuning::STEPS,
    );
    let mut key = hex::encode(Sha256::digest(shape));
    key.truncate(KEY_LENGTH);
    key
}

fn mmdebstrap_options() -> Vec<String> {
    let apt = [
        "APT::Install-Recommends \"false\"",
        "Acquire::Languages \"none\"",
    ];
    let dpkg = [
        "path-exclude=/usr/share/man/*",
        "path-exclude=/usr/share/doc/*",
        "path-include=/usr/share/doc/*/copyright",
        "path-exclude=/usr/share/locale/*",
        "force-unsafe-io",
    ];
    // The package lists stay until the application packages are downloaded.
    let mut options: Vec<String> = [
        "--variant=minbase",
        "--mode=root",
        "--skip=cleanup/apt/lists",
    ]
    .map(str::to_owned)
    .to_vec();
    options.extend(apt.map(|option| format!("--aptopt={option}")));
    options.extend(dpkg.map(|option| format!("--dpkgopt={option}")));
    options.push(format!("--include={}", packages::NODE.join(",")));
    options
}

/// An image under construction; removed unless finished.
struct Building {
    directory: PathBuf,
    root: PathBuf,
}

impl Building {
    fn new(cache: &Path) -> Result<Self> {
        let directory = cache.join(format!("building-{}", std::process::id()));
        let root = directory.join("root");
        fs::create_dir_all(&directory).file("create", &directory)?;
        Ok(Self { directory, root })
    }

    fn install(&self, mirror: &Mirror, progress: Progress) -> Result<()> {
        progress.say(format_args!(
            "installing Debian {SUITE} with {} packages and what they need (a minute or two)",
            packages::NODE.len()
        ));
        Command::new("mmdebstrap")
            .args(mmdebstrap_options())
            .args(proxy_options()?)
            .arg(SUITE)
            .arg(&self.root)
            .args(mirror.lines(SUITE))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .limit(BUILD_LIMIT)
            .check()?;
        progress.say("installed");
        Ok(())
    }

    fn finish(&self, target: &Path, progress: Progress) -> Result<()> {
        progress.say(format_args!(
            "tuning the image in {} steps",
            tuning::STEPS.len()
        ));
        tuning::apply(&self.root)?;
        if target.exists() {
            fs::rename(target, self.directory.join("old")).file("move away", target)?;
        }
        fs::rename(&self.root, target).file("rename", target)?;
        progress.say(format_args!("the image is {}", target.display()));
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next build (Cache::prune).
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Proxies that this machine's apt is set up with; mmdebstrap does not look at them itself.
fn proxy_options() -> Result<Vec<String>> {
    let output = Command::new("apt-config")
        .args(["dump", "--no-empty"])
        .check()?
        .text();
    let wanted = ["Acquire::http::Proxy ", "Acquire::https::Proxy "];
    let lines = output
        .lines()
        .filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    Ok(lines
        .map(|line| format!("--aptopt={}", line.trim_end_matches(';')))
        .collect())
}

/// Runs a program inside a root filesystem, with the machine's devices.
pub(crate) fn run_inside(root: &Path, program: &str, args: &[&str]) -> Result<()> {
    let _devices = BindGuard::new("/dev", root.join("dev"))?;
    Command::new("chroot")
        .arg(root)
        .arg(program)
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .limit(BUILD_LIMIT)
        .check()
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_stable_and_short() {
        assert_eq!(key(), key());
        assert_eq!(key().len(), KEY_LENGTH);
    }

    #[test]
    fn all_packages_are_asked_for_in_one_go() {
        let include = mmdebstrap_options().pop().unwrap();
        assert!(
            include.starts_with("--include=systemd,") && include.contains(",mariadb-server,"),
            "{include}"
        );
    }
}
