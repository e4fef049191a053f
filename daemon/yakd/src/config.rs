//! Where things are on this node and how much they may take. Made in `main`, the same everywhere
//! but in tests.

use std::io;
use std::path::{Path, PathBuf};

/// Places and sizes of one node.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Live datasets, one folder each, named by dataset id. On the pool.
    pub live: PathBuf,
    /// Folder of our own on the pool, for the empty data directory that new databases are copied
    /// from (by reflink, hence the same filesystem).
    pub templates: PathBuf,
    /// Sockets. Volatile.
    pub run: PathBuf,
    /// Archives of applications that set-up put on this machine.
    pub mirror: PathBuf,
    /// The catalogue of applications, one file each.
    pub catalogue: PathBuf,
    /// Program and arguments that run [`crate::apps::unpack::run`] in a process of its own:
    /// `hwcd internal unpack`. Must be readable by every user.
    pub unpacker: Vec<PathBuf>,
    /// Key under which the names of the PHP sockets are made unguessable.
    pub socket_key: SocketKey,
    /// What one site may take.
    pub site_limits: SiteLimits,
    /// What one database may take.
    pub database_limits: DatabaseLimits,
}

impl NodeConfig {
    /// The usual places; `unpacker` as in [`NodeConfig::unpacker`].
    #[must_use]
    pub fn new(socket_key: SocketKey, unpacker: Vec<PathBuf>) -> Self {
        Self {
            live: "/srv/hwc/live".into(),
            templates: "/srv/hwc/templates".into(),
            run: "/run/hwc".into(),
            mirror: "/usr/share/hwc/mirror".into(),
            catalogue: "/usr/share/hwc/apps".into(),
            unpacker,
            socket_key,
            site_limits: SiteLimits::default(),
            database_limits: DatabaseLimits::default(),
        }
    }
}

/// What the processes of one site may take. The slice of the site enforces the first three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteLimits {
    /// Memory of all its processes, MiB.
    pub memory_mib: u32,
    /// Processor time, percent of one core.
    pub cpu_percent: u32,
    /// Processes and threads.
    pub tasks: u32,
    /// PHP requests at the same time.
    pub php_children: u32,
}

impl Default for SiteLimits {
    fn default() -> Self {
        // A WordPress request takes 30-60 MiB; eight at once is what a busy shop needs.
        Self {
            memory_mib: 768,
            cpu_percent: 200,
            tasks: 128,
            php_children: 8,
        }
    }
}

/// What one database server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseLimits {
    /// Memory of the server, MiB.
    pub memory_mib: u32,
    /// Processor time, percent of one core.
    pub cpu_percent: u32,
    /// Threads.
    pub tasks: u32,
    /// InnoDB buffer pool, MiB; MariaDB wants at least 6.
    pub buffer_pool_mib: u32,
    /// Connections at the same time.
    pub connections: u32,
}

impl Default for DatabaseLimits {
    fn default() -> Self {
        Self {
            memory_mib: 512,
            cpu_percent: 200,
            tasks: 256,
            buffer_pool_mib: 16,
            connections: 60,
        }
    }
}

/// A secret of this node. Whoever can name a site's PHP socket can talk to it through Apache
/// (`RewriteRule … [P]`), so the names contain a keyed hash.
#[derive(Clone)]
pub struct SocketKey([u8; 32]);

impl std::fmt::Debug for SocketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SocketKey(…)")
    }
}

impl SocketKey {
    /// A key from bytes; a test's, or one that all nodes share.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads this node's key, or draws one and keeps it (mode 0600).
    ///
    /// # Errors
    /// When the file can't be read or written, or is no key.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => bytes.try_into().map(Self).map_err(|_wrong| {
                io::Error::new(io::ErrorKind::InvalidData, "the file is not 32 bytes long")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = hwc_runtime::random::secret_bytes();
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                let mode = hwc_runtime::files::FileMode::SECRET;
                hwc_runtime::files::write_atomically(path, &bytes, mode)?;
                Ok(Self(bytes))
            }
            Err(error) => Err(error),
        }
    }

    /// The unguessable part of a name: 32 hexadecimal digits.
    #[must_use]
    pub fn name_of(&self, label: &str) -> String {
        use sha2::Digest;
        // The key has a fixed length and the result is cut, so that plain prefixing is enough.
        let digest = sha2::Sha256::new()
            .chain_update(self.0)
            .chain_update(label)
            .finalize();
        let mut name = hex::encode(digest);
        name.truncate(32);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_drawn_once_and_hidden() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("yakd/socket-key");
        let first = SocketKey::load_or_create(&path).expect("drawn");
        let again = SocketKey::load_or_create(&path).expect("read");
        assert_eq!(first.name_of("site-1"), again.name_of("site-1"));
        assert_ne!(first.name_of("site-1"), first.name_of("site-2"));
        assert_eq!(format!("{first:?}"), "SocketKey(…)");
        std::fs::write(&path, b"short").expect("written");
        assert!(SocketKey::load_or_create(&path).is_err());
    }
}
