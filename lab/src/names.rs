//! The names of a lab: its id, its nodes, groups of nodes, and what the kernel calls their things.
//!
//! Pure: words in, typed names or a message out.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// What every namespace and container of ours begins with.
pub(crate) const PREFIX: &str = "hwclab-";
/// The member of a lab that is no node: where visitors live.
pub const CLIENT: &str = "client";
/// The namespace that holds the bridge.
const SWITCH: &str = "sw";
/// Keeps `hwclab-ID-client` a valid name everywhere.
const ID_LENGTH_MAX: usize = 32;

/// A lab's name: lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabId(String);

impl LabId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The network namespace of a node or of the client.
    pub fn namespace(&self, member: &str) -> String {
        format!("{PREFIX}{}-{member}", self.0)
    }

    /// The network namespace of the switch that connects all.
    pub fn switch_namespace(&self) -> String {
        self.namespace(SWITCH)
    }

    /// What every namespace and container of this lab begins with.
    pub(crate) fn prefix(&self) -> String {
        format!("{PREFIX}{}-", self.0)
    }

    /// Whose namespace this is, if it is one of ours.
    pub(crate) fn of_namespace(namespace: &str) -> Option<Self> {
        let (id, member) = namespace.strip_prefix(PREFIX)?.rsplit_once('-')?;
        let is_ours = member == CLIENT || member == SWITCH || is_node_name(member);
        if is_ours { id.parse().ok() } else { None }
    }
}

impl FromStr for LabId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_valid = (1..=ID_LENGTH_MAX).contains(&text.len())
            && text.chars().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if is_valid {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::Input(format!(
            "{text:?} can't be a lab's id: use 1 to {ID_LENGTH_MAX} lower-case letters, digits and hyphens"
        )))
    }
}

impl fmt::Display for LabId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of the node with this number, from 1.
pub fn node_name(number: usize) -> String {
    format!("n{number}")
}

/// Whether this is how a node is called: `n1`, `n2`…
fn is_node_name(text: &str) -> bool {
    text.strip_prefix('n').is_some_and(|number| {
        !number.is_empty()
            && !number.starts_with('0')
            && number.chars().all(|digit| digit.is_ascii_digit())
    })
}

/// Names as people write them: separated by commas, spaces, or both.
pub fn parse_members<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let names = words
        .into_iter()
        .flat_map(|word| word.split(','))
        .map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The groups of a partition: one word each, members separated by commas.
///
/// # Errors
/// With fewer than two groups, an empty group, or a member in two groups.
pub fn parse_groups<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<Vec<String>>> {
    let groups: Vec<Vec<String>> = words
        .into_iter()
        .map(|word| parse_members([word]))
        .collect();
    if groups.len() < 2 {
        return Err(Error::Input(
            "a partition needs at least two groups, as in: partition n1,n2 n3".into(),
        ));
    }
    if groups.iter().any(Vec::is_empty) {
        return Err(Error::Input(
            "a group of the partition is empty; write it as n1,n2".into(),
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    for member in groups.iter().flatten() {
        if !seen.insert(member) {
            return Err(Error::Input(format!(
                "{member} is in two groups of the partition"
            )));
        }
    }
    Ok(groups)
}

/// A list of names as a sentence part.
pub(crate) fn join(names: &[String]) -> String {
    if names.is_empty() {
        "no nodes".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_lower_case_letters_digits_and_hyphens() {
        for good in ["demo", "t1234", "a-b", "7"] {
            assert_eq!(good.parse::<LabId>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-a",
            "a-",
            "Demo",
            "a/b",
            "..",
            "a b",
            "a\n",
            &"x".repeat(33),
        ] {
            assert!(bad.parse::<LabId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_namespace_tells_its_lab_even_when_the_id_has_hyphens() {
        let id: LabId = "my-lab".parse().unwrap();
        for member in ["n1", "n12", "client", "sw"] {
            assert_eq!(
                LabId::of_namespace(&id.namespace(member)),
                Some(id.clone()),
                "{member}"
            );
        }
        for foreign in [
            "lab-n1",
            "hwclab-",
            "hwclab-demo",
            "hwclab-demo-x",
            "hwclab-demo-n",
            "hwclab-demo-n01",
        ] {
            assert_eq!(LabId::of_namespace(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn groups_are_words_of_comma_separated_members() {
        let groups = parse_groups(["n1,n2", "n3", "client"]).unwrap();
        assert_eq!(groups, [vec!["n1", "n2"], vec!["n3"], vec!["client"]]);
    }

    #[test]
    fn groups_that_make_no_sense_are_refused() {
        let cases: [(&[&str], &str); 4] = [
            (&[], "at least two"),
            (&["n1,n2"], "at least two"),
            (&["n1", ","], "empty"),
            (&["n1,n2", "n2"], "n2 is in two groups"),
        ];
        for (words, message) in cases {
            let error = parse_groups(words.iter().copied()).unwrap_err().to_string();
            assert!(error.contains(message), "{words:?}: {error}");
        }
    }

    #[test]
    fn members_may_be_separated_by_commas_and_spaces() {
        assert_eq!(parse_members(["n1,n2", " n3 ", ""]), ["n1", "n2", "n3"]);
    }
}
