//! Drives the room by hand inside a node, for tests in the lab: no registry, no conductor.
//!
//! `yakd-node WORD…` does one thing after the other with N made-up sites and databases (SITES in
//! the environment; site n in dataset 2n, its database in 2n+1) and says how long each took:
//! `prepare`, `reconcile`, `start=DATASET`, `fence=DATASET`, `stop=DATASET`, `relay=DATABASE` (the
//! MySQL front door for one database), `install=SITE` (WordPress), `bad-host` (a virtual host that
//! Apache refuses), `pause` (until a line is typed). `yakd-node internal unpack …` is the unpacker.

#![allow(
    clippy::print_stdout,
    reason = "it talks to the person at the keyboard"
)]

use hwc_api::desired::{
    Database, Dataset, DatasetContent, Desired, NativePasswordHash, PhpVersion, Site,
};
use hwc_api::ids::{AccountId, DatabaseId, DatasetId, JobId, NodeId, SiteId};
use hwc_api::job::JobProgress;
use hwc_api::names::{DatabaseName, DatabaseUser, DomainName, EmailAddress};
use hwc_api::time::WallTime;
use hwc_runtime::clock::Clock;
use hwc_yakd::apps::{Catalogue, DatabaseAccess, InstallRequest, Installer};
use hwc_yakd::config::SocketKey;
use hwc_yakd::{NodeConfig, StopKind, Yakd};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Errors of any kind, for a program that only prints them.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Its mysql_native_password hash is to be in the environment variable HASH.
const PASSWORD: &str = "secret-password";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [internal, unpack, rest @ ..] = arguments.as_slice()
        && internal == "internal"
        && unpack == "unpack"
    {
        if let Err(error) = hwc_yakd::apps::unpack::run(rest) {
            eprintln!("{error}");
            std::process::exit(2);
        }
        return Ok(());
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&arguments))
}

async fn run(arguments: &[String]) -> Outcome {
    let clock = Clock::system();
    let mut config = NodeConfig::new(
        SocketKey::load_or_create("/var/lib/hwc/yakd/socket-key".as_ref())?,
        vec![std::env::current_exe()?, "internal".into(), "unpack".into()],
    );
    config.catalogue = "/share/apps".into();
    config.mirror = "/share/mirror".into();
    let sites: u32 = std::env::var("SITES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2);
    let hash = std::env::var("HASH").unwrap_or_else(|_| format!("*{}", "0".repeat(40)));
    let desired = desired(sites, &hash)?;
    let live: BTreeSet<_> = desired.datasets.keys().copied().collect();
    let yakd = Yakd::new(config.clone(), clock.clone());
    for word in arguments {
        let began = clock.now();
        match word.split_once('=').unwrap_or((word, "")) {
            ("prepare", _) => yakd.prepare().await?,
            ("reconcile", _) => {
                let report = yakd.reconcile(&desired, &live).await;
                println!("{report:#?}");
            }
            ("start", id) => yakd.start_dataset(&desired, DatasetId(id.parse()?)).await?,
            ("fence", id) => {
                yakd.stop_dataset(DatasetId(id.parse()?), StopKind::Fence)
                    .await?
            }
            ("stop", id) => {
                yakd.stop_dataset(DatasetId(id.parse()?), StopKind::Planned)
                    .await?
            }
            ("relay", id) => relay(yakd.mysql_endpoint(DatabaseId(id.parse()?)))?,
            ("pause", _) => {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line)?;
            }
            // A virtual host that Apache refuses, beside the good ones.
            ("bad-host", _) => {
                let wanted = hwc_yakd::gather::gather(&desired);
                let (mut files, _) = hwc_yakd::render::apache::render(&config, &wanted)?;
                let bad = hwc_yakd::files::File::secret(
                    "<VirtualHost *>\nBogus on\n</VirtualHost>\n".into(),
                );
                files.add("/etc/apache2/sites-enabled/hwc-site-99.conf", bad);
                let all = files.files().len();
                let staging = config.run.join("yakd/staged-apache");
                let (accepted, refused) = hwc_yakd::check::apache::check(files, &staging).await?;
                println!(
                    "{} of {all} accepted, refused: {refused:?}",
                    accepted.files().len()
                );
            }
            ("install", id) => install(&config, &clock, &desired, id.parse()?).await?,
            (other, _) => return Err(format!("unknown: {other}").into()),
        }
        println!("== {word}: {} ms", clock.now().since(began).as_millis());
    }
    Ok(())
}

