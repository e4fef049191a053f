//! Delays without netem: a cable of which a process of ours is the middle piece.
//!
//! The member's port `p-MEMBER` is taken out of the bridge; a pair `q-MEMBER` (in the bridge) and
//! `d-MEMBER` takes its place; the helper ([`run`]) carries frames between `p-` and `d-` and holds
//! each for the delay. Frames must be complete, so checksum and segmentation offload is switched off.

use std::os::fd::AsRawFd;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    self, AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike,
    sockopt,
};

use crate::cgroup::Hierarchies;
use crate::deadline;
use crate::error::{Error, Result};
use crate::helper::{self, Helper};
use crate::names::LabId;
use crate::network::{self, BRIDGE, MEMBER_PORT, command_inside, switch_port};

/// Frames on the way in one direction; more are dropped, as a switch would.
const QUEUE_FRAMES: usize = 50_000;
/// Receive buffer of each socket, in bytes: a burst that comes while we are not scheduled.
const RECEIVE_BUFFER: usize = 16 << 20;
/// The largest frame there can be, in bytes.
const FRAME_BYTES_MAX: usize = 65_600;
/// `sll_pkttype` of frames that this machine sends itself (packet(7)).
const PACKET_OUTGOING: u8 = 4;

/// The bridge's end of a delayed cable.
pub(crate) fn bridge_port(member: &str) -> String {
    format!("q-{member}")
}

/// The helper's end.
fn helper_port(member: &str) -> String {
    format!("d-{member}")
}

fn link_helper<'a>(id: &'a LabId, hierarchies: &'a Hierarchies, member: &str) -> Helper<'a> {
    Helper::new(id, hierarchies, format!("delay-{member}"))
}

/// Puts the helper into a member's cable.
pub(crate) fn add(
    id: &LabId,
    hierarchies: &Hierarchies,
    members: &[String],
    member: &str,
    delay_ms: u64,
) -> Result<()> {
    let switch = id.switch_namespace();
    for other in members {
        switch_offload_off(&id.namespace(other), MEMBER_PORT)?;
        switch_offload_off(&switch, &switch_port(other))?;
    }
    let (port, bridge, middle) = (
        switch_port(member),
        bridge_port(member),
        helper_port(member),
    );
    network::ip(
        &switch,
        &[
            "link", "add", &bridge, "type", "veth", "peer", "name", &middle,
        ],
    )?;
    switch_offload_off(&switch, &bridge)?;
    switch_offload_off(&switch, &middle)?;
    network::ip(&switch, &["link", "set", &port, "nomaster"])?;
    network::ip(&switch, &["link", "set", &middle, "up"])?;
    network::ip(&switch, &["link", "set", &bridge, "master", BRIDGE, "up"])?;
    let args = ["delay-link", &port, &middle, &delay_ms.to_string()];
    link_helper(id, hierarchies, member).start(Some(&switch), args, None)
}

/// Makes the cable whole again.
pub(crate) fn remove(id: &LabId, hierarchies: &Hierarchies, member: &str) -> Result<()> {
    let helper = link_helper(id, hierarchies, member);
    if !helper.is_running() {
        return Ok(());
    }
    helper.stop()?;
    let switch = id.switch_namespace();
    network::ip(&switch, &["link", "del", &bridge_port(member)])?;
    network::ip(
        &switch,
        &["link", "set", &switch_port(member), "master", BRIDGE],
    )
}

fn switch_offload_off(namespace: &str, device: &str) -> Result<()> {
    let off = [
        "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off",
    ];
    command_inside(namespace)
        .args(["ethtool", "-K", device])
        .args(off)
        .check()
        .map(drop)
}

/// The helper: carries frames between two interfaces until it is killed.
///
/// # Errors
/// When an interface does not exist or its frames can't be read.
pub fn run(one: &str, other: &str, delay: Duration) -> Result<()> {
    let (one, other) = (Port::open(one)?, Port::open(other)?);
    helper::say_ready();
    std::thread::scope(|scope| {
        for (from, to) in [(&one, &other), (&other, &one)] {
            let (sender, receiver) = mpsc::sync_channel(QUEUE_FRAMES);
            scope.spawn(move || from.read_frames(&sender));
            scope.spawn(move || to.send_frames(&receiver, delay));
        }
    });
    Err(Error::Input(
        "the delayed cable has lost an interface".into(),
    ))
}

/// A frame and when it came.
type Frame = (Instant, Vec<u8>);

/// A raw socket on one interface.
struct Port {
    socket: std::os::fd::OwnedFd,
    index: usize,
}

impl Port {
    fn open(name: &str) -> Result<Self> {
        let failed = |errno: nix::Error| Error::System {
            what: format!("open interface {name}"),
            source: errno.into(),
        };
        let mut interfaces = getifaddrs()
            .map_err(failed)?
            .filter(|interface| interface.interface_name == name);
        let address = interfaces.find_map(|interface| interface.address?.as_link_addr().copied());
        let address = address.ok_or_else(|| failed(nix::Error::ENODEV))?;
        let socket = socket::socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )
        .map_err(failed)?;
        socket::setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).map_err(failed)?;
        debug_assert_eq!(address.family(), Some(AddressFamily::Packet));
        socket::bind(socket.as_raw_fd(), &address).map_err(failed)?;
        Ok(Self {
            socket,
            index: address.ifindex(),
        })
    }

    fn read_frames(&self, queue: &SyncSender<Frame>) {
        let mut buffer = vec![0; FRAME_BYTES_MAX];
        loop {
            match socket::recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((length, Some(from))) => {
                    // Before the bind took effect, frames of other interfaces may have come in.
                    if from.pkttype() != PACKET_OUTGOING && from.ifindex() == self.index {
                        // A full queue drops the frame.
                        let _ = queue.try_send((deadline::now(), buffer[..length].to_vec()));
                    }
                }
                // The interface was down for a moment (isolate): it comes back.
                Ok((_, None)) | Err(nix::Error::ENETDOWN | nix::Error::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    fn send_frames(&self, queue: &Receiver<Frame>, delay: Duration) {
        while let Ok((came, frame)) = queue.recv() {
            let due = came + delay;
            std::thread::sleep(due.saturating_duration_since(deadline::now()));
            // What can't be sent is lost, as on a cable.
            let _ = socket::send(self.socket.as_raw_fd(), &frame, MsgFlags::empty());
        }
    }
}
