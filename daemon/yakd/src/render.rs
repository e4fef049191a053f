//! From typed parts to files: pure, one file per kind of configuration.
//!
//! The same parts give the same bytes on every node (but for the PHP sockets' names, which hang on
//! the node's own key).

pub mod accounts;
pub mod apache;
pub mod database_settings;
pub mod database_start;
pub mod database_units;
pub mod marks;
pub mod php_pool;
pub mod php_units;
pub mod sandbox;
pub mod slice;
pub mod vhost;

use crate::config::NodeConfig;
use crate::escape::Unwritable;
use crate::files::{FileSet, Rendered, Territory};
use crate::gather::{DatabasePart, DatasetPart, SitePart};
use hwc_api::ids::DatasetId;
use std::path::PathBuf;

/// Apache's group: it reads the sites' static files and talks to their PHP.
pub const APACHE_GROUP: &str = "www-data";
/// Its number, the same on every Debian (base-passwd).
pub const APACHE_GROUP_ID: u32 = 33;

/// What we look after besides Apache's own folders.
pub const UNIT_TERRITORIES: &[Territory] = &[
    Territory {
        folder: "/etc/systemd/system",
        prefix: "hwc-php@",
        suffixes: &[".service", ".socket"],
    },
    Territory {
        folder: "/etc/systemd/system",
        prefix: "hwc-db@",
        suffixes: &[".service", ".socket"],
    },
    Territory {
        folder: "/etc/systemd/system",
        prefix: "hwc-sites-",
        suffixes: &[".slice"],
    },
    Territory {
        folder: "/etc/systemd/system",
        prefix: "hwc-databases-",
        suffixes: &[".slice"],
    },
    Territory {
        folder: "/etc/hwc/php",
        prefix: "",
        suffixes: &[".conf"],
    },
    Territory {
        folder: "/etc/hwc/db",
        prefix: "",
        suffixes: &[".sql"],
    },
];

/// The names of what runs for one site or database, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The live dataset.
    pub dataset: PathBuf,
    /// The unit that listens.
    pub socket_unit: String,
    /// The unit that works.
    pub service_unit: String,
    /// The slice that limits it.
    pub slice: String,
    /// The socket of the socket unit.
    pub socket: PathBuf,
}

/// The folder of a live dataset.
#[must_use]
pub fn dataset_folder(config: &NodeConfig, dataset: DatasetId) -> PathBuf {
    config.live.join(dataset.to_string())
}

/// Names and places of a site.
#[must_use]
pub fn site_places(config: &NodeConfig, site: &SitePart) -> Places {
    Places {
        dataset: dataset_folder(config, site.dataset),
        socket_unit: format!("hwc-php@{}.socket", site.id),
        service_unit: format!("hwc-php@{}.service", site.id),
        slice: format!("hwc-sites-{}.slice", site.id),
        socket: config.run.join(format!("fpm/{}.sock", site.id)),
    }
}

/// Names and places of a database.
#[must_use]
pub fn database_places(config: &NodeConfig, database: &DatabasePart) -> Places {
    Places {
        dataset: dataset_folder(config, database.dataset),
        socket_unit: format!("hwc-db@{}.socket", database.id),
        service_unit: format!("hwc-db@{}.service", database.id),
        slice: format!("hwc-databases-{}.slice", database.id),
        socket: config.run.join(format!("db/{}.sock", database.id)),
    }
}

/// Names and places of either.
#[must_use]
pub fn places(config: &NodeConfig, part: &DatasetPart) -> Places {
    match part {
        DatasetPart::Site(site) => site_places(config, site),
        DatasetPart::Database(database) => database_places(config, database),
    }
}

/// The door through which Apache reaches a site's PHP: a second name of the socket, in a folder
/// that only Apache may enter and nobody may list. `/proc/net/unix` shows the first name only.
#[must_use]
pub fn php_door(config: &NodeConfig, site: &SitePart) -> PathBuf {
    let name = config.socket_key.name_of(&site.unix_name());
    config.run.join(format!("php/{name}.sock"))
}

/// Everything that is needed to start what belongs to a dataset.
///
/// # Errors
/// When a value can't be written.
pub fn dataset_files(
    config: &NodeConfig,
    part: &DatasetPart,
) -> Result<FileSet<Rendered>, Unwritable> {
    let mut files = FileSet::default();
    match part {
        DatasetPart::Site(site) => {
            files.merge(php_pool::render(config, site)?);
            files.merge(php_units::render(config, site)?);
        }
        DatasetPart::Database(database) => {
            files.merge(database_start::render(database)?);
            files.merge(database_units::render(config, database)?);
        }
    }
    Ok(files)
}

/// A path as text. Ours are made of ids and fixed words; an administrator's own prefix that is no
/// text is refused.
pub(crate) fn text_of(path: &std::path::Path) -> Result<&str, Unwritable> {
    path.to_str().ok_or(Unwritable {
        format: "a path",
        what: "bytes that are no text",
    })
}
