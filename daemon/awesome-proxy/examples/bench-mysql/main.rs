//! What a statement costs through the MySQL door: `SELECT 1` in a loop, small results, and one of
//! 16 MB, straight to a server's socket and through a door with one worker.
//!
//! `cargo run --release -p hwc-awesome-proxy --example bench-mysql -- SOCKET USER PASSWORD`, with a
//! running MariaDB, an account on it, and a database `shop`.

#[allow(dead_code, clippy::expect_used, reason = "it belongs to the tests")]
#[path = "../../tests/support/sql.rs"]
mod sql;

use anyhow::{Context, Result, bail};
use futures::future::BoxFuture;
use hwc_api::balancing::Balancing;
use hwc_api::desired::Desired;
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_api::time::WallTime;
use hwc_awesome_proxy::config::DatabaseSockets;
use hwc_awesome_proxy::{AwesomeProxy, ClusterCertificates, ProxyConfig, RoutingTable};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use sql::Sql;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const DATABASE: DatasetId = DatasetId(2);
/// Sessions that are held idle at once; a server takes 151.
const IDLE: usize = 100;
/// How long one measurement runs.
const RUN: Duration = Duration::from_secs(3);

/// A statement that is measured.
struct Load {
    name: &'static str,
    statement: &'static str,
}

const LOADS: [Load; 3] = [
    Load {
        name: "SELECT 1",
        statement: "SELECT 1",
    },
    Load {
        name: "100 rows",
        statement: "SELECT seq, repeat('x', 60) FROM seq_1_to_100",
    },
    Load {
        name: "16 MB",
        statement: "SELECT repeat('x', 16000) FROM seq_1_to_1000",
    },
];

/// What was measured.
struct Measured {
    micros: f64,
    /// CPU of the door's only thread.
    door_micros: f64,
}

#[allow(clippy::print_stdout, reason = "the table is the result")]
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(socket), Some(user), Some(password)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        bail!("bench-mysql SOCKET USER PASSWORD");
    };
    let folder = tempfile::tempdir()?;
    let (through, thread) = open_door(folder.path(), PathBuf::from(&socket), &user, &password)?;
    let client = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "{:<10} {:>12} {:>12} {:>8} {:>14}",
        "", "direct µs", "door µs", "ratio", "door CPU µs"
    );
    for load in &LOADS {
        let direct = client.block_on(measure(Path::new(&socket), &user, &password, load, None))?;
        let door = client.block_on(measure(&through, &user, &password, load, Some(thread)))?;
        println!(
            "{:<10} {:>12.1} {:>12.1} {:>8.2} {:>14.2}",
            load.name,
            direct.micros,
            door.micros,
            door.micros / direct.micros,
            door.door_micros
        );
    }
    let direct = client.block_on(measure_logins(Path::new(&socket), &user, &password, None))?;
    let door = client.block_on(measure_logins(&through, &user, &password, Some(thread)))?;
    println!(
        "{:<10} {:>12.1} {:>12.1} {:>8.2} {:>14.2}",
        "login",
        direct.micros,
        door.micros,
        door.micros / direct.micros,
        door.door_micros
    );
    let kilobytes = client.block_on(measure_idle(&through, &user, &password))?;
    println!("an idle session: {kilobytes:.1} KiB, its client's part included");
    Ok(())
}

/// Opens a door on a thread of its own; gives its socket and the thread's number.
fn open_door(folder: &Path, server: PathBuf, user: &str, password: &str) -> Result<(PathBuf, u32)> {
    let socket = folder.join("door.sock");
    let (path, desired) = (socket.clone(), desired(user, password)?);
    let (sender, ready) = mpsc::channel();
    std::thread::Builder::new()
        .name("door".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async move {
                let _proxy = serve(path, server, &desired)?;
                let link = std::fs::read_link("/proc/thread-self")?;
                let name = link.file_name().and_then(|name| name.to_str());
                sender.send(name.context("a number")?.parse::<u32>()?)?;
                std::future::pending::<Result<()>>().await
            })
        })?;
    Ok((socket, ready.recv().context("the door opens")?))
}

fn serve(mysql_socket: PathBuf, server: PathBuf, desired: &Desired) -> Result<AwesomeProxy> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ProxyConfig {
        http: any,
        https: any,
        panel: any,
        mysql_tcp: any,
        mysql_socket,
        database_sockets: DatabaseSockets::new(move |_| server.clone()),
        ..ProxyConfig::default()
    };
    let key = rcgen::KeyPair::generate()?;
    let mut parameters = rcgen::CertificateParams::new(Vec::new())?;
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&key)?;
    let clock = Clock::system();
    let names = vec!["node.example".to_owned()];
    let certificates =
        ClusterCertificates::new(&authority.pem(), &key.serialize_pem(), names, clock.clone())?;
    let me = NodeId(1);
    let proxy = AwesomeProxy::start(
        config,
        me,
        Arc::new(Nobody),
        Arc::new(certificates),
        clock,
        &Tasks::new(),
    )?;
    proxy.set_routes(RoutingTable::build(desired, BTreeMap::new(), me));
    let boot = BootId(1);
    proxy.open_gate(
        DATABASE,
        Epoch {
            counter: 1,
            node: me,
            boot,
        },
    );
    Ok(proxy)
}

