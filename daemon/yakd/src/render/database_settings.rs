//! `/etc/hwc/mariadb.cnf`: settings that all database servers of the node share.
//!
//! Made for many small servers, each with its whole data directory in one dataset: every byte that
//! a snapshot needs is in there, and what it does not need (temporary tables) is outside.

use crate::config::NodeConfig;
use crate::escape::Unwritable;
use crate::escape::ini::Document;
use crate::files::{File, FileSet, Rendered};

/// Where the file is.
pub const PATH: &str = "/etc/hwc/mariadb.cnf";

/// Where the settings of command-line clients are.
pub const CLIENT_PATH: &str = "/etc/mysql/mariadb.conf.d/90-hwc-client.cnf";

/// Renders the files.
///
/// # Errors
/// When a value can't be written.
pub fn render(config: &NodeConfig) -> Result<FileSet<Rendered>, Unwritable> {
    let limits = config.database_limits;
    let pool = format!("{}M", limits.buffer_pool_mib);
    let connections = limits.connections.to_string();
    let mut settings = Document::new('#', "Written by hwcd. See the manual of MariaDB 11.8.")?;
    settings.section("mariadbd")?;
    for (name, value) in FIXED {
        settings.set(name, value)?;
    }
    settings.set("innodb_buffer_pool_size", &pool)?;
    settings.set("max_connections", &connections)?;
    let mut files = FileSet::default();
    files.add(PATH, File::public(settings.finish()?));
    files.add(CLIENT_PATH, File::public(client()?));
    Ok(files)
}

/// Since 11.4 the command-line clients refuse a server without TLS when a password is given. On
/// this machine that server is the front door, behind a socket.
fn client() -> Result<String, Unwritable> {
    let mut settings = Document::new('#', "Written by hwcd.")?;
    settings.section("client")?;
    settings.set("ssl-verify-server-cert", "0")?;
    settings.finish()
}

const FIXED: &[(&str, &str)] = &[
    // Reached through a socket that systemd hands over, and by no other way.
    ("skip_networking", "1"),
    ("skip_name_resolve", "1"),
    // Only a socket of this machine leads here. With TLS the server would draw an RSA key at every
    // start, which takes longer than everything else of it.
    ("ssl", "0"),
    ("character_set_server", "utf8mb4"),
    // A commit that was acknowledged is on disk.
    ("innodb_flush_log_at_trx_commit", "1"),
    ("innodb_log_file_size", "8M"),
    ("innodb_log_buffer_size", "2M"),
    ("innodb_autoextend_increment", "1"),
    // Undo logs within ibdata1: three files of 10 MiB per database, on every copy, are too many.
    ("innodb_undo_tablespaces", "0"),
    // Empty: file names are taken as they are, so that the temporary tablespace can lie elsewhere.
    ("innodb_data_home_dir", ""),
    (
        "innodb_temp_data_file_path",
        "/tmp/ibtmp1:3M:autoextend:max:1G",
    ),
    ("tmpdir", "/tmp"),
    ("max_tmp_total_space_usage", "2G"),
    // A stop writes the logs and closes the tables of the other engines; InnoDB's pages are written
    // by the next start's recovery, which a failover needs anyway.
    ("innodb_fast_shutdown", "2"),
    ("innodb_buffer_pool_dump_at_shutdown", "OFF"),
    ("innodb_buffer_pool_load_at_startup", "OFF"),
    ("myisam_recover_options", "BACKUP,FORCE"),
    // Small: what many servers on one machine would otherwise each take.
    ("performance_schema", "OFF"),
    ("key_buffer_size", "2M"),
    ("aria_pagecache_buffer_size", "2M"),
    ("thread_cache_size", "4"),
    ("table_open_cache", "400"),
    ("query_cache_type", "0"),
    ("query_cache_size", "0"),
    // Nothing reads or writes files of the server for a client.
    ("local_infile", "OFF"),
    ("symbolic_links", "0"),
];
