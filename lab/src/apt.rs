//! Which Debian mirror this machine is set up with, so that the lab asks no other.
//!
//! Reads apt's own source files in both formats (sources.list(5): one-line and deb822) and picks
//! the archive and the security archive. No host name is written down in the lab.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, FileContext, Result};

/// Where apt keeps its settings.
const APT_DIRECTORY: &str = "/etc/apt";
/// Code names that only Debian itself uses, newest first.
const DEBIAN_SUITES: [&str; 9] = [
    "trixie",
    "bookworm",
    "bullseye",
    "forky",
    "sid",
    "stable",
    "oldstable",
    "testing",
    "unstable",
];

/// One source of packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// Addresses.
    pub uris: Vec<String>,
    /// Suites.
    pub suites: Vec<String>,
    /// Components.
    pub components: Vec<String>,
}

/// The addresses of Debian's archive and of its security updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The archive.
    pub archive: String,
    /// The security archive, when the machine uses one.
    pub security: Option<String>,
}

impl Mirror {
    /// The one that this machine uses.
    ///
    /// # Errors
    /// When apt is not set up for Debian here.
    pub fn of_this_machine() -> Result<Self> {
        let mirror = Self::choose(&read_sources(Path::new(APT_DIRECTORY))?)?;
        Ok(Self {
            archive: resolve(mirror.archive)?,
            security: mirror.security.map(resolve).transpose()?,
        })
    }

    /// Chooses among sources.
    ///
    /// # Errors
    /// When none of them is Debian's.
    pub fn choose(sources: &[Source]) -> Result<Self> {
        let with_suite = |suffix: &str| {
            let names: BTreeSet<String> = DEBIAN_SUITES
                .iter()
                .map(|suite| format!("{suite}{suffix}"))
                .collect();
            let is_debian = |source: &&Source| {
                source
                    .components
                    .iter()
                    .any(|component| component == "main")
                    && source.suites.iter().any(|suite| names.contains(suite))
            };
            sources
                .iter()
                .find(is_debian)
                .and_then(|source| source.uris.first().cloned())
        };
        let archive = with_suite("").ok_or_else(|| Error::Machine {
            what: format!("no Debian archive is named in {APT_DIRECTORY}/sources.list or {APT_DIRECTORY}/sources.list.d"),
            advice: "add one there: the lab installs its nodes from the mirror that this machine uses".into(),
        })?;
        Ok(Self {
            archive,
            security: with_suite("-security"),
        })
    }

    /// The lines for a system with this suite.
    pub fn lines(&self, suite: &str) -> Vec<String> {
        let mut lines = vec![
            format!("deb {} {suite} main", self.archive),
            format!("deb {} {suite}-updates main", self.archive),
        ];
        lines.extend(
            self.security
                .iter()
                .map(|security| format!("deb {security} {suite}-security main")),
        );
        lines
    }
}

/// `mirror+file:PATH` names a file with a list of addresses (apt-transport-mirror(1)): takes the first.
fn resolve(uri: String) -> Result<String> {
    let Some(path) = uri.strip_prefix("mirror+file:") else {
        return Ok(uri);
    };
    let text = std::fs::read_to_string(path).file("read", path)?;
    let first = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|word| !word.starts_with('#'));
    first.map(str::to_owned).ok_or_else(|| Error::Machine {
        what: format!("the list of mirrors {path} is empty"),
        advice: "write the address of a Debian mirror into it".into(),
    })
}

fn read_sources(directory: &Path) -> Result<Vec<Source>> {
    let mut files = vec![directory.join("sources.list")];
    let mut parts: Vec<PathBuf> = match std::fs::read_dir(directory.join("sources.list.d")) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    };
    parts.sort();
    files.append(&mut parts);
    let mut sources = Vec::new();
    for file in files.into_iter().filter(|file| file.is_file()) {
        let text = std::fs::read_to_string(&file).file("read", &file)?;
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.extend(text.lines().filter_map(parse_line)),
            Some("sources") => sources.extend(parse_deb822(&text)),
            Some(_) | None => {}
        }
    }
    Ok(sources)
}

/// `deb [options] uri suite component…`
fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let rest = line.strip_prefix("deb ")?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
    })
}

/// Paragraphs of `Field: value`, continued by indented lines.
fn parse_deb822(text: &str) -> Vec<Source> {
    let without_comments = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n");
    without_comments
        .split("\n\n")
        .filter_map(parse_paragraph)
        .collect()
}

fn parse_paragraph(paragraph: &str) -> Option<Source> {
    let mut source = Source::default();
    let mut is_binary = false;
    let mut is_enabled = true;
    let mut field = String::new();
    for line in paragraph.lines() {
        let value = if line.starts_with([' ', '\t']) {
            line
        } else {
            let (name, value) = line.split_once(':')?;
            field = name.trim().to_ascii_lowercase();
            value
        };
        let words = value.split_whitespace().map(str::to_owned);
        match field.as_str() {
            "types" => is_binary |= words.into_iter().any(|word| word == "deb"),
            "uris" => source.uris.extend(words),
            "suites" => source.suites.extend(words),
            "components" => source.components.extend(words),
            "enabled" => is_enabled = !value.trim().eq_ignore_ascii_case("no"),
            _ => {}
        }
    }
    (is_binary && is_enabled && !source.uris.is_empty()).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "\
Types: deb deb-src
# a comment in between
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://archive.example/debian-security
Suites: bookworm-security
Components: main contrib

Types: deb
URIs: http://third.example/packages
Suites: nodistro
Components: main
";

    #[test]
    fn deb822_sources_give_archive_and_security() {
        let mirror = Mirror::choose(&parse_deb822(DEB822)).unwrap();
        assert_eq!(mirror.archive, "http://archive.example/debian");
        assert_eq!(
            mirror.security.as_deref(),
            Some("http://archive.example/debian-security")
        );
        assert_eq!(
            mirror.lines("trixie")[2],
            "deb http://archive.example/debian-security trixie-security main"
        );
    }

    #[test]
    fn one_line_sources_with_options_and_comments_are_read() {
        let line = "deb [arch=amd64 signed-by=/k.gpg] http://archive.example/debian trixie main contrib # here";
        let source = parse_line(line).unwrap();
        assert_eq!(source.uris, ["http://archive.example/debian"]);
        assert_eq!(source.components, ["main", "contrib"]);
        for other in [
            "# deb http://x trixie main",
            "deb-src http://x trixie main",
            "",
            "deb",
        ] {
            assert_eq!(parse_line(other), None, "{other:?}");
        }
    }

    #[test]
    fn sources_of_others_and_disabled_ones_are_passed_over() {
        let disabled =
            "Types: deb\nURIs: http://off.example\nSuites: trixie\nComponents: main\nEnabled: no\n";
        let third = "Types: deb\nURIs: http://third.example\nSuites: nodistro\nComponents: main\n";
        let sources = parse_deb822(&format!("{disabled}\n{third}"));
        assert_eq!(sources.len(), 1);
        let error = Mirror::choose(&sources).unwrap_err().to_string();
        assert!(error.contains("no Debian archive"), "{error}");
    }

    #[test]
    fn continued_fields_belong_together() {
        let text = "Types: deb\nURIs: http://a.example\n http://b.example\nSuites: trixie\nComponents: main\n";
        assert_eq!(
            parse_deb822(text)[0].uris,
            ["http://a.example", "http://b.example"]
        );
    }
}
