//! Calls the library for each request.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use hwc_lab::command::Command;
use hwc_lab::image::Cache;
use hwc_lab::lab::parse_size;
use hwc_lab::names::{parse_groups, parse_members};
use hwc_lab::{
    Boot, Lab, LabId, LabOptions, LabStatus, Node, NodeState, Progress, Targets, delay, forward,
    gc, machine, state,
};

use crate::answer::Answer;
use crate::arguments::{Arguments, ImageRequest, Request, UpArguments};

/// The lab that is meant when none is named.
const DEFAULT_ID: &str = "demo";
/// Commands whose output is collected (`--json`, `cp`) end after this unless told otherwise.
const COLLECT_LIMIT: Duration = Duration::from_secs(300);
/// Booting a node, unless told otherwise.
const START_LIMIT: Duration = Duration::from_secs(180);

/// What all requests have in common.
struct Call {
    id: Option<String>,
    is_json: bool,
    timeout: Option<u64>,
}

impl Call {
    fn id(&self) -> Result<LabId> {
        Ok(self.id.as_deref().unwrap_or(DEFAULT_ID).parse()?)
    }

    fn lab(&self) -> Result<Lab> {
        Ok(Lab::open(&self.id()?)?)
    }

    fn limit(&self, default: Duration) -> Duration {
        self.timeout.map_or(default, Duration::from_secs)
    }
}

/// Answers a request. Commands that only pass a program through become that program.
pub fn run(arguments: Arguments) -> Result<Answer> {
    let call = Call {
        id: arguments.id,
        is_json: arguments.is_json,
        timeout: arguments.timeout,
    };
    match arguments.request {
        Request::Image(ImageRequest::Build { fresh }) => build_image(fresh),
        Request::Up(up) => bring_up(&call, up),
        Request::Down => {
            let lab = call.lab()?;
            let id = lab.id().to_string();
            lab.down()?;
            done(format!("lab {id} is gone"), json!({ "id": id }))
        }
        Request::Gc { all } => collect_garbage(all),
        Request::Status => status(&call),
        Request::Exec { node, command } => exec(&call, &node, &command),
        Request::Client { command } => client(&call, &command),
        Request::Shell { node } => {
            let shell = call.lab()?.node(&node)?.exec_command([
                "SHELL=/bin/bash",
                "script",
                "--quiet",
                "/dev/null",
            ])?;
            Err(shell.stdin_inherited().become_program().into())
        }
        Request::Kill { node } => on_node(&call, &node, "was killed", Lab::kill),
        Request::Powercut { node } => on_node(&call, &node, "lost its power", Lab::powercut),
        Request::Start { node } => start(&call, &node),
        Request::Freeze { node } => on_node(&call, &node, "is frozen", Lab::freeze),
        Request::Thaw { node } => on_node(&call, &node, "goes on", Lab::thaw),
        Request::Isolate { node } => on_node(&call, &node, "is isolated", Lab::isolate),
        Request::Rejoin { node } => on_node(&call, &node, "is connected again", Lab::rejoin),
        Request::Partition { groups } => {
            let groups = parse_groups(groups.iter().map(String::as_str))?;
            call.lab()?.partition(&groups)?;
            done("the network is cut", json!({ "groups": groups }))
        }
        Request::Heal => {
            call.lab()?.heal()?;
            done("the network is whole", json!({}))
        }
        Request::Loss { percent, nodes } => on_members(
            &call,
            &nodes,
            &format!("lose {percent} % of frames"),
            |lab, nodes| lab.loss(percent, nodes),
        ),
        Request::Rate { mbit, nodes } => on_members(
            &call,
            &nodes,
            &format!("carry {mbit} Mbit/s"),
            |lab, nodes| lab.rate(mbit, nodes),
        ),
        Request::Delay {
            milliseconds,
            nodes,
        } => {
            let what = format!("take {milliseconds} ms longer in each direction");
            on_members(&call, &nodes, &what, |lab, nodes| {
                lab.delay(milliseconds, nodes)
            })
        }
        Request::Logs {
            node,
            follow,
            unit,
            lines,
        } => logs(&call, &node, follow, unit.as_deref(), lines),
        Request::Forward { port, targets } => {
            let parsed: Targets = targets.parse()?;
            let port = call.lab()?.forward(port, &parsed)?;
            let json =
                json!({ "port": port, "targets": parsed.members, "target_port": parsed.port });
            done(format!("127.0.0.1:{port} leads to {targets}"), json)
        }
        Request::Cp { from, to } => copy(&call, &from, &to),
        Request::DelayLink {
            one,
            other,
            milliseconds,
        } => Err(
            delay::run(&one, &other, Duration::from_millis(milliseconds))
                .err()
                .context("delay frames")?
                .into(),
        ),
        Request::ForwardConnections { namespace, targets } => {
            Err(forward::run(&namespace, &targets)
                .err()
                .context("forward connections")?
                .into())
        }
    }
}

