//! Serves the API on its two Unix sockets.

use super::identity::ThroughControlSocket;
use axum::{Extension, Router};
use hwc_runtime::lifecycle::Tasks;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Where the sockets are and who may connect.
#[derive(Debug, Clone)]
pub struct Sockets {
    /// For root on this node.
    pub control: PathBuf,
    /// For the front door and the panel.
    pub public: PathBuf,
    /// The group that may connect to the public one, besides root.
    pub public_group: Option<u32>,
}

/// Begins to serve.
///
/// # Errors
/// When a socket can't be made.
pub fn serve(router: &Router, sockets: &Sockets, tasks: &Tasks) -> io::Result<()> {
    let control = listen(&sockets.control, 0o600, None)?;
    let public = listen(&sockets.public, 0o660, sockets.public_group)?;
    let trusted = router.clone().layer(Extension(ThroughControlSocket));
    spawn("control socket", control, trusted, tasks);
    spawn("API socket", public, router.clone(), tasks);
    Ok(())
}

fn spawn(name: &str, listener: UnixListener, router: Router, tasks: &Tasks) {
    let token = tasks.token();
    tasks.spawn(name.to_owned(), async move {
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(async move { token.cancelled().await });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the API stopped");
        }
    });
}

fn listen(path: &Path, mode: u32, group: Option<u32>) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    chown(path, None, group)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(listener)
}
