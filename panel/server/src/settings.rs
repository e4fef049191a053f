//! The command line; every option may come from the environment as well.

use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The panel's web server.
#[derive(Debug, Clone, Parser)]
#[command(name = "hwc-panel", version)]
pub struct Settings {
    /// Where to listen. The cluster's proxy comes here; nobody else should be able to.
    #[arg(long, env = "HWC_PANEL_LISTEN", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,

    /// The Unix socket of this node's API.
    #[arg(
        long,
        env = "HWC_PANEL_API_SOCKET",
        default_value = "/run/hwc/api.sock"
    )]
    pub api_socket: PathBuf,

    /// The folder with the browser's half, fonts and images.
    #[arg(
        long,
        env = "HWC_PANEL_SITE_ROOT",
        default_value = "/usr/share/hwc/panel"
    )]
    pub site_root: PathBuf,

    /// The folder with a folder of messages for each language.
    #[arg(
        long,
        env = "HWC_PANEL_LOCALES",
        default_value = "/usr/share/hwc/locales"
    )]
    pub locales: PathBuf,
}
