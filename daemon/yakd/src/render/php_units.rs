//! The units of one site's PHP: a socket that waits, a sandboxed service that the first request
//! starts, and the slice that limits both.
//!
//! systemd makes the socket (root's, for Apache's group) and hands it over as file descriptor 3;
//! `FPM_SOCKETS` is how PHP-FPM takes over a socket that is open already. So requests that come
//! before PHP has started wait in the kernel's queue, and a site that nobody asks for costs
//! nothing.

use crate::config::NodeConfig;
use crate::escape::Unwritable;
use crate::escape::unit::Document;
use crate::files::{File, FileSet, Rendered};
use crate::gather::SitePart;
use crate::render::sandbox::Sandbox;
use crate::render::{APACHE_GROUP, Places, php_pool, site_places, slice, text_of};

const WRITTEN: &str = "Written by hwcd from the registry.";

/// What PHP may see of the hidden folders: its own pool, the MySQL front door, the resolver, and
/// where to tell systemd and the journal.
fn visible(site: &SitePart) -> Vec<String> {
    let fixed = [
        "/run/systemd/notify",
        "-/run/systemd/journal",
        "-/run/systemd/resolve",
        "-/run/mysqld",
    ];
    let own = std::iter::once(php_pool::path(site));
    own.chain(fixed.map(str::to_owned)).collect()
}

/// The walls around a site's processes.
#[must_use]
pub fn properties(site: &SitePart, places: &Places) -> Vec<(&'static str, String)> {
    Sandbox {
        user: &site.unix_name(),
        slice: &places.slice,
        dataset: &places.dataset,
        visible: visible(site),
        has_network: true,
    }
    .properties()
}

/// Renders the units.
///
/// # Errors
/// When a value can't be written.
pub fn render(config: &NodeConfig, site: &SitePart) -> Result<FileSet<Rendered>, Unwritable> {
    let places = site_places(config, site);
    let title = format!("PHP of site {} ({})", site.id, site.main_domain);
    let limits = slice::Limits {
        memory_mib: config.site_limits.memory_mib,
        cpu_percent: config.site_limits.cpu_percent,
        tasks: config.site_limits.tasks,
    };
    let slice_title = format!("Site {} ({})", site.id, site.main_domain);
    let mut files = slice::render(&places.slice, &slice_title, limits)?;
    let unit = |name: &str| format!("/etc/systemd/system/{name}");
    files.add(
        unit(&places.socket_unit),
        File::public(socket(&places, &title)?),
    );
    let service = service(site, &places, &title)?;
    files.add(unit(&places.service_unit), File::public(service));
    Ok(files)
}

fn socket(places: &Places, title: &str) -> Result<String, Unwritable> {
    let mut unit = Document::new(WRITTEN);
    unit.section("Unit");
    unit.set("Description", &format!("Socket of {title}"))?;
    unit.section("Socket");
    unit.set("ListenStream", text_of(&places.socket)?)?;
    unit.set("DirectoryMode", "0700")?;
    unit.set("SocketUser", "root")?;
    unit.set("SocketGroup", APACHE_GROUP)?;
    unit.set("SocketMode", "0660")?;
    unit.set("RemoveOnStop", "yes")?;
    unit.finish()
}

fn service(site: &SitePart, places: &Places, title: &str) -> Result<String, Unwritable> {
    let mut unit = Document::new(WRITTEN);
    unit.section("Unit");
    unit.set("Description", title)?;
    unit.set("Requires", &places.socket_unit)?;
    unit.set("After", &places.socket_unit)?;
    // A site that dies at every start must answer again as soon as it can.
    unit.set("StartLimitIntervalSec", "0")?;
    unit.section("Service");
    unit.set("Type", "notify")?;
    let socket = text_of(&places.socket)?;
    unit.set("Environment", &format!("FPM_SOCKETS={socket}=3"))?;
    let program = format!("/usr/sbin/php-fpm{}", site.php.as_str());
    let pool = php_pool::path(site);
    unit.command(
        "ExecStart",
        [
            program.as_str(),
            "--nodaemonize",
            "--fpm-config",
            pool.as_str(),
        ],
    )?;
    unit.set("Restart", "on-failure")?;
    unit.set("RestartSec", "200ms")?;
    // The gate has let running requests finish before a planned stop; nothing is left to wait for.
    unit.set("TimeoutStopSec", "2s")?;
    unit.set("UMask", "0022")?;
    for (name, value) in properties(site, places) {
        unit.set(name, &value)?;
    }
    unit.finish()
}
