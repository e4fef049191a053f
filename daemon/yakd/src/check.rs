//! Lets each service's own checker judge a staged copy, before anything of the old is touched.
//!
//! When a whole is refused, the culprits among the sites are found by halving, so that one bad
//! site is dropped and all others go on.

pub mod apache;
pub mod database;
pub mod php;

use crate::error::YakdError;
use std::path::{Path, PathBuf};

/// A site's file that the checker refuses, with the checker's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    /// The file.
    pub path: PathBuf,
    /// What the checker says.
    pub complaint: String,
}

/// What a checker says about a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Takes it.
    Accepted,
    /// Refuses it, with these words.
    Refused(String),
}

/// A checker that can judge any choice of the files that sites contribute.
pub(crate) trait Checker {
    /// Judges the common part together with these files.
    async fn judge(&self, chosen: &[PathBuf]) -> Result<Verdict, YakdError>;
}

/// Finds the files that a checker refuses. One run when all is well; when not, a few for each
/// culprit (halving).
pub(crate) async fn culprits(
    checker: &impl Checker,
    files: &[PathBuf],
) -> Result<Vec<Culprit>, YakdError> {
    let mut found = Vec::new();
    let mut suspects = vec![files.to_vec()];
    while let Some(group) = suspects.pop() {
        if group.is_empty() {
            continue;
        }
        let Verdict::Refused(complaint) = checker.judge(&group).await? else {
            continue;
        };
        match group.as_slice() {
            [path] => found.push(Culprit {
                path: path.clone(),
                complaint,
            }),
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                suspects.push(right.to_vec());
                suspects.push(left.to_vec());
            }
        }
    }
    Ok(found)
}

/// An empty folder to stage in.
fn empty_folder(folder: &Path) -> Result<(), YakdError> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(YakdError::file("empty", folder)(error)),
    }
    std::fs::create_dir_all(folder).map_err(YakdError::file("create", folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    struct Refuses {
        bad: Vec<PathBuf>,
        runs: Cell<u32>,
    }

    impl Checker for Refuses {
        async fn judge(&self, chosen: &[PathBuf]) -> Result<Verdict, YakdError> {
            self.runs.set(self.runs.get() + 1);
            let bad = chosen.iter().find(|path| self.bad.contains(path));
            Ok(bad.map_or(Verdict::Accepted, |path| {
                Verdict::Refused(format!("{} is bad", path.display()))
            }))
        }
    }

    async fn check(count: usize, bad: &[usize], most_runs: u32) {
        let name = |number: usize| PathBuf::from(format!("/site-{number}"));
        let files: Vec<_> = (0..count).map(name).collect();
        let bad: Vec<_> = bad.iter().map(|number| name(*number)).collect();
        let checker = Refuses {
            bad: bad.clone(),
            runs: Cell::new(0),
        };
        let found = culprits(&checker, &files).await.expect("judged");
        let paths: Vec<_> = found.iter().map(|culprit| culprit.path.clone()).collect();
        assert_eq!(paths, bad);
        assert!(
            checker.runs.get() <= most_runs,
            "{} runs",
            checker.runs.get()
        );
    }

    #[tokio::test]
    async fn exactly_the_culprits_are_found_in_few_runs() {
        check(0, &[], 0).await;
        check(1, &[0], 1).await;
        check(1000, &[], 1).await;
        check(1000, &[567], 21).await;
        check(1000, &[0, 999], 40).await;
    }
}
