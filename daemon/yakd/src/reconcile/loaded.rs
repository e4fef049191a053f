//! What Apache has loaded, asked of Apache itself ([`crate::render::marks`]), and what must be done
//! about it; the latter is pure.

use crate::render::marks::{CONFIGURATION, HOST, Marks, WALLS};
use crate::systemd::UnitState;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest time for one answer: usually a millisecond, more where all its threads are busy.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// An answer is shorter.
const ANSWER_BYTES_MAX: u64 = 4096;
/// Between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What must be done with Apache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It has everything.
    Nothing,
    /// It does not run.
    Start,
    /// It has read another configuration.
    Reload,
    /// It runs behind other walls, which are only built at a start.
    Restart,
    /// It runs and does not say.
    Unknown,
}

/// What must be done, by what Apache says. `has_changed`: its files were changed just now.
pub(super) fn need(
    unit: UnitState,
    said: Option<&Marks>,
    wanted: &Marks,
    has_changed: bool,
) -> Need {
    match (unit, said) {
        (UnitState::Inactive | UnitState::Failed, _) => Need::Start,
        (UnitState::Active, Some(said)) if said.walls != wanted.walls => Need::Restart,
        // What it has read may be older than what was changed last, although it has the mark.
        (UnitState::Active, _) if has_changed => Need::Reload,
        (UnitState::Active, None) => Need::Unknown,
        (UnitState::Active, Some(said)) if said != wanted => Need::Reload,
        (UnitState::Active, Some(_)) => Need::Nothing,
    }
}

/// Asks Apache at this address. None where it does not answer; empty marks where it knows nothing of
/// them.
pub(super) async fn marks(apache: SocketAddr) -> Option<Marks> {
    let answer = tokio::time::timeout(ANSWER_LIMIT, ask(apache)).await;
    let answer = answer.ok()?.ok()?;
    answer.starts_with("HTTP/").then(|| read(&answer))
}

