//! `/etc/sysusers.d/hwc.conf`: a Unix user and group per site and per database, with the number
//! that the registry gave out, so that files keep their owner on every node (sysusers.d(5)).

use crate::escape::Unwritable;
use crate::escape::ini::Document;
use crate::files::{File, FileSet, Rendered};
use crate::gather::{TenantId, Wanted};

/// Where the file is.
pub const PATH: &str = "/etc/sysusers.d/hwc.conf";

/// Users that there should be, by name.
pub fn users(wanted: &Wanted) -> impl Iterator<Item = (String, TenantId)> {
    let sites = wanted.sites.values().map(|s| (s.unix_name(), s.owner));
    let databases = wanted.databases.values().map(|d| (d.unix_name(), d.owner));
    sites.chain(databases)
}

/// Renders the file.
///
/// # Errors
/// When a value can't be written.
pub fn render(wanted: &Wanted) -> Result<FileSet<Rendered>, Unwritable> {
    let mut document = Document::new('#', "Written by hwcd from the registry.")?;
    for (name, owner) in users(wanted) {
        let number = owner.number().to_string();
        document.words(&["g", &name, &number])?;
        let both = format!("{number}:{number}");
        document.words(&["u", &name, &both, "", "/nonexistent", "/usr/sbin/nologin"])?;
    }
    let mut files = FileSet::default();
    files.add(PATH, File::public(document.finish()?));
    Ok(files)
}
