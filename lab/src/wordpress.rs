//! A WordPress archive in the shape that wordpress.org ships, made from Debian's packages.
//!
//! Debian's `wordpress` is the upstream program with some libraries replaced by links to other
//! packages and a configuration file of its own. We follow the links, leave out what is Debian's,
//! and pack the rest reproducibly: `CACHE/apps/wordpress-VERSION.tar.gz` (top folder
//! `wordpress/`) beside `wordpress-VERSION.tar.gz.sha256`. Nothing but the machine's own mirror is asked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::command::Command;
use crate::error::{Error, FileContext, Result};
use crate::image::{self, packages};
use crate::progress::Progress;

/// Where Debian installs the program.
const INSTALLED_AT: &str = "usr/share/wordpress";
/// Files of the program that are Debian's own and not WordPress's.
const NOT_UPSTREAM: &[&str] = &["wp-config.php", ".htaccess"];
/// More links than this in one path is a loop.
const LINKS_MAX: usize = 32;

/// Whether an archive and its checksum are there.
pub(crate) fn is_packed(apps: &Path) -> bool {
    let Ok(entries) = fs::read_dir(apps) else {
        return false;
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    names
        .into_iter()
        .any(|name| name.starts_with("wordpress-") && name.ends_with(".tar.gz.sha256"))
}

/// Downloads the packages with the apt of the system in `root`, unpacks them below `work`, and packs
/// the archive into `apps`, in the place of older ones.
pub(crate) fn pack(root: &Path, work: &Path, apps: &Path, progress: Progress) -> Result<()> {
    let unpacked = work.join("unpacked");
    download_and_unpack(root, &unpacked)?;
    let program = unpacked.join(INSTALLED_AT);
    let version = version(&program)?;
    // Links may lead into a package that is part of every node, such as ca-certificates.
    let files = collect(&program, &[&unpacked, root])?;
    let archive = archive(&files)?;
    fs::create_dir_all(apps).file("create", apps)?;
    for entry in fs::read_dir(apps).file("read", apps)?.flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("wordpress-")
        {
            fs::remove_file(entry.path()).file("remove", entry.path())?;
        }
    }
    let name = format!("wordpress-{version}.tar.gz");
    let checksum = format!("{}  {name}\n", hex::encode(Sha256::digest(&archive)));
    write_atomically(&apps.join(&name), &archive)?;
    write_atomically(&apps.join(format!("{name}.sha256")), checksum.as_bytes())?;
    progress.say(format_args!(
        "packed {name}: {} files, {} MB",
        files.len(),
        archive.len() / 1_000_000
    ));
    Ok(())
}

fn download_and_unpack(root: &Path, unpacked: &Path) -> Result<()> {
    let downloads = root.join("tmp/hwc-lab-downloads");
    fs::create_dir_all(&downloads).file("create", &downloads)?;
    // Readable and writable for apt's own unprivileged user.
    fs::set_permissions(&downloads, fs::Permissions::from_mode(0o777))
        .file("open up", &downloads)?;
    // With the host's resolver, as mmdebstrap did it.
    let resolver = root.join("etc/resolv.conf");
    fs::copy("/etc/resolv.conf", &resolver).file("copy", &resolver)?;
    let mut args = vec![
        "--chdir=/tmp/hwc-lab-downloads",
        "apt-get",
        "--quiet=2",
        "download",
    ];
    args.extend(packages::WORDPRESS);
    image::run_inside(root, "env", &args)?;
    fs::create_dir_all(unpacked).file("create", unpacked)?;
    for entry in fs::read_dir(&downloads).file("read", &downloads)?.flatten() {
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(entry.path())
            .arg(unpacked)
            .check()?;
    }
    fs::remove_dir_all(&downloads).file("remove", &downloads)
}

/// `$wp_version` of wp-includes/version.php.
fn version(program: &Path) -> Result<String> {
    let path = program.join("wp-includes/version.php");
    let text = fs::read_to_string(&path).file("read", &path)?;
    let assignment = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("$wp_version = '"));
    let version = assignment
        .and_then(|rest| rest.split('\'').next())
        .map(str::to_owned);
    version
        .filter(|version| {
            version
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        })
        .ok_or_else(|| Error::Machine {
            what: format!("{} names no version", path.display()),
            advice: "Debian's wordpress package has changed its shape; adapt lab/src/wordpress.rs"
                .into(),
        })
}

/// What the archive holds: names below the top folder, and where their content is. `None` is a directory.
type Files = BTreeMap<PathBuf, Option<PathBuf>>;

/// All files of the program with links followed; absolute links mean the first of `roots` that has them.
fn collect(program: &Path, roots: &[&Path]) -> Result<Files> {
    let mut files = Files::new();
    let mut waiting = vec![(PathBuf::new(), program.to_owned())];
    while let Some((name, place)) = waiting.pop() {
        for entry in fs::read_dir(&place).file("read", &place)?.flatten() {
            let name = name.join(entry.file_name());
            if NOT_UPSTREAM
                .iter()
                .any(|skipped| name == Path::new(skipped))
            {
                continue;
            }
            let target = follow(&entry.path(), roots)?;
            if target.is_dir() {
                files.insert(name.clone(), None);
                waiting.push((name, target));
            } else {
                files.insert(name, Some(target));
            }
        }
    }
    Ok(files)
}

