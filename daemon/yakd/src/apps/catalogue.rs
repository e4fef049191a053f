//! The catalogue of applications: a folder with one TOML file per application.
//!
//! A version is installed only with the sha256 that the catalogue pins. It is pinned in the file
//! itself (then the archive may come over https as well), or, for archives that set-up made on
//! this machine, by the `.sha256` file that lies beside them in the mirror folder (root's alone).

use crate::error::chain;
use hwc_api::desired::PhpVersion;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::AppView;
use serde::Deserialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Greatest archive that is taken: larger than any web application.
const ARCHIVE_BYTES_MAX: u64 = 1 << 30;

/// Why the catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The folder or a file in it can't be read.
    #[error("read {}", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file is not as it should be.
    #[error("{} is not a catalogue file: {reason}", path.display())]
    Shape {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// All applications, by name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    apps: BTreeMap<String, App>,
}

/// One application, as its file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct App {
    /// Its name in the catalogue; also the file's.
    pub app: String,
    /// What people call it.
    pub title: String,
    /// What it is for, one sentence, English.
    pub summary: String,
    /// Its home page.
    pub homepage: String,
    /// What it needs.
    pub needs: Needs,
    /// Archives in the mirror folder that bring their own checksum.
    pub mirror: Option<Mirror>,
    /// Versions that the file itself pins.
    #[serde(default)]
    pub versions: Vec<PinnedVersion>,
    /// What is done after unpacking, in order.
    pub steps: Vec<Step>,
}

/// What an application needs.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Needs {
    /// The PHP version.
    pub php: PhpVersion,
    /// Whether it needs a database.
    pub database: bool,
}

/// Archives in the mirror folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mirror {
    /// Beginning of the archives' names, before the version.
    pub prefix: String,
    /// End of the archives' names, after the version; names the format.
    pub suffix: String,
    /// The folder inside the archive that holds everything.
    pub top: Option<String>,
}

/// A version that the file pins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PinnedVersion {
    /// Its number.
    pub version: String,
    /// Where it comes from, the first that has it wins: `mirror:NAME` or `https://…`.
    pub sources: Vec<String>,
    /// The archive's checksum, 64 hexadecimal digits.
    pub sha256: String,
    /// The archive's size.
    pub bytes: u64,
    /// The folder inside the archive that holds everything.
    pub top: Option<String>,
}

/// One thing to do. Texts are templates; each value in them is written in the way of the format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, tag = "do", rename_all = "kebab-case")]
pub enum Step {
    /// Writes a file of the site.
    Write {
        /// Its name below the document root.
        path: String,
        /// Who may read it.
        access: Access,
        /// How values are written.
        format: Format,
        /// What it says.
        content: String,
    },
    /// Runs a PHP script as the site's user, inside the site's walls.
    Php {
        /// The script, with values as PHP literals.
        script: String,
        /// What it prints in the end when all went well.
        success: String,
    },
    /// Fetches a page through Apache, which must answer 200 with the site's title.
    Verify {
        /// The page.
        path: String,
    },
}

/// Who may read a written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Apache too.
    Public,
    /// The site's own processes only: it holds secrets.
    Secret,
}

/// How values are written into a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// As PHP string literals.
    Php,
    /// Not at all: the template has none.
    Plain,
}

/// Where an archive comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of the mirror folder.
    Mirror(PathBuf),
    /// An https address.
    Https(String),
}

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// A gzipped tar file.
    TarGz,
    /// A zip file.
    Zip,
}

impl ArchiveFormat {
    /// As the unpacker's argument.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::Zip => "zip",
        }
    }

    /// By the end of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            Some(Self::TarGz)
        } else if name.ends_with(".zip") {
            Some(Self::Zip)
        } else {
            None
        }
    }
}

/// A version that can be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub version: String,
    /// Where it comes from.
    pub sources: Vec<Source>,
    /// The archive's format.
    pub format: ArchiveFormat,
    /// The archive's checksum.
    pub sha256: [u8; 32],
    /// The archive's size.
    pub bytes: u64,
    /// The folder inside the archive that holds everything.
    pub top: Option<String>,
}

impl Version {
    /// Whether the archive is at hand.
    #[must_use]
    pub fn is_available(&self) -> bool {
        let is_there = |source: &Source| match source {
            Source::Mirror(path) => path.is_file(),
            Source::Https(_) => false,
        };
        self.sources.iter().any(is_there)
    }
}

