//! `/etc/hwc/db/<database>.sql`: what the server makes true at each start, before it takes
//! connections: the database, its one user, and who may administer.
//!
//! It looks first and writes only what differs: every write to the grant tables is several flushes
//! of the disk, and a failover must not wait for them.
//!
//! The data directory has no other accounts (the template is made without them). The administrator
//! is the server's own Unix user, by the peer credentials of the socket: the proxy, which is root,
//! is nobody here, so that relaying a stranger's handshake can't sign in as root@localhost.

use crate::escape::Unwritable;
use crate::escape::sql::{grant_pattern, identifier, string, without_wildcards};
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
    // One line: the server reads a statement up to a line that ends with a semicolon.
    let text = format!(
        "BEGIN NOT ATOMIC IF {} THEN {} END IF; END;\n",
        differs(database)?,
        mend(database)?
    );
    let mut files = FileSet::default();
    files.add(
        path(database),
        File::of_group(database.owner.number(), text),
    );
    Ok(files)
}

/// Whether something is not as it should be.
fn differs(database: &DatabasePart) -> Result<String, Unwritable> {
    let name = string(database.name.as_str())?;
    let granted = string(&without_wildcards(database.name.as_str()))?;
    let user = string(database.user.as_str())?;
    let hash = string(database.password_hash.as_str())?;
    let administrator = string(&database.unix_name())?;
    let account = format!(
        "SELECT 1 FROM mysql.global_priv WHERE Host='localhost' AND User={user} \
         AND JSON_VALUE(Priv,'$.authentication_string')={hash}"
    );
    let right =
        format!("SELECT 1 FROM mysql.db WHERE Host='localhost' AND User={user} AND Db={granted}");
    let steward =
        format!("SELECT 1 FROM mysql.global_priv WHERE Host='localhost' AND User={administrator}");
    let schema = format!("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME={name}");
    let absent = [account, right, steward, schema].map(|query| format!("NOT EXISTS ({query})"));
    Ok(absent.join(" OR "))
}

/// Makes it so.
fn mend(database: &DatabasePart) -> Result<String, Unwritable> {
    let name = identifier(database.name.as_str())?;
    let pattern = grant_pattern(database.name.as_str())?;
    let user = format!("{}@localhost", identifier(database.user.as_str())?);
    let hash = string(database.password_hash.as_str())?;
    let administrator = format!("{}@localhost", identifier(&database.unix_name())?);
    let password = format!("IDENTIFIED VIA mysql_native_password USING {hash}");
    let statements = [
        format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;"),
        format!("CREATE USER IF NOT EXISTS {user} {password};"),
        format!("ALTER USER {user} {password};"),
        format!("GRANT ALL PRIVILEGES ON {pattern}.* TO {user};"),
        format!("CREATE USER IF NOT EXISTS {administrator} IDENTIFIED VIA unix_socket;"),
        format!("GRANT ALL PRIVILEGES ON *.* TO {administrator} WITH GRANT OPTION;"),
    ];
    Ok(statements.join(" "))
}
