//! A lab: nodes, a client and the network between them, from `up` to `down`.

mod network_faults;
mod options;
mod power;
mod status;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::Flock;

use crate::cgroup::Hierarchies;
use crate::command::{Command, Output};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::forward::{self, Targets};
use crate::gc::{self, Verdict};
use crate::helper::Helper;
use crate::image::{Cache, Image};
use crate::machine;
use crate::mounts;
use crate::names::{self, CLIENT, LabId, node_name};
use crate::network;
use crate::node::{Node, Notice};
use crate::progress::Progress;
use crate::state::{self, Forward, NodeRecord, Process, Record, Sharing, StateDirectory};
use crate::subnet::{NODES_MAX, Subnet};
use crate::teardown;

pub use options::{BindSources, LabOptions, parse_size};
pub use status::{LabStatus, NodeStatus};

/// How long a command waits for another one that works on the same lab.
const LOCK_LIMIT: Duration = Duration::from_secs(120);
/// How long a command in a node or in the client may run unless the caller says otherwise.
const EXEC_LIMIT: Duration = Duration::from_secs(60);

/// How a node came up.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Boot {
    /// Which node.
    pub node: String,
    /// Units that failed; empty when systemd calls the system `running`.
    pub failed_units: Vec<String>,
}

/// A lab that is up.
#[derive(Debug)]
pub struct Lab {
    id: LabId,
    directory: StateDirectory,
    record: Record,
    hierarchies: Hierarchies,
    /// Whether the lab goes down with this value.
    is_owned: bool,
    boots: Vec<Boot>,
    notices: Vec<Notice>,
}

impl Lab {
    /// Brings a lab up: builds the image if it is not cached, then boots all nodes in parallel and
    /// waits for them. Nothing is left behind when that fails. The lab goes down when the value is
    /// dropped, unless [`Lab::keep`] was called.
    ///
    /// # Errors
    /// When the machine lacks something, the id is in use, or a node does not boot in time.
    pub fn up(options: LabOptions) -> Result<Self> {
        let hierarchies = machine::require_lab()?;
        if !(1..=NODES_MAX).contains(&options.nodes) {
            return Err(Error::Input(format!(
                "{} nodes are not possible: a lab has 1 to {NODES_MAX}",
                options.nodes
            )));
        }
        let image = Cache::from_environment().ensure_with_tools(options.progress)?;
        let (mut lab, _lock) = Self::begin(&options, image, hierarchies)?;
        match lab.build(&options) {
            Ok(()) => {
                lab.directory.mark_up()?;
                lab.is_owned = true;
                Ok(lab)
            }
            Err(error) => {
                options
                    .progress
                    .say(format_args!("{}: cleaning up", error.chain()));
                if let Err(left) = teardown::remove(&lab.id, &lab.hierarchies) {
                    options.progress.say(left.chain());
                }
                Err(error)
            }
        }
    }

    /// Takes the id and a network, and writes the record.
    fn begin(
        options: &LabOptions,
        image: Image,
        hierarchies: Hierarchies,
    ) -> Result<(Self, Flock<std::fs::File>)> {
        let id = options.id.clone();
        let all = state::lock_all(Deadline::after(LOCK_LIMIT))?;
        make_way(&id, &hierarchies, options.progress)?;
        let subnet = Subnet::allocate(&state::subnets_in_use()?)?;
        let directory = StateDirectory::of(&id);
        directory.create()?;
        let lock = directory.lock(Sharing::Exclusive, Deadline::after(LOCK_LIMIT))?;
        let nodes = (1..=options.nodes).map(|number| NodeRecord {
            name: node_name(number),
            address: subnet.node(number),
        });
        let record = Record {
            id: id.to_string(),
            subnet,
            nodes: nodes.collect(),
            image: image.root,
            apps: image.apps,
            disk_bytes: options.disk_bytes,
            binds: options.binds.clone(),
            owner: if options.stays {
                None
            } else {
                Process::current()
            },
            boot: state::boot()?,
            made_at: state::made_at(),
        };
        directory.write_record(&record)?;
        drop(all);
        let lab = Self {
            id,
            directory,
            record,
            hierarchies,
            is_owned: false,
            boots: Vec::new(),
            notices: Vec::new(),
        };
        Ok((lab, lock))
    }