impl Catalogue {
    /// Reads all `*.toml` files of a folder. A folder that is absent is an empty catalogue.
    ///
    /// # Errors
    /// When a file can't be read or has unknown, missing or wrong fields.
    pub fn load(folder: &Path) -> Result<Self, CatalogueError> {
        let read = |path: &Path| {
            let path = path.to_owned();
            move |source| CatalogueError::Read { path, source }
        };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(read(folder)(error)),
        };
        let mut apps = BTreeMap::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let text = std::fs::read_to_string(&path).map_err(read(&path))?;
                let app = App::parse(&path, &text)?;
                apps.insert(app.app.clone(), app);
            }
        }
        Ok(Self { apps })
    }

    /// An application by name.
    ///
    /// # Errors
    /// [`ProblemCode::UnknownApp`].
    pub fn app(&self, name: &str) -> Result<&App, Problem> {
        self.apps.get(name).ok_or_else(|| {
            let known: Vec<_> = self.apps.keys().map(String::as_str).collect();
            let message = format!(
                "there is no such application in the catalogue; it has: {}",
                known.join(", ")
            );
            Problem::new(ProblemCode::UnknownApp, message).field("app")
        })
    }

    /// What the API shows. Applications of which no version is known are left out.
    #[must_use]
    pub fn views(&self, mirror: &Path) -> Vec<AppView> {
        let views = self.apps.values().filter_map(|app| app.view(mirror));
        views.collect()
    }
}

impl App {
    /// Reads one file.
    ///
    /// # Errors
    /// When a field is unknown, missing or wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Self, CatalogueError> {
        let shape = |reason: String| CatalogueError::Shape {
            path: path.to_owned(),
            reason,
        };
        let app: Self = toml::from_str(text).map_err(|error| shape(chain(&error)))?;
        if path.file_stem().is_none_or(|stem| stem != app.app.as_str()) {
            return Err(shape(format!("it is about “{}”", app.app)));
        }
        app.check().map_err(shape)?;
        Ok(app)
    }

    fn check(&self) -> Result<(), String> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.app.is_empty() || !self.app.chars().all(is_name) {
            return Err("the name has other than lower-case letters, digits and hyphens".into());
        }
        if !self.homepage.starts_with("https://") {
            return Err("the home page is not an https address".into());
        }
        for version in &self.versions {
            version.parse(Path::new("/"))?;
        }
        if let Some(mirror) = &self.mirror {
            check_word("prefix", &mirror.prefix)?;
            check_word("suffix", &mirror.suffix)?;
            ArchiveFormat::of_name(&mirror.suffix).ok_or("the suffix names no known format")?;
            mirror
                .top
                .as_deref()
                .map_or(Ok(()), |top| check_word("top", top))?;
        }
        for step in &self.steps {
            if let Step::Write { path, .. } = step {
                check_path(path)?;
            }
        }
        Ok(())
    }

    /// All versions that are pinned, in the file or in the mirror folder, newest first; those that
    /// are at hand before those that are not.
    #[must_use]
    pub fn known_versions(&self, mirror: &Path) -> Vec<Version> {
        let pinned = self.versions.iter().filter_map(|v| v.parse(mirror).ok());
        let mut versions: Vec<_> = pinned.collect();
        if let Some(described) = &self.mirror {
            for found in described.look(mirror) {
                if versions.iter().all(|known| known.version != found.version) {
                    versions.push(found);
                }
            }
        }
        versions.sort_by(|a, b| {
            let at_hand = b.is_available().cmp(&a.is_available());
            at_hand.then_with(|| compare_versions(&b.version, &a.version))
        });
        versions
    }

    /// The version asked for, or the newest.
    ///
    /// # Errors
    /// [`ProblemCode::ArchiveUnavailable`] when there is none.
    pub fn version(&self, mirror: &Path, wanted: Option<&str>) -> Result<Version, Problem> {
        let is_wanted = |version: &Version| wanted.is_none_or(|wanted| version.version == wanted);
        let mut versions = self.known_versions(mirror).into_iter();
        versions.find(is_wanted).ok_or_else(|| {
            Problem::new(
                ProblemCode::ArchiveUnavailable,
                format!(
                    "no archive of {} is known on this node: an administrator must put it into the mirror folder with its .sha256 file",
                    self.title
                ),
            )
        })
    }

    fn view(&self, mirror: &Path) -> Option<AppView> {
        let version = self.known_versions(mirror).into_iter().next()?;
        Some(AppView {
            app: self.app.clone(),
            title: self.title.clone(),
            is_available: version.is_available(),
            version: version.version,
            summary: self.summary.clone(),
            homepage: self.homepage.clone(),
            archive_bytes: version.bytes,
            needs_database: self.needs.database,
        })
    }
}