/// Asks until it has exactly this. Cancel-safe.
pub(super) async fn has(apache: SocketAddr, wanted: &Marks) {
    while marks(apache).await.as_ref() != Some(wanted) {
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn ask(apache: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(apache).await?;
    let question = format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn read(answer: &str) -> Marks {
    let field = |wanted: &str| {
        let fields = answer.lines().filter_map(|line| line.split_once(':'));
        let mut values = fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        values
            .next()
            .map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    Marks {
        configuration: field(CONFIGURATION),
        walls: field(WALLS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{File, FileSet};
    use crate::render::apache::LISTEN;
    use crate::render::marks::{WALLS_VARIABLE, mark};
    use hwc_runtime::command::run;
    use std::path::Path;
    use tokio::net::TcpListener;

    fn marks_of(configuration: &str, walls: &str) -> Marks {
        Marks {
            configuration: configuration.to_owned(),
            walls: walls.to_owned(),
        }
    }

    #[test]
    fn what_apache_says_decides_and_not_what_was_written() {
        let wanted = marks_of("new", "new");
        let (same, older) = (wanted.clone(), marks_of("old", "new"));
        let (walls, nothing) = (marks_of("new", "old"), Marks::default());
        for (unit, said, has_changed, expected) in [
            (UnitState::Active, Some(&same), false, Need::Nothing),
            // Written by a run that was cut short, or by a daemon that is dead.
            (UnitState::Active, Some(&older), false, Need::Reload),
            (UnitState::Active, Some(&older), true, Need::Reload),
            // Somebody else had it reloaded while an earlier run was cut short.
            (UnitState::Active, Some(&same), true, Need::Reload),
            (UnitState::Active, Some(&walls), false, Need::Restart),
            // An Apache that hwcd never told anything.
            (UnitState::Active, Some(&nothing), false, Need::Restart),
            (UnitState::Active, None, true, Need::Reload),
            (UnitState::Active, None, false, Need::Unknown),
            (UnitState::Inactive, None, false, Need::Start),
            (UnitState::Failed, Some(&same), true, Need::Start),
        ] {
            let found = need(unit, said, &wanted, has_changed);
            assert_eq!(found, expected, "{unit:?} {said:?} {has_changed}");
        }
    }

    async fn answered(answer: &str) -> Option<Marks> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let apache = listener.local_addr().expect("an address");
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut question = [0; 1024];
            let length = stream.read(&mut question).await.expect("a question");
            let question = String::from_utf8_lossy(&question[..length]).into_owned();
            assert!(
                question.contains("\r\nHost: loaded.hwc.invalid\r\n"),
                "{question}"
            );
            stream.write_all(answer.as_bytes()).await.expect("answered");
        };
        let (marks, ()) = tokio::join!(marks(apache), serve);
        marks
    }

    #[tokio::test]
    async fn the_marks_are_read_from_the_answer() {
        let answer = "HTTP/1.1 404 Not Found\r\nHwc-Configuration: abc\r\nhwc-walls: def\r\n\r\n";
        assert_eq!(answered(answer).await, Some(marks_of("abc", "def")));
        let other = "HTTP/1.1 404 Not Found\r\nServer: Apache\r\n\r\n";
        assert_eq!(answered(other).await, Some(Marks::default()));
        assert_eq!(answered("SSH-2.0-OpenSSH_10.0").await, None);
    }

    /// What a daemon leaves behind that is killed between the files and the reload.
    #[tokio::test]
    async fn a_real_apache_says_what_it_has_read_and_not_what_is_there_to_read() {
        let apache = RealApache::start("one").await;
        let first = apache.wanted.clone();
        in_time(has(apache.address, &first)).await;
        let second = apache.write("two");
        assert_eq!(marks(apache.address).await, Some(first.clone()));
        let need = |said: &Marks| need(UnitState::Active, Some(said), &second, false);
        assert_eq!((need(&first), need(&second)), (Need::Reload, Need::Nothing));
        let pid = apache.process.id().expect("it runs").to_string();
        run("kill", ["-USR1", &pid])
            .success()
            .await
            .expect("reloaded");
        in_time(has(apache.address, &second)).await;
    }

    async fn in_time(waiting: impl Future<Output = ()>) {
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, waiting).await.expect("in time");
    }

    /// An Apache with nothing but the answer that is asked for; ends when dropped.
    struct RealApache {
        address: SocketAddr,
        wanted: Marks,
        folder: tempfile::TempDir,
        process: tokio::process::Child,
    }

    impl RealApache {
        async fn start(content: &str) -> Self {
            const PROGRAM: &str = "/usr/sbin/apache2";
            assert!(
                Path::new(PROGRAM).exists(),
                "{PROGRAM} is not there: install the packages in tools/test-packages.txt"
            );
            let folder = tempfile::tempdir().expect("a temporary folder");
            let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = free.local_addr().expect("an address");
            drop(free);
            let main = folder.path().join("apache2.conf");
            let modules = ["mpm_event", "alias", "headers"]
                .map(|name| {
                    format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
                })
                .concat();
            let home = folder.path().display();
            let text = format!(
                "ServerRoot {home}\nServerName localhost\nListen {address}\nPidFile {home}/pid\n\
                 User www-data\nGroup www-data\nErrorLog {home}/error.log\nMutex pthread\n\
                 {modules}Include {home}/loaded.conf\n"
            );
            std::fs::write(&main, text).expect("written");
            let wanted = write_marks(folder.path(), address, content);
            let process = run(PROGRAM, ["-D", "FOREGROUND", "-f", &main.to_string_lossy()])
                .env(WALLS_VARIABLE, &wanted.walls)
                .into_command()
                .kill_on_drop(true)
                .spawn()
                .expect("Apache starts");
            Self {
                address,
                wanted,
                folder,
                process,
            }
        }

        fn write(&self, content: &str) -> Marks {
            write_marks(self.folder.path(), self.address, content)
        }
    }

    fn write_marks(folder: &Path, address: SocketAddr, content: &str) -> Marks {
        let mut files = FileSet::default();
        files.add("/etc/apache2/x.conf", File::public(content.to_owned()));
        let (files, marks) = mark(files).expect("marked");
        let answer = files
            .files()
            .iter()
            .find(|(path, _)| path.ends_with("zz-hwc-loaded.conf"));
        let Some((_, File::Text { text, .. })) = answer else {
            panic!("no answer is rendered");
        };
        let text = text.replace(LISTEN, &address.to_string());
        std::fs::write(folder.join("loaded.conf"), text).expect("written");
        marks
    }

    #[tokio::test]
    async fn an_apache_that_is_down_says_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let apache = listener.local_addr().expect("an address");
        drop(listener);
        assert_eq!(marks(apache).await, None);
    }
}
