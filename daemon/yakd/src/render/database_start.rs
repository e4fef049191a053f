//! `/etc/hwc/db/<database>.sql`: what the server makes true at each start, before it takes
//! connections: the database, its one user, and who may administer.
//!
//! The data directory has no other accounts (the template is made without them). The administrator
//! is the server's own Unix user, by the peer credentials of the socket: the proxy, which is root,
//! is nobody here, so that relaying a stranger's handshake can't sign in as root@localhost.

use crate::escape::Unwritable;
use crate::escape::sql::{grant_pattern, identifier, string};
use crate::files::{File, FileSet, Rendered};
use crate::gather::DatabasePart;

/// Where the file of a database is.
#[must_use]
pub fn path(database: &DatabasePart) -> String {
    format!("/etc/hwc/db/{}.sql", database.id)
}

/// Renders the file.
///
/// # Errors
/// When a value can't be written.
pub fn render(database: &DatabasePart) -> Result<FileSet<Rendered>, Unwritable> {
    let name = identifier(database.name.as_str())?;
    let pattern = grant_pattern(database.name.as_str())?;
    let user = format!("{}@localhost", identifier(database.user.as_str())?);
    let hash = string(database.password_hash.as_str())?;
    let administrator = format!("{}@localhost", identifier(&database.unix_name())?);
    let statements = [
        format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;"),
        format!("CREATE USER IF NOT EXISTS {user} IDENTIFIED VIA mysql_native_password USING {hash};"),
        format!("ALTER USER {user} IDENTIFIED VIA mysql_native_password USING {hash};"),
        format!("GRANT ALL PRIVILEGES ON {pattern}.* TO {user};"),
        format!("CREATE USER IF NOT EXISTS {administrator} IDENTIFIED VIA unix_socket;"),
        format!("GRANT ALL PRIVILEGES ON *.* TO {administrator} WITH GRANT OPTION;"),
    ];
    let text = format!("{}\n", statements.join("\n"));
    let mut files = FileSet::default();
    files.add(path(database), File::of_group(database.owner.number(), text));
    Ok(files)
}