impl PinnedVersion {
    fn parse(&self, mirror: &Path) -> Result<Version, String> {
        check_word("version", &self.version)?;
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&self.sha256, &mut sha256).map_err(|_bad| {
            format!(
                "the sha256 of {} is not 64 hexadecimal digits",
                self.version
            )
        })?;
        if self.bytes == 0 || self.bytes > ARCHIVE_BYTES_MAX {
            return Err(format!("the size of {} is out of range", self.version));
        }
        let sources: Vec<_> = self
            .sources
            .iter()
            .map(|source| parse_source(source, mirror))
            .collect::<Result<_, _>>()?;
        let format = self
            .sources
            .first()
            .and_then(|source| ArchiveFormat::of_name(source))
            .ok_or_else(|| format!("{} has no source of a known format", self.version))?;
        self.top
            .as_deref()
            .map_or(Ok(()), |top| check_word("top", top))?;
        Ok(Version {
            version: self.version.clone(),
            sources,
            format,
            sha256,
            bytes: self.bytes,
            top: self.top.clone(),
        })
    }
}

impl Mirror {
    /// Versions whose archive and checksum are both there.
    fn look(&self, mirror: &Path) -> Vec<Version> {
        let Ok(entries) = std::fs::read_dir(mirror) else {
            return Vec::new();
        };
        let names = entries
            .flatten()
            .filter_map(|e| e.file_name().into_string().ok());
        names
            .filter_map(|name| self.version_of(mirror, &name))
            .collect()
    }

    fn version_of(&self, mirror: &Path, name: &str) -> Option<Version> {
        let version = name
            .strip_prefix(&self.prefix)?
            .strip_suffix(&self.suffix)?;
        check_word("version", version).ok()?;
        let sums = std::fs::read_to_string(mirror.join(format!("{name}.sha256"))).ok()?;
        // The format of sha256sum: digits, two spaces, name.
        let digits = sums.split_whitespace().next()?;
        let mut sha256 = [0; 32];
        hex::decode_to_slice(digits, &mut sha256).ok()?;
        let path = mirror.join(name);
        Some(Version {
            version: version.to_owned(),
            format: ArchiveFormat::of_name(name)?,
            sha256,
            bytes: std::fs::metadata(&path).ok()?.len(),
            sources: vec![Source::Mirror(path)],
            top: self.top.clone(),
        })
    }
}

fn parse_source(text: &str, mirror: &Path) -> Result<Source, String> {
    if let Some(name) = text.strip_prefix("mirror:") {
        check_word("source", name)?;
        return Ok(Source::Mirror(mirror.join(name)));
    }
    if text.starts_with("https://") && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Ok(Source::Https(text.to_owned()));
    }
    Err(format!(
        "the source “{}” is neither mirror: nor https:",
        text.escape_debug()
    ))
}

/// A name that stays where it is put: no path, no hidden file.
fn check_word(what: &str, word: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    let is_suffix = what == "suffix";
    if word.is_empty() || (word.starts_with('.') && !is_suffix) || !word.chars().all(allowed) {
        return Err(format!(
            "the {what} “{}” is not a plain name",
            word.escape_debug()
        ));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), String> {
    let is_plain = |word: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !word.is_empty() && word != "." && word != ".." && word.chars().all(allowed)
    };
    if path.split('/').all(is_plain) {
        Ok(())
    } else {
        Err(format!(
            "the path “{}” leaves the site",
            path.escape_debug()
        ))
    }
}

/// Orders versions by their numbers: 6.10 is newer than 6.9; a pre-release is older than nothing.
fn compare_versions(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| -> Vec<u64> {
        let words = text.split(|c: char| !c.is_ascii_digit());
        words.filter_map(|word| word.parse().ok()).collect()
    };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests;
