//! Work with the file rights of a dataset's owner.
//!
//! A thread of its own takes the owner's filesystem user and group (setfsuid(2)) and ends with the
//! work. Only these: with real and effective user still root's, the owner can't send this process
//! a signal or trace it, which after a setresuid(2) of the thread it could. The kernel takes
//! CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER and their kin from the thread at the same moment.

use crate::error::YakdError;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// User and group of a dataset's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl From<crate::gather::TenantId> for Owner {
    fn from(tenant: crate::gather::TenantId) -> Self {
        Self {
            uid: tenant.number(),
            gid: tenant.number(),
        }
    }
}

/// Does work with the owner's file rights and waits for it.
///
/// # Errors
/// [`YakdError::Thread`] when the thread can't be started, can't become the owner, or panics.
pub async fn as_owner<T, W>(owner: Owner, work: W) -> Result<T, YakdError>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("as-owner".into());
    let started = thread.spawn(move || {
        if become_owner(owner) {
            // The caller may have gone away: then nobody wants the result.
            let _unwanted = sender.send(work());
        }
    });
    started.map_err(|error| {
        tracing::error!(%error, "a thread can't be started");
        YakdError::Thread
    })?;
    receiver.await.map_err(|_gone| YakdError::Thread)
}

/// Takes the owner's file rights for this thread; says whether that is so.
fn become_owner(owner: Owner) -> bool {
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    if nix::unistd::geteuid() == uid {
        return true;
    }
    // Supplementary groups of root's would stay with the thread otherwise.
    let has_no_groups = rustix::thread::set_thread_groups(&[]).is_ok();
    setfsgid(gid);
    setfsuid(uid);
    // Both calls answer with the previous id and never with an error: asked again, an id that can't
    // be taken, they tell the present one.
    let none = u32::MAX;
    let is_owner = setfsuid(Uid::from_raw(none)) == uid && setfsgid(Gid::from_raw(none)) == gid;
    if !(has_no_groups && is_owner) {
        tracing::error!(
            uid = owner.uid,
            "can't take the rights of a dataset's owner"
        );
    }
    has_no_groups && is_owner
}
