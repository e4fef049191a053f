//! The lab's network: a bridge in a namespace of its own, and a cable to every member.
//!
//! The machine's own network is never touched. A member's end is called `eth0`, its port at the
//! switch `p-MEMBER`. Namespaces outlive the containers, so that a killed node keeps its cable.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::command::Command;
use crate::error::Result;
use crate::names::LabId;
use crate::subnet::PREFIX_BITS;

/// The bridge in the switch's namespace.
pub(crate) const BRIDGE: &str = "br0";
/// Every member's end of its cable.
pub(crate) const MEMBER_PORT: &str = "eth0";

/// The switch's end of a member's cable.
pub(crate) fn switch_port(member: &str) -> String {
    format!("p-{member}")
}

/// Where a namespace's handle is.
pub(crate) fn namespace_path(namespace: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(namespace)
}

/// `ip -n NAMESPACE …`
pub(crate) fn ip(namespace: &str, args: &[&str]) -> Result<()> {
    Command::new("ip")
        .args(["-n", namespace])
        .args(args)
        .check()
        .map(drop)
}

/// Makes the switch.
pub(crate) fn create_switch(id: &LabId) -> Result<()> {
    let switch = id.switch_namespace();
    Command::new("ip").args(["netns", "add", &switch]).check()?;
    ip(&switch, &["link", "set", "lo", "up"])?;
    // No spanning tree, no waiting: a port forwards as soon as it is up.
    ip(
        &switch,
        &[
            "link",
            "add",
            BRIDGE,
            "type",
            "bridge",
            "forward_delay",
            "0",
            "mcast_snooping",
            "0",
        ],
    )?;
    ip(&switch, &["link", "set", BRIDGE, "up"])
}

/// Makes a member's namespace and its cable to the switch.
pub(crate) fn connect_member(id: &LabId, member: &str, address: Ipv4Addr) -> Result<()> {
    let (switch, namespace, port) = (
        id.switch_namespace(),
        id.namespace(member),
        switch_port(member),
    );
    Command::new("ip")
        .args(["netns", "add", &namespace])
        .check()?;
    ip(&namespace, &["link", "set", "lo", "up"])?;
    Command::new("ip")
        .args([
            "link",
            "add",
            MEMBER_PORT,
            "netns",
            &namespace,
            "type",
            "veth",
            "peer",
            "name",
            &port,
            "netns",
            &switch,
        ])
        .check()?;
    ip(&switch, &["link", "set", &port, "master", BRIDGE, "up"])?;
    ip(
        &namespace,
        &[
            "addr",
            "add",
            &format!("{address}/{PREFIX_BITS}"),
            "dev",
            MEMBER_PORT,
        ],
    )?;
    ip(&namespace, &["link", "set", MEMBER_PORT, "up"])
}

/// Who asked for an unreachable neighbour asks again at once, and not when the kernel's patience
/// with it is over.
pub(crate) fn forget_silent_neighbours(namespace: &str) -> Result<()> {
    for state in ["failed", "incomplete"] {
        ip(
            namespace,
            &["neigh", "flush", "dev", MEMBER_PORT, "nud", state],
        )?;
    }
    Ok(())
}

/// The names of all network namespaces of the machine.
pub(crate) fn namespaces() -> Vec<String> {
    let entries = std::fs::read_dir("/run/netns")
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Removes every namespace of a lab; cables go with them.
pub(crate) fn remove(id: &LabId) -> Result<()> {
    for namespace in namespaces()
        .into_iter()
        .filter(|name| LabId::of_namespace(name).as_ref() == Some(id))
    {
        Command::new("ip")
            .args(["netns", "del", &namespace])
            .check()?;
    }
    Ok(())
}

/// A program in a namespace. Unlike `ip netns exec` without a mount table of its own, which would
/// keep the disks of nodes busy for as long as the program runs.
pub(crate) fn command_inside(namespace: &str) -> Command {
    Command::new("nsenter").arg(format!("--net={}", namespace_path(namespace).display()))
}
