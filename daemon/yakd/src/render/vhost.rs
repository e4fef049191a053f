//! `/etc/apache2/sites-enabled/hwc-site-<id>.conf`: the virtual host of one site.
//!
//! Every node has every site's, so that a takeover needs no reload; where the dataset is not live,
//! its folder is absent and nobody is sent there. For root's eyes only: it names the PHP socket.

use crate::config::NodeConfig;
use crate::escape::Unwritable;
use crate::escape::apache::Document;
use crate::files::{File, FileSet, Rendered};
use crate::gather::SitePart;
use crate::render::apache::{EMPTY_SITE_PAGE, LISTEN};
use crate::render::{php_door, site_places, text_of};
use hwc_api::ids::SiteId;

/// Where the logs of a site are: outside its dataset, where its owner can't place a link.
#[must_use]
pub fn log_folder(site: SiteId) -> String {
    format!("/var/log/hwc/sites/{site}")
}

/// Where the file of a site is.
#[must_use]
pub fn path(site: SiteId) -> String {
    format!("/etc/apache2/sites-enabled/hwc-site-{site}.conf")
}

/// Renders the file.
///
/// # Errors
/// When a value can't be written.
pub fn render(config: &NodeConfig, site: &SitePart) -> Result<FileSet<Rendered>, Unwritable> {
    let mut document = Document::new();
    document.comment("Written by hwcd from the registry.")?;
    document.section("VirtualHost", [LISTEN], |host| {
        host.directive("ServerName", [site.main_domain.as_str()])?;
        if !site.aliases.is_empty() {
            let aliases = site.aliases.iter().map(|domain| domain.as_str());
            host.directive("ServerAlias", aliases)?;
        }
        let logs = log_folder(site.id);
        host.directive("ErrorLog", [format!("{logs}/error.log").as_str()])?;
        host.directive(
            "CustomLog",
            [format!("{logs}/access.log").as_str(), "combined"],
        )?;
        if site.is_suspended {
            suspended(host)
        } else {
            content(config, site, host)
        }
    })?;
    let mut files = FileSet::default();
    files.add(path(site.id), File::secret(document.finish()?));
    Ok(files)
}

fn suspended(host: &mut Document) -> Result<(), Unwritable> {
    host.directive("Redirect", ["503", "/"])?;
    host.directive("ErrorDocument", ["503", "This web site is suspended."])
}

fn content(config: &NodeConfig, site: &SitePart, host: &mut Document) -> Result<(), Unwritable> {
    let places = site_places(config, site);
    let root = format!("{}/public_html", text_of(&places.dataset)?);
    host.directive("DocumentRoot", [root.as_str()])?;
    host.section("Directory", [root.as_str()], |inside| {
        inside.directive(
            "Options",
            [
                "-Indexes",
                "-ExecCGI",
                "-Includes",
                "-FollowSymLinks",
                "+SymLinksIfOwnerMatch",
            ],
        )?;
        inside.directive(
            "AllowOverride",
            [
                "AuthConfig",
                "FileInfo",
                "Indexes",
                "Limit",
                // `Options +FollowSymLinks` and the like of many applications: passed over, and
                // no error.
                "Nonfatal=Override",
            ],
        )?;
        inside.directive("Require", ["all", "granted"])?;
        inside.directive("DirectoryIndex", ["index.php", "index.html", "index.htm"])
    })?;
    host.section("FilesMatch", [r"\.php$"], |inside| {
        let door = php_door(config, site);
        let handler = format!("proxy:unix:{}|fcgi://{}", text_of(&door)?, site.unix_name());
        inside.directive("SetHandler", [handler.as_str()])
    })?;
    host.directive("Alias", ["/hwc-empty-site.html", EMPTY_SITE_PAGE])?;
    host.section("Directory", ["/var/www/hwc"], |inside| {
        inside.directive("Require", ["all", "granted"])
    })?;
    host.section("LocationMatch", ["^/+$"], |inside| {
        inside.directive("ErrorDocument", ["403", "/hwc-empty-site.html"])
    })
}