/// An answer with `"ok": true` in its object.
fn done(text: impl Into<String>, mut json: Value) -> Result<Answer> {
    if let Some(object) = json.as_object_mut() {
        object.insert("ok".into(), true.into());
    }
    Ok(Answer::new(text, json))
}

fn build_image(fresh: bool) -> Result<Answer> {
    machine::require_image_tools()?;
    let image = Cache::from_environment().ensure(fresh, Progress::start())?;
    let json = json!({ "root": image.root, "apps": image.apps, "was_cached": image.was_cached });
    let how = if image.was_cached {
        "was there already"
    } else {
        "is built"
    };
    done(format!("the image {how}: {}", image.root.display()), json)
}

fn bring_up(call: &Call, up: UpArguments) -> Result<Answer> {
    let mut options = LabOptions::new(call.id()?, up.nodes);
    options.set_disk_bytes(parse_size(&up.disk)?)?;
    options.boot_limit = call.limit(options.boot_limit);
    options.stays = true;
    let given = |given: Option<PathBuf>, default: Option<PathBuf>| match given {
        Some(directory) => directory
            .canonicalize()
            .with_context(|| format!("find {}", directory.display()))
            .map(Some),
        None => Ok(default),
    };
    options.binds.repository = given(up.repository, options.binds.repository.take())?;
    options.binds.bin = given(up.bin, options.binds.bin.take())?;
    options.binds.site = given(up.site, options.binds.site.take())?;
    let progress = options.progress;
    let mut lab = Lab::up(options)?;
    lab.keep()?;
    let status = lab.status()?;
    progress.say(format_args!("lab {} is up", status.id));
    let json = json!({ "lab": status, "boots": lab.boots(), "notices": lab.notices() });
    done(describe(&status), json)
}

fn collect_garbage(all: bool) -> Result<Answer> {
    let hierarchies = machine::require_lab()?;
    let removed = gc::collect(&hierarchies, all, Progress::start())?;
    let lines: Vec<_> = removed
        .iter()
        .map(|removed| format!("removed {}: {}", removed.id, removed.reason))
        .collect();
    let text = if lines.is_empty() {
        "nothing to remove".to_owned()
    } else {
        lines.join("\n")
    };
    done(text, json!({ "removed": removed }))
}

