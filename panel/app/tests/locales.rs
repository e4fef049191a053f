//! Every text has its words in every language: the ids in the code, the codes of the API, and the
//! languages among themselves.

#![allow(
    clippy::expect_used,
    reason = "a test reports what it could not read by failing"
)]

use fluent_bundle::FluentResource;
use hwc_api::problem::ProblemCode;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|has| has == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Each message of a language with the variables that it uses.
fn messages(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages = BTreeMap::new();
    for path in files(&root().join("locales").join(language), "ftl") {
        let text = read(&path);
        let resource = FluentResource::try_new(text)
            .unwrap_or_else(|(_, errors)| panic!("{}: {errors:?}", path.display()));
        let mut seen_in_source = variables_by_message(resource.source());
        for entry in resource.entries() {
            if let fluent_syntax::ast::Entry::Message(message) = entry {
                let id = message.id.name.to_owned();
                let variables = seen_in_source.remove(&id).unwrap_or_default();
                let before = messages.insert(id.clone(), variables);
                assert!(before.is_none(), "{language} has {id} twice");
            }
        }
    }
    messages
}

/// The `$names` in the text of each message.
fn variables_by_message(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in source.lines().filter(|line| !line.starts_with('#')) {
        let starts_message = line.starts_with(|c: char| c.is_ascii_alphabetic());
        if let (true, Some((id, _))) = (starts_message, line.split_once('=')) {
            current = id.trim().to_owned();
        }
        for part in line.split('$').skip(1) {
            let name: String = part
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
                .collect();
            found.entry(current.clone()).or_default().insert(name);
        }
    }
    found
}

fn languages() -> Vec<String> {
    let mut languages: Vec<String> = std::fs::read_dir(root().join("locales"))
        .expect("locales/")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    languages.sort();
    assert!(languages.contains(&"en".to_owned()) && languages.contains(&"de".to_owned()));
    languages
}

/// Each id that the code asks for, with the arguments that it hands over.
fn ids_in_code() -> BTreeMap<String, BTreeSet<String>> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files(&root().join("panel/app/src"), "rs") {
        let text = read(&path);
        let code: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        for part in code.join("\n").split("tr!(").skip(1) {
            let Some(rest) = part.trim_start().strip_prefix('"') else {
                continue;
            };
            let Some((id, after)) = rest.split_once('"') else {
                continue;
            };
            ids.entry(id.to_owned())
                .or_default()
                .extend(arguments(after));
        }
    }
    assert!(ids.len() > 100, "the scan finds too little to be right");
    ids
}

/// The names in `, name = value, …)`, up to the closing parenthesis of the macro.
fn arguments(after: &str) -> Vec<String> {
    let mut depth = 0_i32;
    let mut names = Vec::new();
    let mut piece = String::new();
    for c in after.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                piece.clear();
                continue;
            }
            '=' if depth == 0 && !piece.trim().is_empty() => {
                let name = piece.trim().to_owned();
                if name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    names.push(name);
                }
            }
            _ => {}
        }
        piece.push(c);
    }
    names
}

#[test]
fn every_id_in_the_code_has_its_text_in_every_language() {
    let ids = ids_in_code();
    for language in languages() {
        let messages = messages(&language);
        let missing: Vec<&String> = ids
            .keys()
            .filter(|id| !messages.contains_key(*id))
            .collect();
        assert!(missing.is_empty(), "{language} lacks {missing:?}");
    }
}

#[test]
fn every_variable_of_a_text_is_handed_over_by_the_code() {
    let ids = ids_in_code();
    for language in languages() {
        for (id, variables) in messages(&language) {
            if let Some(given) = ids.get(&id) {
                assert!(
                    variables.is_subset(given),
                    "{language}: {id} uses {variables:?}, the code gives {given:?}"
                );
            }
        }
    }
}

#[test]
fn every_problem_has_its_text_in_every_language() {
    for language in languages() {
        let messages = messages(&language);
        let lacking: Vec<String> = ProblemCode::ALL
            .iter()
            .map(|code| format!("problem-{code}"))
            .filter(|id| !messages.contains_key(id))
            .collect();
        assert!(lacking.is_empty(), "{language} lacks {lacking:?}");
    }
}

#[test]
fn languages_have_the_same_messages_with_the_same_variables() {
    let english = messages("en");
    for language in languages() {
        let other = messages(&language);
        let ids = |messages: &BTreeMap<String, BTreeSet<String>>| {
            messages.keys().cloned().collect::<BTreeSet<_>>()
        };
        let difference: Vec<_> = ids(&english)
            .symmetric_difference(&ids(&other))
            .cloned()
            .collect();
        assert!(
            difference.is_empty(),
            "{language} differs from English in {difference:?}"
        );
        for (id, variables) in &other {
            assert_eq!(
                Some(variables),
                english.get(id),
                "{language}: variables of {id}"
            );
        }
    }
}

#[test]
fn no_message_is_left_without_use() {
    // Ids that are put together: by problem, by step, by application; and what a language says of
    // itself.
    let families = [
        "problem-",
        "job-step-",
        "app-name-",
        "app-summary-",
        "language-",
    ];
    let ids = ids_in_code();
    let unused: Vec<String> = messages("en")
        .into_keys()
        .filter(|id| !ids.contains_key(id) && !families.iter().any(|family| id.starts_with(family)))
        .collect();
    assert!(unused.is_empty(), "nobody asks for {unused:?}");
}