    fn build(&mut self, options: &LabOptions) -> Result<()> {
        let deadline = Deadline::after(options.boot_limit);
        std::fs::create_dir_all(self.directory.nodes()).map_err(|source| Error::File {
            verb: "create",
            path: self.directory.nodes(),
            source,
        })?;
        mounts::share(&self.directory.nodes())?;
        network::create_switch(&self.id)?;
        network::connect_member(&self.id, CLIENT, self.record.subnet.client())?;
        options.progress.say(format_args!(
            "lab {}: booting {} on Debian 13",
            self.id,
            names::join(&self.record.node_names())
        ));
        let nodes = self.nodes();
        let record = &self.record;
        let results: Vec<Result<(Boot, Vec<Notice>)>> = std::thread::scope(|scope| {
            let boot = |node: Node| {
                scope.spawn(move || {
                    node.create(record)?;
                    let notices = node.switch_on(record)?;
                    let failed_units = node.wait_until_booted(deadline)?;
                    let boot = Boot {
                        node: node.name().to_owned(),
                        failed_units,
                    };
                    options.progress.say(boot.describe());
                    Ok((boot, notices))
                })
            };
            let threads: Vec<_> = nodes.into_iter().map(boot).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Err(Error::Interrupted)))
                .collect()
        });
        for result in results {
            let (boot, mut notices) = result?;
            self.boots.push(boot);
            self.notices.append(&mut notices);
        }
        self.notices.sort();
        self.notices.dedup();
        for notice in &self.notices {
            options.progress.say(notice);
        }
        Ok(())
    }

    /// Opens a lab that is up. It does not go down with this value.
    ///
    /// # Errors
    /// When there is none of this id.
    pub fn open(id: &LabId) -> Result<Self> {
        machine::require_root()?;
        let directory = StateDirectory::of(id);
        let record = directory.record()?.ok_or_else(|| state::no_lab(id))?;
        let hierarchies = Hierarchies::detect()?;
        Ok(Self {
            id: id.clone(),
            directory,
            record,
            hierarchies,
            is_owned: false,
            boots: Vec::new(),
            notices: Vec::new(),
        })
    }

    /// The lab stays up when this value is dropped.
    ///
    /// # Errors
    /// When the record can't be written.
    pub fn keep(&mut self) -> Result<()> {
        self.is_owned = false;
        self.record.owner = None;
        self.directory.write_record(&self.record)
    }

    /// Takes everything down.
    ///
    /// # Errors
    /// When something is left; it can be tried again.
    pub fn down(mut self) -> Result<()> {
        self.is_owned = false;
        let _lock = self
            .directory
            .lock(Sharing::Exclusive, Deadline::after(LOCK_LIMIT))?;
        teardown::remove(&self.id, &self.hierarchies)
    }

    /// Its name.
    pub fn id(&self) -> &LabId {
        &self.id
    }

    /// How the nodes came up; only known to the one who brought the lab up.
    pub fn boots(&self) -> &[Boot] {
        &self.boots
    }

    /// What the nodes have to do without.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// All nodes.
    pub fn nodes(&self) -> Vec<Node> {
        let node = |node: &NodeRecord| {
            Node::new(
                &self.id,
                &self.directory,
                &node.name,
                node.address,
                &self.hierarchies,
            )
        };
        self.record.nodes.iter().map(node).collect()
    }

    /// One node.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn node(&self, name: &str) -> Result<Node> {
        self.nodes()
            .into_iter()
            .find(|node| node.name() == name)
            .ok_or_else(|| self.no_node(name))
    }

    fn no_node(&self, name: &str) -> Error {
        Error::NoNode {
            node: name.to_owned(),
            known: names::join(&self.record.node_names()),
        }
    }

    /// The nodes and the client.
    pub fn members(&self) -> Vec<String> {
        let mut members = self.record.node_names();
        members.push(CLIENT.to_owned());
        members
    }

    /// The address of a node or of the client.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn address(&self, member: &str) -> Result<Ipv4Addr> {
        if member == CLIENT {
            Ok(self.record.subnet.client())
        } else {
            Ok(self.node(member)?.address())
        }
    }

    /// Runs a command in a node, for at most a minute. Its exit code is in the output.
    ///
    /// # Errors
    /// When the node can't run commands or the command takes too long.
    pub fn exec(&self, node: &str, args: &[&str]) -> Result<Output> {
        self.node(node)?.exec(args, EXEC_LIMIT)
    }

    /// Runs a command in the client's network, for at most a minute. It sees this machine's files.
    ///
    /// # Errors
    /// When it can't be started or takes too long.
    pub fn client(&self, args: &[&str]) -> Result<Output> {
        self.client_command(args)?.limit(EXEC_LIMIT).run()
    }

    /// A command in the client's network, to be run as one likes.
    ///
    /// # Errors
    /// When the lab's cgroups are gone.
    pub fn client_command(
        &self,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Command> {
        let cgroup = format!("{}/{CLIENT}", self.id);
        let cgroups = self.hierarchies.make(&cgroup, &cgroup)?;
        Ok(network::command_inside(&self.id.namespace(CLIENT))
            .args(args)
            .in_cgroups(cgroups))
    }

    /// Opens a port of this machine that leads to the first of the targets that answers. Gives the
    /// port, which the kernel chooses for 0.
    ///
    /// # Errors
    /// When the port is taken or a target does not exist.
    pub fn forward(&self, port: u16, targets: &Targets) -> Result<u16> {
        let addresses: Vec<String> = targets
            .members
            .iter()
            .map(|member| Ok(SocketAddrV4::new(self.address(member)?, targets.port).to_string()))
            .collect::<Result<_>>()?;
        let _lock = self.shared()?;
        let _forwards_lock = self
            .directory
            .lock_part("forwards", Deadline::after(LOCK_LIMIT))?;
        let listener = forward::listen(port)?;
        let port = listener.local_addr().map_or(port, |address| address.port());
        let namespace = network::namespace_path(&self.id.namespace(CLIENT));
        let mut args = vec![
            "forward-connections".to_owned(),
            namespace.display().to_string(),
        ];
        args.extend(addresses);
        self.forward_helper(port)
            .start(None, args, Some(listener.into()))?;
        let mut forwards = self.running_forwards()?;
        forwards.retain(|forward| forward.port != port);
        forwards.push(Forward {
            port,
            targets: targets.members.clone(),
            target_port: targets.port,
        });
        self.directory.write_forwards(&forwards)?;
        Ok(port)
    }

    fn forward_helper(&self, port: u16) -> Helper<'_> {
        Helper::new(&self.id, &self.hierarchies, format!("forward-{port}"))
    }

    fn running_forwards(&self) -> Result<Vec<Forward>> {
        let mut forwards = self.directory.forwards()?;
        forwards.retain(|forward| self.forward_helper(forward.port).is_running());
        Ok(forwards)
    }

    /// Where the node's console output is written, for messages.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn console(&self, node: &str) -> Result<PathBuf> {
        Ok(self.node(node)?.console())
    }

    /// Keeps the lab from being taken down while a command works on it.
    fn shared(&self) -> Result<Flock<std::fs::File>> {
        if !self.directory.path().exists() {
            return Err(state::no_lab(&self.id));
        }
        self.directory
            .lock(Sharing::Shared, Deadline::after(LOCK_LIMIT))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.is_owned {
            return;
        }
        if let Err(error) = teardown::remove(&self.id, &self.hierarchies) {
            Progress::start().say(error.chain());
        }
    }
}