fn status(call: &Call) -> Result<Answer> {
    machine::require_root()?;
    let ids = match &call.id {
        Some(_) => vec![call.id()?],
        None => state::lab_ids(),
    };
    let mut labs = Vec::new();
    for id in ids {
        match Lab::open(&id) {
            Ok(lab) => labs.push(lab.status()?),
            // Between its directory and its record, or a wreck: not an error when all labs are asked for.
            Err(hwc_lab::Error::NoLab { .. }) if call.id.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let texts: Vec<_> = labs.iter().map(describe).collect();
    let text = if texts.is_empty() {
        "no lab is up".to_owned()
    } else {
        texts.join("\n\n")
    };
    done(text, json!({ "labs": labs }))
}

fn describe(status: &LabStatus) -> String {
    let incomplete = if status.is_up {
        ""
    } else {
        " (not completely up)"
    };
    let mut lines = vec![format!(
        "lab {}{incomplete}: {}, client {}",
        status.id, status.network, status.client
    )];
    for node in &status.nodes {
        let state = match node.state {
            NodeState::Running => "running",
            NodeState::Frozen => "frozen",
            NodeState::Dead => "dead",
        };
        lines.push(format!("  {:<5} {:<15} {state}", node.name, node.address));
    }
    let faults = &status.faults;
    if !faults.partition.is_empty() {
        let groups: Vec<_> = faults
            .partition
            .iter()
            .map(|group| group.join(","))
            .collect();
        lines.push(format!("  cut into {}", groups.join(" | ")));
    }
    lines.extend(
        faults
            .isolated
            .iter()
            .map(|member| format!("  {member} is isolated")),
    );
    lines.extend(
        faults
            .loss_percent
            .iter()
            .map(|(member, percent)| format!("  {member} loses {percent} %")),
    );
    lines.extend(
        faults
            .rate_mbit
            .iter()
            .map(|(member, mbit)| format!("  {member} is limited to {mbit} Mbit/s")),
    );
    lines.extend(
        faults
            .delay_ms
            .iter()
            .map(|(member, delay)| format!("  {member} is delayed by {delay} ms")),
    );
    for forward in &status.forwards {
        lines.push(format!(
            "  127.0.0.1:{} leads to {}:{}",
            forward.port,
            forward.targets.join(","),
            forward.target_port
        ));
    }
    lines.join("\n")
}

fn exec(call: &Call, node: &str, command: &[String]) -> Result<Answer> {
    let node = call.lab()?.node(node)?;
    // Inside, so that it is the command that is ended and not only our side of it.
    let limit = call
        .timeout
        .map(|seconds| ["timeout".to_owned(), seconds.to_string()]);
    let command = node.exec_command(limit.iter().flatten().chain(command))?;
    pass_through(call, command)
}

fn client(call: &Call, command: &[String]) -> Result<Answer> {
    let limit = call
        .timeout
        .map(|seconds| ["timeout".to_owned(), seconds.to_string()]);
    let command = call
        .lab()?
        .client_command(limit.iter().flatten().chain(command))?;
    pass_through(call, command)
}

/// Standard streams and exit code are the program's; with `--json` they are collected.
fn pass_through(call: &Call, command: Command) -> Result<Answer> {
    if !call.is_json {
        return Err(command.stdin_inherited().become_program().into());
    }
    let output = command
        .limit(call.limit(COLLECT_LIMIT) + Duration::from_secs(5))
        .run()?;
    let json = json!({
        "ok": output.is_success(),
        "code": output.code,
        "stdout": String::from_utf8_lossy(&output.stdout),
        "stderr": String::from_utf8_lossy(&output.stderr),
    });
    Ok(Answer::new("", json).with_code(output.code))
}

fn start(call: &Call, node: &str) -> Result<Answer> {
    let boot: Boot = call.lab()?.start(node, call.limit(START_LIMIT))?;
    done(
        boot.describe(),
        json!({ "node": boot.node, "failed_units": boot.failed_units }),
    )
}

fn on_node(
    call: &Call,
    node: &str,
    what: &str,
    act: impl FnOnce(&Lab, &str) -> hwc_lab::Result<()>,
) -> Result<Answer> {
    act(&call.lab()?, node)?;
    done(format!("{node} {what}"), json!({ "node": node }))
}

/// Nobody named means all nodes.
fn on_members(
    call: &Call,
    nodes: &[String],
    what: &str,
    act: impl FnOnce(&Lab, &[String]) -> hwc_lab::Result<()>,
) -> Result<Answer> {
    let lab = call.lab()?;
    let mut members = parse_members(nodes.iter().map(String::as_str));
    if members.is_empty() {
        members = lab
            .nodes()
            .iter()
            .map(|node| node.name().to_owned())
            .collect();
    }
    act(&lab, &members)?;
    done(
        format!("{}: {what}", members.join(", ")),
        json!({ "nodes": members }),
    )
}

fn logs(
    call: &Call,
    node: &str,
    follow: bool,
    unit: Option<&str>,
    lines: Option<u32>,
) -> Result<Answer> {
    let node: Node = call.lab()?.node(node)?;
    let mut args = vec!["--no-pager".to_owned()];
    args.extend(follow.then(|| "--follow".to_owned()));
    args.extend(unit.map(|unit| format!("--unit={unit}")));
    args.extend(lines.map(|lines| format!("--lines={lines}")));
    let command = match node.state() {
        NodeState::Running => {
            node.exec_command(std::iter::once("journalctl".to_owned()).chain(args))?
        }
        // Its journal is on its disk, which we can read from here.
        NodeState::Frozen | NodeState::Dead if node.journal().is_dir() => {
            Command::new("journalctl")
                .arg("--directory")
                .arg(node.journal())
                .args(args)
        }
        NodeState::Frozen | NodeState::Dead => {
            bail!(
                "{} has no journal within reach after a power cut; `hwc-lab start {}` makes it readable",
                node.name(),
                node.name()
            )
        }
    };
    pass_through(call, command)
}

fn copy(call: &Call, from: &str, to: &str) -> Result<Answer> {
    let lab = call.lab()?;
    let limit = call.limit(COLLECT_LIMIT);
    match (node_path(from), node_path(to)) {
        (None, Some((node, path))) => lab.node(node)?.copy_in(Path::new(from), path, limit)?,
        (Some((node, path)), None) => lab.node(node)?.copy_out(path, Path::new(to), limit)?,
        (Some(_), Some(_)) | (None, None) => {
            bail!("cp needs a file here and a file in a node, as in: cp page.php n1:/srv/page.php")
        }
    }
    done(
        format!("copied {from} to {to}"),
        json!({ "from": from, "to": to }),
    )
}

/// `n1:/path`; what has a slash before the colon is a file here.
fn node_path(text: &str) -> Option<(&str, &str)> {
    let (node, path) = text.split_once(':')?;
    (!node.is_empty() && !node.contains('/') && !path.is_empty()).then_some((node, path))
}
