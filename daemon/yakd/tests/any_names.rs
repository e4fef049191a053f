//! Whatever people type as names: what the parsers accept renders into files that say exactly
//! that, and nothing more.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use hwc_api::desired::{Desired, NativePasswordHash, PhpVersion};
use hwc_api::ids::{DatabaseId, DatasetId, SiteId};
use hwc_api::names::{DatabaseName, DatabaseUser, DomainName};
use hwc_yakd::NodeConfig;
use hwc_yakd::config::SocketKey;
use hwc_yakd::files::{File, FileSet, Rendered};
use hwc_yakd::gather::{DatabasePart, DatasetPart, SitePart, TenantId, Wanted, gather};
use hwc_yakd::render;
use proptest::prelude::*;

fn config() -> NodeConfig {
    NodeConfig::new(SocketKey::from_bytes([7; 32]), Vec::new())
}

fn site(main: DomainName, aliases: Vec<DomainName>, uid: u32) -> SitePart {
    SitePart {
        id: SiteId(7),
        dataset: DatasetId(12),
        owner: TenantId::parse(uid).expect("in range"),
        main_domain: main,
        aliases,
        php: PhpVersion::V8_4,
        is_suspended: false,
    }
}

fn all_files(part: &DatasetPart) -> FileSet<Rendered> {
    let mut files = render::dataset_files(&config(), part).expect("rendered");
    let mut wanted = Wanted::default();
    if let DatasetPart::Site(site) = part {
        wanted.sites.insert(site.id, site.clone());
    }
    let (apache, left_out) = render::apache::render(&config(), &wanted).expect("rendered");
    assert_eq!(left_out, [] as [String; 0]);
    files.merge(apache);
    files
}

/// Each file's lines with the words of people taken out: its skeleton.
fn skeleton(files: &FileSet<Rendered>, words: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, file) in files.files() {
        let File::Text { text, .. } = file else {
            continue;
        };
        assert!(
            text.bytes().all(|b| b == b'\n' || (b >= 0x20 && b != 0x7f)),
            "a control character in {}",
            path.display()
        );
        for line in text.lines() {
            let mut line = line.to_owned();
            for word in words {
                line = line.replace(word, "…");
            }
            lines.push(format!("{}: {line}", path.display()));
        }
    }
    lines
}

/// Things that look like domains now and then, and anything else.
fn typed() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9-]{1,12}(\\.[a-z0-9-]{1,12}){1,3}",
        "[a-zäöüß0-9]{1,12}\\.example",
        "[a-z.\\-\n\"'<>{}$%;#\\\\ ]{1,20}\\.example",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn domains_stay_where_they_are_put(main in typed(), alias in typed()) {
        let (Ok(main), Ok(alias)) = (DomainName::parse(&main), DomainName::parse(&alias)) else {
            return Ok(());
        };
        let words = [main.as_str(), alias.as_str()];
        let part = DatasetPart::Site(site(main.clone(), vec![alias.clone()], 200_000));
        let files = all_files(&part);
        let plain_main = DomainName::parse("one-name.invalid").expect("a domain");
        let plain_alias = DomainName::parse("other-name.invalid").expect("a domain");
        let plain = DatasetPart::Site(site(plain_main, vec![plain_alias], 200_000));
        let expected = skeleton(&all_files(&plain), &["one-name.invalid", "other-name.invalid"]);
        // Short names also occur within fixed words; the number of lines can't change.
        let found = skeleton(&files, &words);
        prop_assert_eq!(found.len(), expected.len());
        let path = "/etc/apache2/sites-enabled/hwc-site-7.conf";
        let Some(File::Text { text, .. }) = files.files().get(std::path::Path::new(path)) else {
            return Err(TestCaseError::fail("no virtual host"));
        };
        let has = |line: String| text.lines().filter(|l| l.trim() == line).count() == 1;
        let server_name = format!("ServerName {main}");
        prop_assert!(has(server_name));
        let server_alias = format!("ServerAlias {alias}");
        prop_assert!(has(server_alias));
    }

    #[test]
    fn databases_stay_where_they_are_put(name in "[a-z][a-z0-9_]{0,61}|\\PC{1,20}", user in "[a-z][a-z0-9_]{0,31}|\\PC{1,20}") {
        let (Ok(name), Ok(user)) = (DatabaseName::parse(&name), DatabaseUser::parse(&user)) else {
            return Ok(());
        };
        let hash = format!("*{}", "0123456789ABCDEF0123456789ABCDEF01234567");
        let part = DatasetPart::Database(DatabasePart {
            id: DatabaseId(3),
            dataset: DatasetId(13),
            owner: TenantId::parse(200_001).expect("in range"),
            name: name.clone(),
            user: user.clone(),
            password_hash: NativePasswordHash::parse(&hash).expect("a hash"),
        });
        let files = all_files(&part);
        let Some(File::Text { text, group, .. }) = files.files().get(std::path::Path::new("/etc/hwc/db/3.sql")) else {
            return Err(TestCaseError::fail("no start file"));
        };
        prop_assert_eq!(*group, Some(200_001));
        prop_assert_eq!(text.lines().count(), 1);
        let pattern = name.as_str().replace('_', "\\_");
        let grant = format!("GRANT ALL PRIVILEGES ON `{pattern}`.* TO `{user}`@localhost;");
        prop_assert!(text.contains(&grant));
        prop_assert_eq!(text.matches('\'').count() % 2, 0);
        prop_assert_eq!(text.matches('`').count() % 2, 0);
    }
}

#[test]
fn an_empty_registry_is_no_problem() {
    assert_eq!(gather(&Desired::default()), Wanted::default());
}
