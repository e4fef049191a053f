//! Single visitors of a site, each with a habit of their own: one who stays on one connection, one
//! who posts, one who downloads slowly.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hwc_lab::{Lab, Output};
use sha2::{Digest, Sha256};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A visitor's way to a site: through this node's door.
#[derive(Debug, Clone, Copy)]
pub struct Way<'lab> {
    pub lab: &'lab Lab,
    pub node: Ipv4Addr,
    pub domain: &'lab str,
}

impl Way<'_> {
    fn curl(&self, args: &[&str], scheme: &str, path: &str) -> Output {
        let port = if scheme == "https" { 443 } else { 80 };
        let resolve = format!("{}:{port}:{}", self.domain, self.node);
        let address = format!("{scheme}://{}{path}", self.domain);
        let patience = PATIENCE.as_secs().to_string();
        let words = ["curl", "-sk", "--max-time", &patience, "--resolve"];
        let words = words.into_iter().chain([resolve.as_str()]);
        let words = words.chain(args.iter().copied()).chain([address.as_str()]);
        let command = self.lab.client_command(words).unwrap();
        command.limit(PATIENCE * 2).run().unwrap()
    }

    /// Asks for a page ten times a second, in TLS, one request after the other. Gives how many
    /// connections that took, and each answer's version and status.
    pub fn stay(&self, path: &str, version: &str, times: u32) -> (u32, Vec<String>) {
        let said = "%{num_connects} %{http_version} %{http_code}\n";
        // The number belongs to the query: it makes many addresses of one page.
        let path = format!("{path}?[1-{times}]");
        let args = [version, "--rate", "10/s", "-o", "/dev/null", "-w", said];
        let lines = self.curl(&args, "https", &path).text();
        let (mut connections, mut answers) = (0, Vec::new());
        for line in lines.lines() {
            let (count, answer) = line.split_once(' ').unwrap();
            connections += count.parse::<u32>().unwrap();
            answers.push(answer.to_owned());
        }
        (connections, answers)
    }

    /// Posts a form; gives the status and what was said.
    pub fn post(&self, path: &str, form: &str) -> (String, String) {
        let args = ["--data", form, "-w", "\n%{http_code}"];
        let said = self.curl(&args, "https", path);
        let text = String::from_utf8_lossy(&said.stdout);
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    /// Fetches a file at this many bytes a second.
    pub fn download(&self, file: Download<'_>, bytes_a_second: &str) -> Downloaded {
        file.fetch(self, &["--limit-rate", bytes_a_second])
    }
}

/// A file to fetch, and where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    pub scheme: &'a str,
    pub name: &'a str,
    pub to: &'a Path,
}

/// What came of a download.
#[derive(Debug)]
pub struct Downloaded {
    /// curl's: 0, or why the file is not whole.
    pub code: i32,
    pub status: String,
    pub sha256: String,
}

impl Download<'_> {
    fn fetch(&self, way: &Way<'_>, args: &[&str]) -> Downloaded {
        let to = self.to.to_str().unwrap();
        let args = [args, &["-o", to, "-w", "%{http_code}"]].concat();
        let output = way.curl(&args, self.scheme, &format!("/{}", self.name));
        let content = std::fs::read(self.to).unwrap();
        Downloaded {
            code: output.code,
            status: output.text(),
            sha256: hex::encode(Sha256::digest(&content)),
        }
    }
}

/// A folder of this machine that goes away with the value.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(lab: &Lab) -> Self {
        let path = std::env::temp_dir().join(format!("{}-files", lab.id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