struct Nobody;

impl Dial for Nobody {
    fn dial(&self, node: NodeId, _: Service) -> BoxFuture<'_, Result<PeerStream, DialError>> {
        Box::pin(async move { Err(DialError::UnknownNode(node)) })
    }
}

fn desired(user: &str, password: &str) -> Result<Desired> {
    use sha1::{Digest, Sha1};
    let hash = Sha1::digest(Sha1::digest(password.as_bytes()));
    let digits = hash.iter().map(|byte| format!("{byte:02X}"));
    let hash = format!("*{}", digits.collect::<String>());
    Ok(serde_json::from_value(serde_json::json!({
        "index": 7,
        "cluster": { "id": "00", "name": "bench", "panel_domains": [], "copies": 1,
            "balancing": Balancing::default() },
        "nodes": {},
        "accounts": {
            "1": { "id": 1, "login": "anna", "name": "Anna", "email": "anna@example.com",
                "role": "customer", "limits": { "sites": 1, "databases": 1 },
                "password_hash": "", "sessions_valid_from": 0, "is_suspended": false,
                "created_at": WallTime(0) }
        },
        "sites": {},
        "databases": {
            "1": { "id": 1, "account": 1, "site": null, "dataset": 2, "uid": 20002,
                "name": "shop", "user": user, "password_hash": hash, "created_at": 0 }
        },
        "datasets": {
            "2": { "id": 2, "content": { "database": 1 }, "replicas": [1], "created_index": 1,
                "copies": 1, "is_deleted": false }
        },
        "jobs": {}, "moves": {}, "tokens": {}, "revoked_sessions": [], "join_tokens": {}
    }))?)
}

async fn measure(
    socket: &Path,
    user: &str,
    password: &str,
    load: &Load,
    door: Option<u32>,
) -> Result<Measured> {
    let connected = Sql::connect(socket, user, password).await;
    let Ok(mut sql) = connected else {
        bail!("no session at {}", socket.display());
    };
    let answer = answer_bytes(&mut sql, load.statement).await?;
    let mut question = u32::try_from(load.statement.len() + 1)?
        .to_le_bytes()
        .to_vec();
    question.push(3);
    question.extend_from_slice(load.statement.as_bytes());
    let mut answered = vec![0; answer];
    let clock = Clock::system();
    let (begin, cpu) = (clock.now(), cpu_nanos(door)?);
    let mut count = 0_u32;
    while clock.now().since(begin) < RUN {
        sql.stream.write_all(&question).await?;
        sql.stream.read_exact(&mut answered).await?;
        count += 1;
    }
    let wall = clock.now().since(begin);
    let measured = Measured {
        micros: wall.as_secs_f64() * 1e6 / f64::from(count),
        door_micros: (cpu_nanos(door)? - cpu) / 1e3 / f64::from(count),
    };
    sql.quit().await;
    Ok(measured)
}

async fn measure_logins(
    socket: &Path,
    user: &str,
    password: &str,
    door: Option<u32>,
) -> Result<Measured> {
    let clock = Clock::system();
    let (begin, cpu) = (clock.now(), cpu_nanos(door)?);
    let mut count = 0_u32;
    while clock.now().since(begin) < RUN {
        match Sql::connect(socket, user, password).await {
            Ok(sql) => sql.quit().await,
            Err(failure) => bail!("no session: {failure:?}"),
        }
        count += 1;
    }
    let wall = clock.now().since(begin);
    Ok(Measured {
        micros: wall.as_secs_f64() * 1e6 / f64::from(count),
        door_micros: (cpu_nanos(door)? - cpu) / 1e3 / f64::from(count),
    })
}

/// Memory of this process for each idle session, KiB.
async fn measure_idle(socket: &Path, user: &str, password: &str) -> Result<f64> {
    let mut clients = Vec::with_capacity(IDLE);
    let before = resident_kilobytes()?;
    for _ in 0..IDLE {
        match Sql::connect(socket, user, password).await {
            Ok(mut sql) => {
                answer_bytes(&mut sql, "SELECT 1").await?;
                // Its buffers are not what is measured.
                clients.push(sql.stream);
            }
            Err(failure) => bail!("no session: {failure:?}"),
        }
    }
    Ok((resident_kilobytes()? - before) / f64::from(u32::try_from(IDLE)?))
}

fn resident_kilobytes() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.context("a number")?.parse()?)
}

/// Length of a statement's answer, heads included.
async fn answer_bytes(sql: &mut Sql, statement: &str) -> Result<usize> {
    sql.command(3, statement.as_bytes()).await?;
    let (mut bytes, mut ends) = (0, 0);
    while ends < 2 {
        let packet = sql.packet().await?;
        bytes += packet.len() + 4;
        ends += usize::from(packet.len() == 5 && packet.first() == Some(&0xfe));
    }
    Ok(bytes)
}

/// CPU that a thread of this process has used, nanoseconds.
fn cpu_nanos(thread: Option<u32>) -> Result<f64> {
    let Some(thread) = thread else {
        return Ok(0.0);
    };
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))?;
    let first = text.split(' ').next().context("a number")?;
    Ok(first.parse::<f64>()?)
}
