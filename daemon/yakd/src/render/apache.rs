//! Apache as a whole: where it listens, what it loads, what holds for every site.
//!
//! Everything else is Debian's. The front door (AwesomeProxy) owns ports 80 and 443 and passes
//! requests to 127.0.0.1:8080; it sets X-Forwarded-For and X-Forwarded-Proto itself, so that they
//! can be believed.
//!
//! On `.htaccess`: customers may use what standard applications need (rewriting, headers,
//! passwords, `SetHandler`). What would reach beyond the own site is not loaded (`mod_proxy_http`,
//! `mod_status`, CGI, SSI, Lua…), or needs a name that nobody can guess (the PHP sockets, see
//! `php_door`), or is refused by Apache itself (`file()` in expressions is restricted there).

use crate::config::NodeConfig;
use crate::escape::Unwritable;
use crate::escape::apache::Document;
use crate::escape::unit;
use crate::files::{File, FileSet, Rendered, Territory};
use crate::gather::Wanted;
use crate::render::{marks, vhost};

/// The address where the front door finds Apache.
pub const LISTEN: &str = "127.0.0.1:8080";
/// What an empty site shows; beneath Debian's own document root.
pub(crate) const EMPTY_SITE_PAGE: &str = "/var/www/hwc/empty-site.html";

const MODULES: [&str; 6] = [
    "expires",
    "headers",
    "proxy",
    "proxy_fcgi",
    "remoteip",
    "rewrite",
];

const LINKS: &[&str] = &[".load", ".conf"];
const fn module(prefix: &'static str) -> Territory {
    Territory {
        folder: "/etc/apache2/mods-enabled",
        prefix,
        suffixes: LINKS,
    }
}

/// What is ours in Apache's folders: our files, Debian's default site, and the modules that would
/// let a customer's `.htaccess` reach beyond the site.
pub const TERRITORIES: &[Territory] = &[
    Territory {
        folder: "/etc/apache2/sites-enabled",
        prefix: "hwc-",
        suffixes: &[".conf"],
    },
    Territory {
        folder: "/etc/apache2/sites-enabled",
        prefix: "000-",
        suffixes: &["-default.conf", "000-default.conf"],
    },
    module("actions"),
    module("cgi"),
    module("dav"),
    module("ext_filter"),
    module("include"),
    module("info"),
    module("lua"),
    module("proxy_"),
    module("status"),
    module("userdir"),
];

/// Renders everything of Apache, one virtual host per site included.
///
/// # Errors
/// When a value that all sites share can't be written. A site whose own values can't is left out
/// and named in the second part.
pub fn render(
    config: &NodeConfig,
    wanted: &Wanted,
) -> Result<(FileSet<Rendered>, Vec<String>), Unwritable> {
    let mut files = FileSet::default();
    files.add("/etc/apache2/ports.conf", File::public(ports()?));
    files.add(
        "/etc/apache2/conf-enabled/zz-hwc.conf",
        File::public(common()?),
    );
    let default = default_host(config)?;
    files.add(
        "/etc/apache2/sites-enabled/000-hwc-default.conf",
        File::public(default),
    );
    files.add(
        "/etc/systemd/system/apache2.service.d/hwc.conf",
        File::public(drop_in()?),
    );
    files.add(
        "/etc/logrotate.d/hwc-sites",
        File::public(LOG_ROTATION.to_owned()),
    );
    files.add(EMPTY_SITE_PAGE, File::public(EMPTY_SITE.to_owned()));
    for module in MODULES {
        let link = format!("../mods-available/{module}.load");
        let path = format!("/etc/apache2/mods-enabled/{module}.load");
        files.add(path, File::Link(link.into()));
    }
    let mut left_out = Vec::new();
    for site in wanted.sites.values() {
        match vhost::render(config, site) {
            Ok(rendered) => files.merge(rendered),
            Err(error) => left_out.push(format!("{}: {error}", site.unix_name())),
        }
    }
    Ok((files, left_out))
}