/// The file that a path means when all links are followed inside the roots.
fn follow(path: &Path, roots: &[&Path]) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(link) = fs::read_link(&path) else {
            return if path.exists() {
                Ok(path)
            } else {
                Err(dangling(&path))
            };
        };
        path = if link.is_absolute() {
            let inside = link.strip_prefix("/").unwrap_or(&link);
            let candidates = roots.iter().map(|root| root.join(inside));
            candidates
                .into_iter()
                .find(|candidate| candidate.symlink_metadata().is_ok())
                .ok_or_else(|| dangling(&link))?
        } else {
            normalise(&path.parent().unwrap_or(&path).join(link))
        };
    }
    Err(dangling(&path))
}

fn dangling(path: &Path) -> Error {
    Error::Machine {
        what: format!(
            "Debian's wordpress links to {}, which is in none of the downloaded packages",
            path.display()
        ),
        advice: "add the package that has it to WORDPRESS in lab/src/image/packages.rs".into(),
    }
}

/// Takes `..` out of a path by its words.
fn normalise(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => {
                plain.push(component)
            }
        }
    }
    plain
}

/// The same bytes for the same files: sorted names, no times, no owners, two modes.
fn archive(files: &Files) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let top = Path::new("wordpress");
    add(&mut builder, top, None)?;
    for (name, place) in files {
        add(&mut builder, &top.join(name), place.as_deref())?;
    }
    let plain = builder.into_inner().file("pack", top)?;
    Ok(Command::new("gzip")
        .args(["--no-name", "--best"])
        .stdin_bytes(plain)
        .check()?
        .stdout)
}

fn add(builder: &mut tar::Builder<impl Write>, name: &Path, place: Option<&Path>) -> Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    let content = match place {
        Some(place) => fs::read(place).file("read", place)?,
        None => Vec::new(),
    };
    header.set_entry_type(if place.is_some() {
        tar::EntryType::Regular
    } else {
        tar::EntryType::Directory
    });
    header.set_mode(if place.is_some() { 0o644 } else { 0o755 });
    header.set_size(content.len() as u64);
    builder
        .append_data(&mut header, name, content.as_slice())
        .file("pack", name)
}

fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let mut file = fs::File::create(&temporary).file("create", &temporary)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .file("write", &temporary)?;
    fs::rename(&temporary, path).file("rename", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder of its own per test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hwc-lab-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("usr/share/wordpress/wp-includes")).unwrap();
            fs::create_dir_all(path.join("usr/share/javascript")).unwrap();
            Self(path)
        }

        fn program(&self) -> PathBuf {
            self.0.join(INSTALLED_AT)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn links_are_followed_and_debians_own_files_left_out() {
        let folder = Folder::new("links");
        let program = folder.program();
        fs::write(program.join("index.php"), "<?php").unwrap();
        fs::write(program.join("wp-config.php"), "Debian's").unwrap();
        symlink("/etc/wordpress/htaccess", program.join(".htaccess")).unwrap();
        fs::write(folder.0.join("usr/share/javascript/a.min.js"), "a").unwrap();
        symlink("a.min.js", folder.0.join("usr/share/javascript/a.js")).unwrap();
        symlink(
            "../../javascript/a.js",
            program.join("wp-includes/relative.js"),
        )
        .unwrap();
        symlink(
            "/usr/share/javascript/a.js",
            program.join("wp-includes/absolute.js"),
        )
        .unwrap();
        let files = collect(&program, &[&folder.0]).unwrap();
        let names: Vec<_> = files.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "index.php",
                "wp-includes",
                "wp-includes/absolute.js",
                "wp-includes/relative.js"
            ]
        );
        assert_eq!(
            files[Path::new("wp-includes/absolute.js")],
            files[Path::new("wp-includes/relative.js")]
        );
        assert_eq!(archive(&files).unwrap(), archive(&files).unwrap());
    }

    #[test]
    fn a_link_to_nowhere_names_the_missing_file() {
        let folder = Folder::new("dangling");
        symlink(
            "/usr/share/javascript/gone.js",
            folder.program().join("gone.js"),
        )
        .unwrap();
        let error = collect(&folder.program(), &[&folder.0])
            .unwrap_err()
            .to_string();
        assert!(error.contains("/usr/share/javascript/gone.js"), "{error}");
    }

    #[test]
    fn the_version_comes_from_the_program() {
        let folder = Folder::new("version");
        let path = folder.program().join("wp-includes/version.php");
        fs::write(&path, "<?php\n/** the version */\n$wp_version = '6.8.1';\n").unwrap();
        assert_eq!(version(&folder.program()).unwrap(), "6.8.1");
        fs::write(&path, "<?php\n$wp_version = '../../x';\n").unwrap();
        assert!(version(&folder.program()).is_err());
    }
}
