//! What can go wrong here, and what of it a customer or administrator is told.

use hwc_api::ids::DatasetId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_runtime::command::CommandError;
use std::io;
use std::path::PathBuf;

/// Why something could not be brought about.
#[derive(Debug, thiserror::Error)]
pub enum YakdError {
    /// A file of ours could not be read or written.
    #[error("{verb} {}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A value that a configuration format can't carry.
    #[error(transparent)]
    Unwritable(#[from] crate::escape::Unwritable),
    /// A program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A service refused its configuration.
    #[error("{service} refuses the configuration: {complaint}")]
    Refused {
        /// Which service.
        service: &'static str,
        /// Its own words.
        complaint: String,
    },
    /// The registry does not know the dataset, or it is deleted.
    #[error("dataset {0} is not in the registry")]
    UnknownDataset(DatasetId),
    /// What belongs to the dataset can't run: a value is out of range.
    #[error("{0}")]
    Unfit(String),
    /// Processes of a stopped dataset did not die.
    #[error("processes of uid {uid} are still there after {waited_ms} ms: {pids:?}")]
    StillRunning {
        /// Whose.
        uid: u32,
        /// Which.
        pids: Vec<i32>,
        /// How long was waited, milliseconds.
        waited_ms: u128,
    },
    /// A service runs and does not say what configuration it has.
    #[error("{service} runs and does not answer")]
    Silent {
        /// Which service.
        service: &'static str,
    },
    /// A helper thread of ours died.
    #[error("a helper thread ended without an answer")]
    Thread,
}

impl YakdError {
    /// Adds verb and path to an IO error.
    pub(crate) fn file(
        verb: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { verb, path, source }
    }

    /// What a customer or administrator is told. What is inside only goes into the log, under the
    /// number that the problem quotes.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        match self {
            Self::File { source, .. } if is_disk_full(source) => disk_full(),
            Self::Refused { service, complaint } => Problem::new(
                ProblemCode::ConfigurationRefused,
                format!("{service} refuses the new configuration; the old one stays: {complaint}"),
            )
            .detail(complaint.clone()),
            Self::Unwritable(error) => {
                Problem::new(ProblemCode::ConfigurationRefused, error.to_string())
                    .detail(error.to_string())
            }
            Self::Unfit(message) => {
                Problem::new(ProblemCode::ConfigurationRefused, message.clone())
                    .detail(message.clone())
            }
            Self::UnknownDataset(_) => Problem::new(ProblemCode::NotFound, self.to_string()),
            Self::File { .. }
            | Self::Command(_)
            | Self::StillRunning { .. }
            | Self::Silent { .. }
            | Self::Thread => internal(self),
        }
    }
}

/// Whether an IO error says that there is no room.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// The problem of a full disk.
pub(crate) fn disk_full() -> Problem {
    Problem::new(
        ProblemCode::DiskFull,
        "the disk of the node is full: remove something, or ask the administrator for room",
    )
}

/// Logs an internal error under a number, and gives the problem that quotes it.
pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Problem {
    let incident = format!("{:08x}", hwc_runtime::random::number_u32());
    tracing::error!(%incident, error = %chain(error), "an operation failed");
    Problem::new(
        ProblemCode::Internal,
        format!("something broke inside; the log has it as incident {incident}"),
    )
    .detail(incident)
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_as_such_and_the_rest_by_number() {
        let full = YakdError::file("write", "/x")(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.to_problem().code, ProblemCode::DiskFull);
        let secret = YakdError::file("write", "/secret")(io::Error::from(io::ErrorKind::Other));
        let problem = secret.to_problem();
        assert_eq!(problem.code, ProblemCode::Internal);
        assert!(!problem.message.contains("/secret"), "{}", problem.message);
        assert_eq!(problem.detail.map(|d| d.len()), Some(8));
    }
}