impl Boot {
    /// One line about it.
    pub fn describe(&self) -> String {
        match self.failed_units.is_empty() {
            true => format!("{} is running", self.node),
            false => format!(
                "{} is up, but these units failed: {}",
                self.node,
                self.failed_units.join(", ")
            ),
        }
    }
}

/// Removes a wreck of this id; a usable lab of this id is in the way. [`state::lock_all`] is held.
fn make_way(id: &LabId, hierarchies: &Hierarchies, progress: Progress) -> Result<()> {
    let directory = StateDirectory::of(id);
    let has_leftovers = network::namespaces()
        .iter()
        .any(|name| LabId::of_namespace(name).as_ref() == Some(id))
        || hierarchies.lab_ids().iter().any(|name| name == id.as_str());
    if !directory.path().exists() && !has_leftovers {
        return Ok(());
    }
    match gc::judge(gc::facts(id, hierarchies)?) {
        Verdict::Keep => {
            let nodes = directory
                .record()
                .ok()
                .flatten()
                .map(|record| record.node_names())
                .unwrap_or_default();
            Err(Error::AlreadyUp {
                id: id.to_string(),
                nodes: names::join(&nodes),
            })
        }
        Verdict::Remove(reason) => {
            progress.say(format_args!(
                "removing what is left of an earlier lab {id}: {reason}"
            ));
            teardown::remove(id, hierarchies)
        }
    }
}