fn ports() -> Result<String, Unwritable> {
    let mut document = Document::new();
    document.comment("Written by hwcd. Ports 80 and 443 belong to hwcd itself.")?;
    document.directive("Listen", [LISTEN])?;
    document.finish()
}

fn common() -> Result<String, Unwritable> {
    let mut document = Document::new();
    document.comment("Written by hwcd: what holds for every site.")?;
    document.directive("ServerName", ["localhost"])?;
    document.directive("ServerTokens", ["Prod"])?;
    document.directive("ServerSignature", ["Off"])?;
    document.directive("TraceEnable", ["Off"])?;
    document.directive("FileETag", ["MTime", "Size"])?;
    document.comment("Only hwcd connects here; it writes both headers itself.")?;
    document.directive("RemoteIPHeader", ["X-Forwarded-For"])?;
    document.directive("RemoteIPInternalProxy", ["127.0.0.1"])?;
    document.directive("SetEnvIf", ["X-Forwarded-Proto", "^https$", "HTTPS=on"])?;
    document.comment("A header named Proxy becomes HTTP_PROXY in some programs (httpoxy).")?;
    document.directive("RequestHeader", ["unset", "Proxy", "early"])?;
    document.section("Directory", ["/"], |inside| {
        inside.directive("Options", ["SymLinksIfOwnerMatch"])?;
        inside.directive("AllowOverride", ["None"])?;
        inside.directive("Require", ["all", "denied"])
    })?;
    document
        .comment("Version control, editors' leftovers, .env: nothing that begins with a dot.")?;
    document.section("DirectoryMatch", [r"/\.(?!well-known(/|$))"], |inside| {
        inside.directive("Require", ["all", "denied"])
    })?;
    document.section("FilesMatch", [r"^\.(?!well-known)"], |inside| {
        inside.directive("Require", ["all", "denied"])
    })?;
    document.finish()
}

/// Answers for host names that belong to no site.
fn default_host(_config: &NodeConfig) -> Result<String, Unwritable> {
    let mut document = Document::new();
    document.comment("Written by hwcd: names that belong to no site.")?;
    document.section("VirtualHost", [LISTEN], |inside| {
        inside.directive("ServerName", ["unknown.invalid"])?;
        inside.directive("Redirect", ["404", "/"])?;
        inside.directive("ErrorDocument", ["404", "There is no such web site here."])?;
        inside.directive("ErrorLog", ["/var/log/apache2/error.log"])
    })?;
    document.finish()
}

/// Apache speaks with the front door and with sockets; nothing else is its business.
fn drop_in() -> Result<String, Unwritable> {
    let mut unit = unit::Document::new("Written by hwcd.");
    unit.section("Service");
    for (name, value) in walls() {
        unit.set(name, value)?;
    }
    // Apache tells it when it is asked: with which of these it was started.
    let mark = marks::of_settings(&walls());
    unit.set("Environment", &format!("{}={mark}", marks::WALLS_VARIABLE))?;
    unit.finish()
}

/// hwcd's own sockets are not Apache's business; the sites' PHP is.
pub(crate) const fn walls() -> [(&'static str, &'static str); 6] {
    [
        ("IPAddressDeny", "any"),
        ("IPAddressAllow", "localhost"),
        ("NoNewPrivileges", "yes"),
        ("ProtectHome", "yes"),
        ("InaccessiblePaths", "-/var/lib/mysql -/var/lib/hwc"),
        // Two log files per site.
        ("LimitNOFILE", "65536"),
    ]
}

const LOG_ROTATION: &str = "\
# Written by hwcd.
/var/log/hwc/sites/*/*.log {
    weekly
    rotate 8
    missingok
    notifempty
    compress
    delaycompress
    sharedscripts
    postrotate
        systemctl reload apache2
    endscript
}
";

const EMPTY_SITE: &str = "\
<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"robots\" content=\"noindex\">
<title>This web site is empty</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif }
body { max-width: 34rem; margin: 18vh auto 0; padding: 0 1.5rem }
</style>
<h1>This web site is empty</h1>
<p>It is set up and waits for its first page. Its owner can upload files to <code>public_html</code>
or install an application from the control panel.</p>
</html>
";
