//! `hwc-demo up`: three nodes, a cluster, an administrator and a customer, and a port of this
//! machine that leads to the panel. `hwc-demo down` takes it all away.
//!
//! The same programs, commands and panel as in production; only the servers are containers.
//! `target/demo/cluster.json` says where everything is, for programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use hwc_lab::cluster::{self, Login};
use hwc_lab::{Lab, LabId, LabOptions, Targets, interrupt};
use serde::Serialize;

/// The port of this machine that leads to the panel.
const PANEL_PORT: u16 = 8443;
const NODES: usize = 3;
/// Characters of a made-up password, 5.9 bits each.
const PASSWORD_LENGTH: usize = 16;

/// The demo: a cluster of three nodes on this machine.
#[derive(Parser)]
#[command(name = "hwc-demo")]
struct Arguments {
    /// The lab's name.
    #[arg(long, global = true, default_value = "demo")]
    id: String,
    /// The port of this machine that leads to the panel.
    #[arg(long, global = true, default_value_t = PANEL_PORT)]
    port: u16,
    /// Where cluster.json is written.
    #[arg(long, global = true, default_value = "target/demo/cluster.json")]
    output: PathBuf,
    #[command(subcommand)]
    request: Request,
}

#[derive(Subcommand)]
enum Request {
    /// Bring the demo up; says where it is if it is up already.
    Up,
    /// Take it away.
    Down,
}

/// What programs find in cluster.json.
#[derive(Serialize)]
struct Description {
    panel_url: String,
    admin: Login,
    customer: Login,
    lab_id: String,
    nodes: Vec<NodeDescription>,
}

#[derive(Serialize)]
struct NodeDescription {
    name: String,
    address: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    interrupt::watch()?;
    let id: LabId = arguments.id.parse()?;
    match arguments.request {
        Request::Up => up(&id, arguments.port, &arguments.output),
        Request::Down => down(&id, &arguments.output),
    }
}

fn up(id: &LabId, port: u16, output: &Path) -> Result<()> {
    if Lab::open(id).is_ok() {
        let text = fs::read_to_string(output);
        let text = text.context("the lab is up but the demo is not: run `make demo-down` first")?;
        say(&format!("The demo is up already:\n{text}"));
        return Ok(());
    }
    let options = LabOptions {
        stays: false,
        ..LabOptions::new(id.clone(), NODES)
    };
    let progress = options.progress;
    let mut lab = Lab::up(options)?;
    let admin = Login {
        login: "admin".to_owned(),
        password: password()?,
    };
    let customer = Login {
        login: "mara".to_owned(),
        password: password()?,
    };
    cluster::begin(&lab, &admin, progress)?;
    cluster::create_customer(&lab, "n1", &customer, "Mara Thiele")?;
    let members = lab
        .nodes()
        .iter()
        .map(|node| node.name().to_owned())
        .collect();
    lab.forward(
        port,
        &Targets {
            members,
            port: PANEL_PORT,
        },
    )?;
    let description = describe(&lab, port, admin, customer);
    write(output, &description)?;
    lab.keep()?;
    tell(&description, output);
    Ok(())
}

fn down(id: &LabId, output: &Path) -> Result<()> {
    if let Ok(lab) = Lab::open(id) {
        lab.down()?;
        say("The demo is gone.");
    } else {
        say("The demo was not up.");
    }
    match fs::remove_file(output) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", output.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn describe(lab: &Lab, port: u16, admin: Login, customer: Login) -> Description {
    let node = |node: &hwc_lab::Node| NodeDescription {
        name: node.name().to_owned(),
        address: node.address().to_string(),
    };
    Description {
        panel_url: format!("https://127.0.0.1:{port}"),
        admin,
        customer,
        lab_id: lab.id().to_string(),
        nodes: lab.nodes().iter().map(node).collect(),
    }
}

fn write(path: &Path, description: &Description) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let json = serde_json::to_string_pretty(description).context("write JSON")?;
    fs::write(path, json + "\n").with_context(|| format!("write {}", path.display()))
}

fn tell(description: &Description, output: &Path) {
    let Description {
        panel_url,
        admin,
        customer,
        lab_id,
        nodes,
    } = description;
    let names: Vec<_> = nodes
        .iter()
        .map(|node| format!("{} ({})", node.name, node.address))
        .collect();
    say(&format!(
        "\nHybrid Web Cluster is up: {}\n\n  Panel          {panel_url}  (its certificate is the cluster's own: accept it)\
         \n  Customer       {}  {}\n  Administrator  {}  {}\n\n  Look inside    target/debug/hwc-lab exec n1 -- hwc status\
         \n  Kill a node    target/debug/hwc-lab kill n1   (and: start n1)\n  Take it away   make demo-down\n\n\
         For programs: {} (lab {lab_id})",
        names.join(", "),
        customer.login,
        customer.password,
        admin.login,
        admin.password,
        output.display(),
    ));
}

/// A random password of letters and digits that people can't confuse.
fn password() -> Result<String> {
    const LETTERS: &[u8] = b"23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut bytes = [0; PASSWORD_LENGTH];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .context("get randomness")?;
    // 256 is no multiple of 56: the first 32 letters are a fifth likelier, of no matter here.
    let letter = |byte: &u8| {
        LETTERS
            .get(usize::from(*byte) % LETTERS.len())
            .map_or('x', |b| char::from(*b))
    };
    Ok(bytes.iter().map(letter).collect())
}

#[expect(clippy::print_stdout, reason = "a command line prints")]
fn say(text: &str) {
    println!("{text}");
}
