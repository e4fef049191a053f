//! `/etc/hwc/php/<site>.conf`: the PHP-FPM master of one site and its one pool.
//!
//! Everything is Debian's PHP with Debian's php.ini; only places and limits are set here. No
//! `open_basedir`: the unit's walls do that, for every program that PHP starts as well.

use crate::config::NodeConfig;
use crate::escape::Unwritable;
use crate::escape::ini::Document;
use crate::files::{File, FileSet, Rendered};
use crate::gather::SitePart;
use crate::render::{site_places, text_of};

/// Where the file of a site is.
#[must_use]
pub fn path(site: &SitePart) -> String {
    format!("/etc/hwc/php/{}.conf", site.id)
}

/// Renders the file.
///
/// # Errors
/// When a value can't be written.
pub fn render(config: &NodeConfig, site: &SitePart) -> Result<FileSet<Rendered>, Unwritable> {
    let places = site_places(config, site);
    let dataset = text_of(&places.dataset)?;
    let name = site.unix_name();
    let mut pool = Document::new(';', "Written by hwcd from the registry.")?;
    pool.section("global")?;
    pool.set("daemonize", "no")?;
    pool.set("error_log", "syslog")?;
    pool.set("syslog.ident", &format!("hwc-php-{}", site.id))?;
    pool.set("log_level", "warning")?;
    pool.section(&name)?;
    // The master runs as this user already; named for `php-fpm -t`, which is run as root.
    pool.set("user", &name)?;
    pool.set("group", &name)?;
    pool.set("listen", text_of(&places.socket)?)?;
    pool.set("pm", "ondemand")?;
    pool.set(
        "pm.max_children",
        &config.site_limits.php_children.to_string(),
    )?;
    pool.set("pm.process_idle_timeout", "60s")?;
    // Leaking extensions are common; a thousand requests make the restart invisible.
    pool.set("pm.max_requests", "1000")?;
    pool.set("catch_workers_output", "yes")?;
    pool.set("security.limit_extensions", ".php")?;
    pool.set(
        "php_value[session.save_path]",
        &format!("{dataset}/sessions"),
    )?;
    pool.set(
        "php_admin_value[error_log]",
        &format!("{dataset}/logs/php-error.log"),
    )?;
    pool.set("php_admin_flag[log_errors]", "on")?;
    pool.set("php_value[upload_max_filesize]", "64M")?;
    pool.set("php_value[post_max_size]", "64M")?;
    pool.set("php_value[memory_limit]", "256M")?;
    // Mail is not delivered yet: fails at once and visibly, where a missing program would hang.
    pool.set("php_admin_value[sendmail_path]", "/usr/bin/false")?;
    pool.set("php_admin_value[opcache.memory_consumption]", "64")?;
    pool.set("php_admin_value[opcache.validate_timestamps]", "1")?;
    pool.set("php_admin_value[opcache.revalidate_freq]", "2")?;
    let mut files = FileSet::default();
    files.add(path(site), File::public(pool.finish()?));
    Ok(files)
}
