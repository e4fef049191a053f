//! The empty data directory that every new database begins as a copy of.
//!
//! Made once per node, on the same filesystem as the datasets, so that a copy shares its blocks
//! and takes milliseconds. It has no accounts but MariaDB's own locked one: each database gets its
//! own from its start file.

use crate::config::NodeConfig;
use crate::error::YakdError;
use crate::home::SourceTree;
use crate::render::database_settings;
use hwc_runtime::command::run;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A slow disk: usually it takes two seconds.
const DEADLINE: Duration = Duration::from_secs(180);
/// Raised when templates are made differently.
const FORMAT: u32 = 1;

/// The accounts that mariadb-install-db made, and the right to act for others, go.
const STRIP: &str = "\
DELETE FROM mysql.global_priv WHERE User NOT IN ('mariadb.sys', 'PUBLIC');
DELETE FROM mysql.proxies_priv;
DELETE FROM mysql.db;
";

/// Where the template is, and who makes it at the moment.
#[derive(Debug)]
pub(crate) struct Template {
    folder: PathBuf,
    making: tokio::sync::Mutex<()>,
}

impl Template {
    pub(crate) fn new(config: &NodeConfig) -> Self {
        Self {
            folder: config.templates.join(format!("mariadb-{FORMAT}")),
            making: tokio::sync::Mutex::new(()),
        }
    }

    /// The template's files, after making it where it is missing. The settings file must be there.
    pub(crate) async fn open(&self) -> Result<SourceTree, YakdError> {
        self.ensure().await?;
        let folder = self.folder.clone();
        SourceTree::open(&folder).map_err(YakdError::file("read", folder))
    }

    /// Makes the template unless it is there.
    pub(crate) async fn ensure(&self) -> Result<(), YakdError> {
        let _making = self.making.lock().await;
        if self.folder.is_dir() {
            return Ok(());
        }
        let Some(parent) = self.folder.parent() else {
            return Ok(());
        };
        let temporary = parent.join(format!(".mariadb-{FORMAT}.new"));
        match std::fs::remove_dir_all(&temporary) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(YakdError::file("remove", &temporary)(error)),
        }
        std::fs::create_dir_all(parent).map_err(YakdError::file("create", parent))?;
        install(&temporary).await?;
        std::fs::rename(&temporary, &self.folder).map_err(YakdError::file("rename", &temporary))?;
        tracing::info!(folder = %self.folder.display(), "made the template of databases");
        Ok(())
    }
}

async fn install(folder: &Path) -> Result<(), YakdError> {
    let settings = format!("--defaults-file={}", database_settings::PATH);
    let data = format!("--datadir={}", folder.display());
    let words = [
        settings.as_str(),
        data.as_str(),
        "--user=mysql",
        "--skip-test-db",
        // The name of this machine need not be resolvable: no account with it is kept.
        "--force",
        "--auth-root-authentication-method=socket",
    ];
    run("/usr/bin/mariadb-install-db", words)
        .deadline(DEADLINE)
        .success()
        .await?;
    let words = [
        settings.as_str(),
        data.as_str(),
        "--user=mysql",
        "--bootstrap",
    ];
    run("/usr/sbin/mariadbd", words)
        .input(STRIP)
        .deadline(DEADLINE)
        .success()
        .await?;
    Ok(())
}
