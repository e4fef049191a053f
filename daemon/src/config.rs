//! The daemon's configuration: `/etc/hwc/hwcd.toml`, every value with a default that suits an
//! ordinary server. An unknown key is an error: a mistyped one must not be ignored.

use anyhow::Context;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// What the daemon can be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Identity, registry and ownership rows.
    pub state: PathBuf,
    /// Sockets for the API.
    pub runtime: PathBuf,
    /// The pool: a mounted btrfs, its top level.
    pub pool: PathBuf,
    /// The catalogue of applications.
    pub apps: PathBuf,
    /// Archives of applications that need not be fetched.
    pub mirror: PathBuf,
    /// The address on which nodes talk to each other: all of IPv4 unless said otherwise.
    pub listen: IpAddr,
    /// The port on which nodes talk to each other, TCP and UDP.
    pub port: u16,
    /// Doors for visitors.
    pub doors: Doors,
    /// Whom the panel runs as; its group may connect to the API's public socket.
    pub panel_group: String,
}

/// Where the front doors listen.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Doors {
    /// HTTP.
    pub http: SocketAddr,
    /// HTTPS.
    pub https: SocketAddr,
    /// The panel and the API.
    pub panel: SocketAddr,
    /// MySQL over TCP, for this node's own sites.
    pub mysql: SocketAddr,
    /// MySQL over a Unix socket, where clients look for `localhost`.
    pub mysql_socket: PathBuf,
    /// Where `hwc-panel` listens.
    pub panel_upstream: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state: PathBuf::from("/var/lib/hwc"),
            runtime: PathBuf::from("/run/hwc"),
            pool: PathBuf::from("/srv/hwc"),
            apps: PathBuf::from("/usr/share/hwc/apps"),
            mirror: PathBuf::from("/usr/share/hwc/mirror"),
            listen: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 7400,
            doors: Doors::default(),
            panel_group: "hwc-panel".to_owned(),
        }
    }
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            http: SocketAddr::from(([0; 8], 80)),
            https: SocketAddr::from(([0; 8], 443)),
            panel: SocketAddr::from(([0; 8], 8443)),
            mysql: SocketAddr::from(([127, 0, 0, 1], 3306)),
            mysql_socket: PathBuf::from("/run/mysqld/mysqld.sock"),
            panel_upstream: SocketAddr::from(([127, 0, 0, 1], 8081)),
        }
    }
}

impl Config {
    /// Reads the file; where there is none, the defaults.
    ///
    /// # Errors
    /// When it can't be read or understood; says where.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                toml::from_str(&text).with_context(|| format!("understand {}", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_is_an_error() {
        assert!(toml::from_str::<Config>("port = 7401\n[doors]\nhttp = \"127.0.0.1:80\"").is_ok());
        assert!(toml::from_str::<Config>("prot = 7401").is_err());
    }
}
