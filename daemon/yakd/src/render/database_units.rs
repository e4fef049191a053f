//! The units of one database: a socket that waits, a sandboxed MariaDB server that the first
//! connection starts, and the slice that limits both.
//!
//! Only root may connect to the socket, which is the MySQL front door, and the server's own user,
//! which may administer: `setpriv --reuid db-7 --regid db-7 --clear-groups mariadb --user db-7
//! --socket /run/hwc/db/7.sock`.

use crate::config::NodeConfig;
use crate::escape::Unwritable;
use crate::escape::unit::Document;
use crate::files::{File, FileSet, Rendered};
use crate::gather::DatabasePart;
use crate::render::sandbox::Sandbox;
use crate::render::{Places, database_places, database_settings, database_start, slice, text_of};

const WRITTEN: &str = "Written by hwcd from the registry.";

/// The walls around a database's server.
#[must_use]
pub fn properties(database: &DatabasePart, places: &Places) -> Vec<(&'static str, String)> {
    let visible = vec![
        database_settings::PATH.to_owned(),
        database_start::path(database),
        "/run/systemd/notify".to_owned(),
    ];
    Sandbox {
        user: &database.unix_name(),
        slice: &places.slice,
        dataset: &places.dataset,
        visible,
        has_network: false,
    }
    .properties()
}

/// Renders the units.
///
/// # Errors
/// When a value can't be written.
pub fn render(
    config: &NodeConfig,
    database: &DatabasePart,
) -> Result<FileSet<Rendered>, Unwritable> {
    let places = database_places(config, database);
    let title = format!("Database {} ({})", database.id, database.name);
    let limits = slice::Limits {
        memory_mib: config.database_limits.memory_mib,
        cpu_percent: config.database_limits.cpu_percent,
        tasks: config.database_limits.tasks,
    };
    let mut files = slice::render(&places.slice, &title, limits)?;
    let unit = |name: &str| format!("/etc/systemd/system/{name}");
    files.add(
        unit(&places.socket_unit),
        File::public(socket(&database.unix_name(), &places, &title)?),
    );
    let service = service(database, &places, &title)?;
    files.add(unit(&places.service_unit), File::public(service));
    Ok(files)
}

fn socket(user: &str, places: &Places, title: &str) -> Result<String, Unwritable> {
    let mut unit = Document::new(WRITTEN);
    unit.section("Unit");
    unit.set("Description", &format!("Socket of {title}"))?;
    unit.section("Socket");
    unit.set("ListenStream", text_of(&places.socket)?)?;
    unit.set("DirectoryMode", "0711")?;
    unit.set("SocketUser", "root")?;
    unit.set("SocketGroup", user)?;
    unit.set("SocketMode", "0660")?;
    unit.set("RemoveOnStop", "yes")?;
    unit.finish()
}

fn service(database: &DatabasePart, places: &Places, title: &str) -> Result<String, Unwritable> {
    let mut unit = Document::new(WRITTEN);
    unit.section("Unit");
    unit.set("Description", title)?;
    unit.set("Requires", &places.socket_unit)?;
    unit.set("After", &places.socket_unit)?;
    unit.set("StartLimitIntervalSec", "0")?;
    unit.section("Service");
    unit.set("Type", "notify")?;
    // One arena for all threads: a third of the memory of an idle server.
    unit.set("Environment", "MALLOC_ARENA_MAX=1")?;
    let settings = format!("--defaults-file={}", database_settings::PATH);
    let data = format!("--datadir={}/data", text_of(&places.dataset)?);
    let start = format!("--init-file={}", database_start::path(database));
    unit.command(
        "ExecStart",
        [
            "/usr/sbin/mariadbd",
            &settings,
            &data,
            &start,
            "--pid-file=/tmp/mariadbd.pid",
        ],
    )?;
    unit.set("Restart", "on-failure")?;
    unit.set("RestartSec", "200ms")?;
    // Recovery of a large redo log after a failover.
    unit.set("TimeoutStartSec", "5min")?;
    // A killed server recovers as a crashed one does: never let a stop hang.
    unit.set("TimeoutStopSec", "2s")?;
    unit.set("UMask", "0077")?;
    for (name, value) in properties(database, places) {
        unit.set(name, &value)?;
    }
    unit.finish()
}
