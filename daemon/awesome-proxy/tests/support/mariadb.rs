//! A real MariaDB server in a temporary folder, run as an unprivileged user, with one account.

use super::{PATIENCE, until};
use hwc_runtime::command::{Output, run};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::OnceCell;

pub const USER: &str = "shop_user";
pub const PASSWORD: &str = "correct horse";

/// A running server; ends when dropped.
pub struct Mariadb {
    _server: tokio::process::Child,
    _folder: tempfile::TempDir,
    pub socket: PathBuf,
}

impl Mariadb {
    /// Starts a server on a data directory of its own.
    pub async fn start() -> Self {
        for program in ["/usr/sbin/mariadbd", "/usr/bin/mariadb"] {
            assert!(
                Path::new(program).exists(),
                "{program} is not there: install the packages in tools/test-packages.txt"
            );
        }
        let template = TEMPLATE.get_or_init(template).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        let (data, temporary) = (path.join("data"), path.join("tmp"));
        run("cp", [Path::new("-a"), template, &data])
            .success()
            .await
            .expect("copied");
        std::fs::create_dir(&temporary).expect("a folder");
        give_away(path);
        give_away(&temporary);
        let first = path.join("first.sql");
        std::fs::write(
            &first,
            format!(
                "create database shop;\n\
                 create user '{USER}'@'localhost' identified via mysql_native_password using password('{PASSWORD}');\n\
                 create user 'other_user'@'localhost' identified via mysql_native_password using password('{PASSWORD}');\n\
                 grant all on shop.* to '{USER}'@'localhost';\n"
            ),
        )
        .expect("written");
        let socket = path.join("server.sock");
        let mut arguments = options(&data, &temporary);
        arguments.extend([
            "--skip-networking".to_owned(),
            format!("--socket={}", socket.display()),
            format!("--pid-file={}", path.join("server.pid").display()),
            format!("--init-file={}", first.display()),
        ]);
        let server = run("mariadbd", arguments)
            .into_command()
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("mariadbd starts");
        until(|| std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
        Self {
            _server: server,
            _folder: folder,
            socket,
        }
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
