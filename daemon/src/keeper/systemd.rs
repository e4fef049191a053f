//! Telling systemd how the daemon is, and the store in which systemd keeps sockets between two
//! daemons (`sd_notify(3)`, `FDSTORE=1`). Without systemd nobody is told and nothing is kept.

use super::decide::State;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, sendmsg_addr, socket_with,
};
use sd_notify::NotifyState;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// The sockets that systemd kept, with their names.
///
/// # Errors
/// When what systemd says of them makes no sense.
#[expect(
    unsafe_code,
    reason = "systemd hands sockets over by number; nobody else in this process knows them"
)]
pub fn kept_sockets() -> io::Result<Vec<(String, OwnedFd)>> {
    use std::os::fd::FromRawFd;
    let kept = sd_notify::listen_fds_with_names()?;
    Ok(kept
        // SAFETY: systemd opened these for this process (LISTEN_PID is checked), and this is called
        // once, before anything else takes numbers from their range.
        .map(|(number, name)| (name, unsafe { OwnedFd::from_raw_fd(number) }))
        .collect())
}

/// Tells systemd.
///
/// # Errors
/// When it can't be told.
pub fn tell(state: State) -> io::Result<()> {
    sd_notify::notify(&[match state {
        State::Ready => NotifyState::Ready,
        State::Stopping => NotifyState::Stopping,
    }])
}

/// Takes a socket out of the store.
///
/// # Errors
/// When systemd can't be told.
pub fn forget(name: &str) -> io::Result<()> {
    let name = format!("FDNAME={name}");
    sd_notify::notify(&[
        NotifyState::Custom("FDSTOREREMOVE=1"),
        NotifyState::Custom(&name),
    ])
}

/// Puts a socket into the store.
///
/// # Errors
/// When systemd can't be told.
pub fn keep(name: &str, socket: BorrowedFd<'_>) -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name)?,
        path => SocketAddrUnix::new(path)?,
    };
    let from = socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let text = format!("FDSTORE=1\nFDNAME={name}\n");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    let sockets = [socket];
    along.push(SendAncillaryMessage::ScmRights(&sockets));
    sendmsg_addr(
        &from,
        &address,
        &[IoSlice::new(text.as_bytes())],
        &mut along,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}