/// What the MySQL front door does, for one database.
fn relay(to: std::path::PathBuf) -> Outcome {
    let path = "/run/mysqld/mysqld.sock";
    let _absent = std::fs::remove_file(path);
    let listener = tokio::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    let tasks = hwc_runtime::lifecycle::Tasks::new();
    tasks.clone().spawn("relay", async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let to = to.clone();
            tasks.spawn("connection", async move {
                match tokio::net::UnixStream::connect(&to).await {
                    Ok(mut server) => {
                        let _ended = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                    Err(error) => eprintln!("{}: {error}", to.display()),
                }
            });
        }
    });
    Ok(())
}

async fn install(config: &NodeConfig, clock: &Clock, desired: &Desired, site: u32) -> Outcome {
    let catalogue = Arc::new(Catalogue::load(&config.catalogue)?);
    println!("{:#?}", catalogue.views(&config.mirror));
    let installer = Installer::new(config.clone(), clock.clone(), catalogue);
    let request = InstallRequest {
        job: JobId(5),
        site: SiteId(site),
        app: "wordpress".into(),
        version: None,
        title: "Mara's Harbour & \"Söhne\"".into(),
        admin_login: "mara".into(),
        admin_email: EmailAddress::parse("mara@harbour.example")?,
        admin_password: "korrekt'Pferd\\$1".into(),
        language: "en_US".into(),
        replace: std::env::var_os("REPLACE").is_some(),
        database: Some(DatabaseAccess {
            name: DatabaseName::parse(&format!("wp_{site}"))?,
            user: DatabaseUser::parse(&format!("wp_{site}"))?,
            password: PASSWORD.into(),
        }),
    };
    let empty = JobProgress {
        job: JobId(0),
        steps: Vec::new(),
        log: Vec::new(),
    };
    let (sender, mut receiver) = tokio::sync::watch::channel(empty);
    let install = installer.install(desired, request, sender);
    let watch = async {
        let mut shown = String::new();
        while receiver.changed().await.is_ok() {
            let now = receiver.borrow().clone();
            let line = now
                .steps
                .iter()
                .map(|s| {
                    format!(
                        "{}:{:?}:{:?}:{}ms ",
                        s.name, s.state, s.percent, s.elapsed_ms
                    )
                })
                .collect::<String>();
            if line != shown {
                println!("{line}");
                shown = line;
            }
        }
        receiver.borrow().log.clone()
    };
    let (result, log) = tokio::join!(install, watch);
    println!("{}", log.join("\n"));
    println!("{result:#?}");
    result?;
    Ok(())
}

fn desired(sites: u32, hash: &str) -> Outcome<Desired> {
    let mut desired = Desired {
        index: 7,
        ..Desired::default()
    };
    let hash = NativePasswordHash::parse(hash).ok_or("no hash")?;
    for n in 1..=sites {
        let site = Site {
            id: SiteId(n),
            account: AccountId(1),
            dataset: DatasetId(n * 2),
            uid: 200_000 + n * 2,
            domains: vec![
                DomainName::parse(&format!("s{n}.example"))?,
                DomainName::parse(&format!("www.s{n}.example"))?,
            ],
            php: PhpVersion::V8_4,
            app: None,
            pin: None,
            hold_until: None,
            created_at: WallTime(0),
        };
        let database = Database {
            id: DatabaseId(n),
            account: AccountId(1),
            site: Some(SiteId(n)),
            dataset: DatasetId(n * 2 + 1),
            uid: 200_001 + n * 2,
            name: DatabaseName::parse(&format!("wp_{n}"))?,
            user: DatabaseUser::parse(&format!("wp_{n}"))?,
            password_hash: hash.clone(),
            created_at: WallTime(0),
        };
        for (id, content) in [
            (site.dataset, DatasetContent::Site(site.id)),
            (database.dataset, DatasetContent::Database(database.id)),
        ] {
            desired.datasets.insert(
                id,
                Dataset {
                    id,
                    content,
                    replicas: vec![NodeId(1)],
                    copies: 1,
                    created_index: 1,
                    is_deleted: false,
                },
            );
        }
        desired.sites.insert(site.id, site);
        desired.databases.insert(database.id, database);
    }
    Ok(desired)
}
