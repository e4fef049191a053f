//! What is rendered, held against files: `golden/<case>/input.json` (a registry) gives everything
//! below `golden/<case>/expected/` and the lines of `problems.txt`, and nothing else. What is the
//! same for an empty registry stands in `golden/empty/` only.
//!
//! `HWC_GOLDEN=write cargo test -p hwc-yakd --test golden` writes them anew; read the difference.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use hwc_api::desired::Desired;
use hwc_yakd::NodeConfig;
use hwc_yakd::config::SocketKey;
use hwc_yakd::files::{File, FileSet};
use hwc_yakd::gather::{DatasetPart, gather};
use hwc_yakd::render;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_case_renders_what_is_expected() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let is_writing = std::env::var("HWC_GOLDEN").is_ok_and(|word| word == "write");
    let always = render_all(&Desired::default());
    let mut count = 0;
    for case in fs::read_dir(cases)
        .expect("listed")
        .map(|e| e.expect("entry").path())
    {
        let input = fs::read_to_string(case.join("input.json")).expect("an input");
        let desired: Desired = serde_json::from_str(&input).expect("a registry");
        let mut rendered = render_all(&desired);
        if !case.ends_with("empty") {
            rendered.retain(|path, text| always.get(path) != Some(text));
        }
        if is_writing {
            write(&case.join("expected"), &rendered);
        }
        assert_eq!(
            rendered,
            read(&case.join("expected")),
            "in {}",
            case.display()
        );
        count += 1;
    }
    assert!(count >= 6, "only {count} cases were found");
}

/// Every rendered file by its path without the leading `/`, mode and link target in a first line.
fn render_all(desired: &Desired) -> BTreeMap<PathBuf, String> {
    let config = NodeConfig::new(SocketKey::from_bytes([7; 32]), vec!["/usr/bin/hwcd".into()]);
    let wanted = gather(desired);
    let mut files = FileSet::default();
    files.merge(render::accounts::render(&wanted).expect("rendered"));
    files.merge(render::database_settings::render(&config).expect("rendered"));
    let (apache, left_out) = render::apache::render(&config, &wanted).expect("rendered");
    files.merge(apache);
    let sites = wanted.sites.values().cloned().map(DatasetPart::Site);
    let databases = wanted
        .databases
        .values()
        .cloned()
        .map(DatasetPart::Database);
    for part in sites.chain(databases) {
        files.merge(render::dataset_files(&config, &part).expect("rendered"));
    }
    let mut rendered: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (path, file) in files.files() {
        let path = path.strip_prefix("/").expect("absolute").to_owned();
        rendered.insert(path, shown(file));
    }
    let problems = wanted
        .problems
        .iter()
        .map(|problem| problem.message.clone());
    let lines: Vec<_> = problems.chain(left_out).collect();
    rendered.insert("problems.txt".into(), lines.join("\n"));
    rendered
}

fn shown(file: &File) -> String {
    match file {
        File::Text { mode, group, text } => match group {
            Some(group) => format!("mode {mode:o} group {group}\n{text}"),
            None => format!("mode {mode:o}\n{text}"),
        },
        File::Link(to) => format!("link to {}\n", to.display()),
    }
}

fn read(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for path in fs::read_dir(&next)
            .expect("listed")
            .map(|e| e.expect("entry").path())
        {
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside").to_owned();
                found.insert(name, fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    found
}

fn write(folder: &Path, rendered: &BTreeMap<PathBuf, String>) {
    let _absent = fs::remove_dir_all(folder);
    for (path, text) in rendered {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}
