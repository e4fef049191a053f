//! Connections to a site's database as PHP holds them: a program in a node that opens one connection
//! through `localhost`, keeps it, and runs one statement for each line it is told.

use std::fs::File;
use std::io::{PipeWriter, Read, Write};
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hwc_lab::Lab;
use hwc_lab::bench::Site;
use hwc_lab::deadline::{Deadline, wait_until};
use serde_json::Value;

use super::text;

/// A statement waits at a closed gate for fifteen seconds at most.
const ANSWER_LIMIT: Duration = Duration::from_secs(40);

/// Answers each line with one line. It never connects again.
const CLIENT_PHP: &str = r"
mysqli_report(MYSQLI_REPORT_OFF);
[, $user, $password, $name] = $argv;
$db = mysqli_connect('localhost', $user, $password, $name);
function answer($result, $db) {
    $row = $result instanceof mysqli_result ? $result->fetch_row() : null;
    echo json_encode($result === false
        ? ['code' => $db ? $db->errno : mysqli_connect_errno(), 'text' => $db ? $db->error : mysqli_connect_error()]
        : ['value' => (string) ($row[0] ?? '')]), PHP_EOL;
}
answer($db !== false, $db);
while ($db && ($line = fgets(STDIN)) !== false) {
    $statement = rtrim($line);
    if ($statement === 'EXECUTE') {
        answer($prepared->execute() ? $prepared->get_result() : false, $db);
    } elseif (str_starts_with($statement, 'PREPARE ')) {
        $prepared = $db->prepare(substr($statement, 8));
        answer($prepared !== false, $db);
    } else {
        answer($db->query($statement), $db);
    }
}
";

/// A database and who may use it.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    user: String,
    password: String,
}

impl Account {
    /// The one that a site's WordPress uses.
    pub fn of_wordpress(lab: &Lab, site: &Site<'_>) -> Self {
        let config = format!("{}/wp-config.php", site.folder().unwrap());
        let config = text(lab, &site.live_node().unwrap(), &["cat", &config]);
        let defined = |name: &str| {
            let mut lines = config
                .lines()
                .map(|line| line.split('\'').skip(1).step_by(2));
            let found = lines.find_map(|mut words| (words.next()? == name).then(|| words.next()));
            found.flatten().unwrap().to_owned()
        };
        Self {
            name: defined("DB_NAME"),
            user: defined("DB_USER"),
            password: defined("DB_PASSWORD"),
        }
    }
}

/// What the client was told instead of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// MySQL's number.
    pub code: u64,
    /// The words.
    pub text: String,
}

/// One connection, from beginning to end.
#[derive(Debug)]
pub struct Session {
    program: Child,
    statements: PipeWriter,
    output: File,
    /// What was said and not yet taken.
    said: Vec<u8>,
}

impl Session {
    /// Connects in a node.
    pub fn open(lab: &Lab, node: &str, account: &Account) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("{}-sql-{number}", lab.id()));
        let (lines, statements) = std::io::pipe().unwrap();
        let words = ["php", "-d", "display_errors=0", "-d", "log_errors=0", "-r"];
        let Account {
            name,
            user,
            password,
        } = account;
        let words = words.into_iter();
        let words = words.chain([CLIENT_PHP, "--", user, password, name]);
        let command = lab.node(node).unwrap().exec_command(words).unwrap();
        let program = command.stdin_from(lines.into()).start_detached(&path);
        let output = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut session = Self {
            program: program.unwrap(),
            statements,
            output,
            said: Vec::new(),
        };
        session.hear().unwrap();
        session
    }

    /// Has a statement run; its answer is [heard](Self::hear) later.
    pub fn tell(&mut self, statement: &str) {
        let line = format!("{statement}\n");
        self.statements.write_all(line.as_bytes()).unwrap();
    }

    /// The next answer: the first value of the first row.
    pub fn hear(&mut self) -> Result<String, Refusal> {
        let line = wait_until(
            "an answer of the database",
            Deadline::after(ANSWER_LIMIT),
            || {
                self.output.read_to_end(&mut self.said).unwrap();
                let end = self.said.iter().position(|byte| *byte == b'\n');
                Ok(end.map(|end| self.said.drain(..=end).collect::<Vec<_>>()))
            },
        );
        let line = line.unwrap_or_else(|error| {
            panic!("{error}; {:?}", String::from_utf8_lossy(&self.said));
        });
        let answer: Value = serde_json::from_slice(&line)
            .unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&line)));
        match answer["value"].as_str() {
            Some(value) => Ok(value.to_owned()),
            None => Err(Refusal {
                code: answer["code"].as_u64().unwrap(),
                text: answer["text"].as_str().unwrap().to_owned(),
            }),
        }
    }

    /// Runs a statement.
    pub fn ask(&mut self, statement: &str) -> Result<String, Refusal> {
        self.tell(statement);
        self.hear()
    }

    /// Runs a statement that must succeed.
    pub fn get(&mut self, statement: &str) -> String {
        let answer = self.ask(statement);
        answer.unwrap_or_else(|refusal| panic!("{statement}: {refusal:?}"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A statement that goes on holds the program up.
        let _killed = self.program.kill();
        let _ended = self.program.wait();
    }
}
