//! Figures: a table for people, a file for machines.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, FileContext, Result};

/// The middle and the worst of some figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread<T> {
    /// The middle one; of an even number the greater of the two in the middle.
    pub median: T,
    /// The worst.
    pub max: T,
}

impl<T: Copy + PartialOrd> Spread<T> {
    /// None where there are no figures.
    #[must_use]
    pub fn of(mut values: Vec<T>) -> Option<Self> {
        values.sort_by(|one, other| {
            one.partial_cmp(other)
                .unwrap_or(std::cmp::Ordering::Greater)
        });
        Some(Self {
            median: *values.get(values.len() / 2)?,
            max: *values.last()?,
        })
    }
}

/// Writes figures as JSON, making the folder where there is none.
///
/// # Errors
/// When the file can't be written.
pub fn write(figures: &impl Serialize, output: &Path) -> Result<()> {
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).file("create", folder)?;
    }
    let text = serde_json::to_string_pretty(figures).map_err(|error| Error::Machine {
        what: format!("the figures can't be written as JSON: {error}"),
        advice: "this is a mistake in the benchmark".to_owned(),
    })?;
    fs::write(output, text + "\n").file("write", output)
}

/// Prints a table, or a line of it.
#[expect(clippy::print_stdout, reason = "a benchmark prints its table")]
pub fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_worst_are_told() {
        assert_eq!(Spread::<u64>::of(vec![]), None);
        let spread = Spread::of(vec![3, 1, 9]);
        assert_eq!(spread, Some(Spread { median: 3, max: 9 }));
        let spread = Spread::of(vec![0.5, 0.25]);
        let halves = Spread {
            median: 0.5,
            max: 0.5,
        };
        assert_eq!(spread, Some(halves));
    }
}
