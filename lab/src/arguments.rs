//! What can be asked on the command line.

use std::net::SocketAddrV4;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Several full Debian 13 nodes on one machine, for demos, tests and benchmarks.
#[derive(Debug, Parser)]
#[command(name = "hwc-lab", version, propagate_version = true)]
pub struct Arguments {
    /// Which lab (default: demo); labs with different ids live side by side
    #[arg(long, global = true, value_name = "ID")]
    pub id: Option<String>,
    /// Answer with one JSON object on standard output
    #[arg(long = "json", global = true)]
    pub is_json: bool,
    /// Give up after this many seconds
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: Option<u64>,
    #[command(subcommand)]
    pub request: Request,
}

/// One request.
#[derive(Debug, Subcommand)]
pub enum Request {
    /// The image that all nodes share
    #[command(subcommand)]
    Image(ImageRequest),
    /// Boot nodes n1, n2… and a client
    Up(UpArguments),
    /// Take everything down
    Down,
    /// Remove labs that nobody can use any more
    Gc {
        /// Remove every lab
        #[arg(long)]
        all: bool,
    },
    /// Show labs, nodes, faults and forwards
    Status,
    /// Run a command in a node
    Exec {
        /// The node
        node: String,
        /// The command, after --
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Run a command of this machine in the client's network
    Client {
        /// The command, after --
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Open a shell in a node
    Shell {
        /// The node
        node: String,
    },
    /// End all processes of a node at once
    Kill {
        /// The node
        node: String,
    },
    /// Take the power from a node: what was not on disk is lost
    Powercut {
        /// The node
        node: String,
    },
    /// Switch a dead node on and wait until it has booted
    Start {
        /// The node
        node: String,
    },
    /// Stop all processes of a node; its kernel still answers
    Freeze {
        /// The node
        node: String,
    },
    /// Let a frozen node go on
    Thaw {
        /// The node
        node: String,
    },
    /// Unplug the cable of a node or of the client
    Isolate {
        /// The node, or client
        node: String,
    },
    /// Plug it in again
    Rejoin {
        /// The node, or client
        node: String,
    },
    /// Cut the network into groups, as in: partition n1,n2 n3
    Partition {
        /// Groups of members; who is in none reaches all
        #[arg(required = true, num_args = 2.., value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Remove every fault of the network
    Heal,
    /// Lose frames from and to nodes
    Loss {
        /// 0 to 100
        percent: f64,
        /// Nodes, or client; all nodes if none is named
        nodes: Vec<String>,
    },
    /// Limit what the cables of nodes carry, in each direction
    Rate {
        /// Megabit per second
        mbit: f64,
        /// Nodes, or client; all nodes if none is named
        nodes: Vec<String>,
    },
    /// Delay frames on the cables of nodes, in each direction
    Delay {
        /// Milliseconds; 0 ends it
        #[arg(value_parser = clap::value_parser!(u64).range(0..=60_000))]
        milliseconds: u64,
        /// Nodes, or client; all nodes if none is named
        nodes: Vec<String>,
    },
    /// Show the journal of a node, also of a dead one
    Logs {
        /// The node
        node: String,
        /// Go on showing what comes
        #[arg(short, long)]
        follow: bool,
        /// Only this unit
        #[arg(short, long, value_name = "UNIT")]
        unit: Option<String>,
        /// Only the last lines
        #[arg(short = 'n', long, value_name = "NUMBER")]
        lines: Option<u32>,
    },
    /// Lead 127.0.0.1:PORT of this machine to the first node that answers
    Forward {
        /// The port of this machine; 0 for any free one
        port: u16,
        /// As in n1,n2,n3:8443
        targets: String,
    },
    /// Copy a file into a node or out of it
    Cp {
        /// FILE or NODE:PATH
        from: String,
        /// NODE:PATH or FILE
        to: String,
    },
    /// The helper behind `delay` (internal)
    #[command(hide = true)]
    DelayLink {
        one: String,
        other: String,
        milliseconds: u64,
    },
    /// The helper behind `forward` (internal)
    #[command(hide = true)]
    ForwardConnections {
        namespace: PathBuf,
        targets: Vec<SocketAddrV4>,
    },
}

/// What can be asked about the image.
#[derive(Debug, Subcommand)]
pub enum ImageRequest {
    /// Build the image and the application archives if they are not cached
    Build {
        /// Build again even if they are
        #[arg(long)]
        fresh: bool,
    },
}

/// What a lab shall be like.
#[derive(Debug, Args)]
pub struct UpArguments {
    /// How many nodes
    pub nodes: usize,
    /// Size of each node's data pool (sparse)
    #[arg(long, default_value = "3G", value_name = "SIZE")]
    pub disk: String,
    /// Directory of hwcd, hwc and hwc-panel [default: where hwc-lab is]
    #[arg(long, value_name = "DIR")]
    pub bin: Option<PathBuf>,
    /// The panel's built site [default: target/site of the source tree]
    #[arg(long, value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// The source tree with apps/, locales/ and daemon/systemd/ [default: the one around hwc-lab or here]
    #[arg(long, value_name = "DIR")]
    pub repository: Option<PathBuf>,
}
