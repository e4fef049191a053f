//! A real MariaDB server in a temporary folder, run as an unprivileged user, with one account.

use super::{PATIENCE, until};
use hwc_runtime::command::{Output, run};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const USER: &str = "shop_user";
pub const PASSWORD: &str = "correct horse";

/// A running server; ends when dropped.
pub struct Mariadb {
    _server: tokio::process::Child,
    _folder: tempfile::TempDir,
    pub socket: PathBuf,
}

impl Mariadb {
    /// Makes a data directory and starts a server on it.
    pub async fn start() -> Self {
        for program in ["/usr/sbin/mariadbd", "/usr/bin/mariadb"] {
            assert!(
                Path::new(program).exists(),
                "{program} is not there: install the packages in tools/test-packages.txt"
            );
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        let data = path.join("data");
        std::fs::create_dir(&data).expect("a folder");
        let arguments = [
            "--no-defaults".to_owned(),
            "--user=nobody".to_owned(),
            "--skip-test-db".to_owned(),
            format!("--datadir={}", data.display()),
        ];
        run("mariadb-install-db", &arguments)
            .success()
            .await
            .expect("a data directory");
        std::os::unix::fs::chown(&data, Some(65_534), Some(65_534)).expect("we are root");
        std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).expect("we are root");
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
        let server = run(
            "mariadbd",
            [
                "--no-defaults".to_owned(),
                "--user=nobody".to_owned(),
                "--skip-networking".to_owned(),
                "--innodb-buffer-pool-size=16M".to_owned(),
                format!("--datadir={}", data.display()),
                format!("--socket={}", socket.display()),
                format!("--pid-file={}", path.join("server.pid").display()),
                format!("--init-file={}", first.display()),
            ],
        )
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
