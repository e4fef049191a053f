//! A real MariaDB server in a temporary folder, run as an unprivileged user, with one account.

use super::{PATIENCE, until};
use hwc_runtime::command::{Output, run};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::OnceCell;

pub const USER: &str = "shop_user";
pub const PASSWORD: &str = "correct horse";

/// A server, running or not; ends when dropped.
pub struct Mariadb {
    server: Option<tokio::process::Child>,
    folder: tempfile::TempDir,
    pub socket: PathBuf,
}

impl Mariadb {
    /// Starts a server on a data directory of its own.
    pub async fn start() -> Self {
        let template = TEMPLATE.get_or_init(template).await;
        let mut server = Self::stopped();
        server.take_data(template).await;
        server.run().await;
        server
    }

    /// A server without data.
    pub fn stopped() -> Self {
        for program in ["/usr/sbin/mariadbd", "/usr/bin/mariadb"] {
            assert!(
                Path::new(program).exists(),
                "{program} is not there: install the packages in tools/test-packages.txt"
            );
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        give_away(path);
        let temporary = path.join("tmp");
        std::fs::create_dir(&temporary).expect("a folder");
        give_away(&temporary);
        Self {
            server: None,
            socket: path.join("server.sock"),
            folder,
        }
    }

    /// Takes the data of a server that is stopped.
    pub async fn follow(&self, other: &Self) {
        assert!(other.server.is_none());
        self.take_data(&other.folder.path().join("data")).await;
    }

    async fn take_data(&self, from: &Path) {
        let data = self.folder.path().join("data");
        let _nothing = std::fs::remove_dir_all(&data);
        run("cp", [Path::new("-a"), from, &data])
            .success()
            .await
            .expect("copied");
    }

    /// Starts the server and waits until it listens.
    pub async fn run(&mut self) {
        let path = self.folder.path();
        let first = path.join("first.sql");
        std::fs::write(
            &first,
            format!(
                "create database if not exists shop;\n\
                 create user if not exists '{USER}'@'localhost' identified via mysql_native_password using password('{PASSWORD}');\n\
                 create user if not exists 'other_user'@'localhost' identified via mysql_native_password using password('{PASSWORD}');\n\
                 grant all on shop.* to '{USER}'@'localhost';\n"
            ),
        )
        .expect("written");
        let mut arguments = options(&path.join("data"), &path.join("tmp"));
        arguments.extend([
            "--skip-networking".to_owned(),
            "--local-infile=1".to_owned(),
            "--max-allowed-packet=64M".to_owned(),
            format!("--socket={}", self.socket.display()),
            format!("--pid-file={}", path.join("server.pid").display()),
            format!("--init-file={}", first.display()),
        ]);
        let server = run("mariadbd", arguments)
            .into_command()
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("mariadbd starts");
        self.server = Some(server);
        until(|| std::os::unix::net::UnixStream::connect(&self.socket).is_ok()).await;
    }

    /// Stops the server in good order.
    pub async fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        let pid = server.id().expect("it runs").to_string();
        run("kill", ["-TERM", &pid])
            .success()
            .await
            .expect("told to stop");
        server.wait().await.expect("it ends");
    }
}

/// A fresh data directory, made once and copied for each server.
static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();

/// Makes the data directory in Cargo's folder for tests, or finds the one of an earlier run.
async fn template() -> PathBuf {
    let tests = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let template = tests.join("mariadb-template");
    if template.exists() {
        return template;
    }
    let making = tempfile::tempdir_in("/tmp").expect("a temporary folder");
    let (data, temporary) = (making.path().join("data"), making.path().join("tmp"));
    for folder in [&data, &temporary] {
        std::fs::create_dir(folder).expect("a folder");
        give_away(folder);
    }
    give_away(making.path());
    let mut arguments = options(&data, &temporary);
    arguments.push("--skip-test-db".to_owned());
    run("mariadb-install-db", arguments)
        .deadline(Duration::from_secs(300))
        .success()
        .await
        .expect("a data directory");
    // Copied under another name first: a half-copied one is never taken for whole.
    let half = tests.join(format!("mariadb-template.{}", std::process::id()));
    run("cp", [Path::new("-a"), &data, &half])
        .success()
        .await
        .expect("copied");
    std::fs::rename(&half, &template).expect("renamed");
    template
}

/// Options that making and running share: small, and careless of power cuts. Servers that share a
/// folder for temporary files delete each other's at start, so each has its own.
fn options(data: &Path, temporary: &Path) -> Vec<String> {
    vec![
        "--no-defaults".to_owned(),
        "--user=nobody".to_owned(),
        "--innodb-buffer-pool-size=16M".to_owned(),
        "--innodb-log-file-size=8M".to_owned(),
        "--innodb-flush-log-at-trx-commit=0".to_owned(),
        format!("--datadir={}", data.display()),
        format!("--tmpdir={}", temporary.display()),
    ]
}

/// Gives a folder to the server's user.
fn give_away(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("ours");
    std::os::unix::fs::chown(folder, Some(65_534), Some(65_534)).expect("we are root");
}

/// Where a client connects.
pub enum Through<'a> {
    Socket(&'a Path),
    Tcp(std::net::SocketAddr),
}

/// Runs the command line client.
pub async fn client(through: &Through<'_>, user: &str, password: &str, sql: &str) -> Output {
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        "--batch".to_owned(),
        "--skip-column-names".to_owned(),
        format!("--user={user}"),
    ];
    match through {
        Through::Socket(path) => arguments.push(format!("--socket={}", path.display())),
        Through::Tcp(address) => arguments.extend([
            "--protocol=tcp".to_owned(),
            format!("--host={}", address.ip()),
            format!("--port={}", address.port()),
        ]),
    }
    arguments.push("shop".to_owned());
    run("mariadb", arguments)
        .env("MYSQL_PWD", password)
        .input(sql)
        .deadline(PATIENCE + Duration::from_secs(10))
        .output()
        .await
        .expect("the client runs")
}
