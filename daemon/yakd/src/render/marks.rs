//! What Apache says of itself when it is asked: the mark of the configuration that it has read, and
//! of the walls that it was started behind. So whether it must read a newer one is no matter of
//! remembering, and a daemon that was killed between the files and the reload leaves nothing behind.
//!
//! The answer is a virtual host of its own, under a name that visitors can't have: it belongs to no
//! site, so the front door doesn't pass it on.

use crate::escape::Unwritable;
use crate::escape::apache::Document;
use crate::files::{File, FileSet, Rendered};
use crate::render::apache::{LISTEN, walls};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The name to ask for.
pub(crate) const HOST: &str = "loaded.hwc.invalid";
/// The field of the answer that marks the configuration.
pub(crate) const CONFIGURATION: &str = "Hwc-Configuration";
/// The field that marks the walls.
pub(crate) const WALLS: &str = "Hwc-Walls";
/// The variable of Apache's process that the latter comes from.
pub(crate) const WALLS_VARIABLE: &str = "HWC_WALLS";

/// The last of all by its name, as files are put in place: who reads it has read all others, also when
/// somebody else has Apache reloaded meanwhile.
const PATH: &str = "/etc/apache2/sites-enabled/zz-hwc-loaded.conf";
/// What Apache reads.
const READ: &str = "/etc/apache2";

/// The marks of what there should be, or of what Apache has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// The configuration's.
    pub configuration: String,
    /// The walls'.
    pub walls: String,
}

/// Adds the answer to Apache's files, in place of one that is in the set. Gives the marks that it
/// will have.
///
/// # Errors
/// When it can't be written.
pub fn mark(files: FileSet<Rendered>) -> Result<(FileSet<Rendered>, Marks), Unwritable> {
    let marks = Marks {
        configuration: of_files(&files),
        walls: of_settings(&walls()),
    };
    let mut files = files;
    files.add(PATH, File::public(render(&marks.configuration)?));
    Ok((files, marks))
}

fn render(configuration: &str) -> Result<String, Unwritable> {
    let mut document = Document::new();
    document.comment("Written by hwcd: what Apache has read, asked for by hwcd alone.")?;
    document.section("VirtualHost", [LISTEN], |host| {
        host.directive("ServerName", [HOST])?;
        host.directive("Redirect", ["404", "/"])?;
        host.directive("Header", ["always", "set", CONFIGURATION, configuration])?;
        let walls = format!("expr=%{{osenv:{WALLS_VARIABLE}}}");
        host.directive("Header", ["always", "set", WALLS, walls.as_str()])
    })?;
    document.finish()
}

/// The mark of these settings.
pub(crate) fn of_settings(settings: &[(&str, &str)]) -> String {
    let mut hash = Sha256::new();
    for (name, value) in settings {
        add(&mut hash, name.as_bytes());
        add(&mut hash, value.as_bytes());
    }
    short(hash)
}

fn of_files(files: &FileSet<Rendered>) -> String {
    let read = |path: &Path| path.starts_with(READ) && path != Path::new(PATH);
    of(files, read)
}

/// The mark of the files of a set that count.
pub(crate) fn of<State>(files: &FileSet<State>, counts: impl Fn(&Path) -> bool) -> String {
    let mut hash = Sha256::new();
    for (path, file) in files.files().iter().filter(|(path, _)| counts(path)) {
        add(&mut hash, path.as_os_str().as_encoded_bytes());
        match file {
            File::Text { text, .. } => add(&mut hash, text.as_bytes()),
            File::Link(to) => add(&mut hash, to.as_os_str().as_encoded_bytes()),
        }
    }
    short(hash)
}

/// Each part with its length, so that no two lists are one text.
fn add(hash: &mut Sha256, part: &[u8]) {
    hash.update(part.len().to_le_bytes());
    hash.update(part);
}

/// Half of it is enough to tell two configurations apart.
fn short(hash: Sha256) -> String {
    let mut mark = hex::encode(hash.finalize());
    mark.truncate(32);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NodeConfig, SocketKey};
    use crate::gather::gather;
    use crate::gather::tests::one_site;
    use crate::render::apache;
    use std::path::PathBuf;

    fn set(entries: &[(&str, &str)]) -> FileSet<Rendered> {
        let mut set = FileSet::default();
        for (path, text) in entries {
            set.add(*path, File::public((*text).to_owned()));
        }
        set
    }

    fn mark_of(entries: &[(&str, &str)]) -> String {
        let (_, marks) = mark(set(entries)).expect("marked");
        marks.configuration
    }

    #[test]
    fn another_configuration_has_another_mark() {
        let one = mark_of(&[("/etc/apache2/a.conf", "x"), ("/etc/apache2/b.conf", "y")]);
        for other in [
            &[("/etc/apache2/a.conf", "x")][..],
            &[("/etc/apache2/a.conf", "xy"), ("/etc/apache2/b.conf", "")],
            &[("/etc/apache2/a.conf", "x"), ("/etc/apache2/c.conf", "y")],
        ] {
            assert_ne!(mark_of(other), one);
        }
        let beside = [
            ("/etc/apache2/a.conf", "x"),
            ("/etc/apache2/b.conf", "y"),
            ("/etc/logrotate.d/x", "z"),
        ];
        assert_eq!(mark_of(&beside), one, "Apache does not read it");
    }

    #[test]
    fn the_mark_is_written_after_everything_that_it_marks() {
        let config = NodeConfig::new(SocketKey::from_bytes([7; 32]), Vec::new());
        let wanted = gather(&one_site(200_000, "shop.example"));
        let (files, _) = apache::render(&config, &wanted).expect("rendered");
        let (files, _) = mark(files).expect("marked");
        let mut read = files.files().keys().filter(|path| path.starts_with(READ));
        assert_eq!(
            read.next_back().map(PathBuf::as_path),
            Some(Path::new(PATH))
        );
    }

    #[test]
    fn marking_again_changes_nothing() {
        let (once, first) = mark(set(&[("/etc/apache2/a.conf", "x")])).expect("marked");
        let (twice, second) = mark(once.clone()).expect("marked");
        assert_eq!(first, second);
        assert_eq!(once.files(), twice.files());
    }
}
