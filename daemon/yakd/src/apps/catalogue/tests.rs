use super::*;

const FILE: &str = r#"
app = "tiny"
title = "Tiny"
summary = "A tiny application."
homepage = "https://tiny.example/"
steps = [{ do = "verify", path = "/" }]

[needs]
php = "8.4"
database = false

[mirror]
prefix = "tiny-"
suffix = ".tar.gz"
top = "tiny"

[[versions]]
version = "1.2"
sources = ["mirror:tiny-1.2.zip", "https://tiny.example/tiny-1.2.zip"]
sha256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
bytes = 100
"#;

fn parse(text: &str) -> Result<App, CatalogueError> {
    App::parse(Path::new("/apps/tiny.toml"), text)
}

#[test]
fn a_file_is_read_and_its_versions_are_known() {
    let app = parse(FILE).expect("a good file");
    let mirror = tempfile::tempdir().expect("a temporary folder");
    let versions = app.known_versions(mirror.path());
    assert_eq!(versions.len(), 1);
    assert_eq!(versions[0].format, ArchiveFormat::Zip);
    assert!(!versions[0].is_available());

    // The mirror brings newer ones, each with its checksum; one without is none.
    for name in ["tiny-1.9.tar.gz", "tiny-1.10.tar.gz", "tiny-2.0.tar.gz"] {
        std::fs::write(mirror.path().join(name), "archive").expect("written");
    }
    for name in ["tiny-1.9.tar.gz", "tiny-1.10.tar.gz"] {
        let sums = format!("{}  {name}\n", "ab".repeat(32));
        std::fs::write(mirror.path().join(format!("{name}.sha256")), sums).expect("written");
    }
    let numbers: Vec<_> = app
        .known_versions(mirror.path())
        .into_iter()
        .map(|v| v.version)
        .collect();
    assert_eq!(numbers, ["1.10", "1.9", "1.2"]);
    assert!(app.version(mirror.path(), Some("2.0")).is_err());
}

#[test]
fn wrong_files_are_refused_with_a_reason() {
    for (from, to, reason) in [
        (
            "title = \"Tiny\"",
            "title = \"Tiny\"\nunknown = 1",
            "unknown",
        ),
        (
            "database = false",
            "database = false\nroot = true",
            "unknown",
        ),
        ("app = \"tiny\"", "app = \"other\"", "about"),
        ("php = \"8.4\"", "php = \"5.6\"", "unknown variant"),
        ("0011223344", "xx11223344", "hexadecimal"),
        ("bytes = 100", "bytes = 0", "range"),
        (
            "mirror:tiny-1.2.zip",
            "mirror:../../etc/shadow.zip",
            "plain name",
        ),
        (
            "https://tiny.example/tiny-1.2.zip",
            "http://tiny.example/x.zip",
            "neither",
        ),
        (
            "https://tiny.example/tiny-1.2.zip",
            "file:///etc/x.zip",
            "neither",
        ),
        ("mirror:tiny-1.2.zip", "mirror:tiny-1.2.rar", "format"),
        ("suffix = \".tar.gz\"", "suffix = \".rar\"", "format"),
        ("top = \"tiny\"", "top = \"../tiny\"", "plain name"),
        ("https://tiny.example/\"", "javascript:alert(1)\"", "https"),
        (
            "{ do = \"verify\", path = \"/\" }",
            "{ do = \"write\", path = \"../x\", access = \"public\", format = \"plain\", content = \"\" }",
            "leaves",
        ),
        (
            "{ do = \"verify\", path = \"/\" }",
            "{ do = \"shell\", command = \"id\" }",
            "unknown variant",
        ),
    ] {
        let text = FILE.replacen(from, to, 1);
        assert_ne!(text, FILE, "{from} is not in the file");
        let error = parse(&text).expect_err(to).to_string();
        assert!(error.contains(reason), "{to}: {error}");
    }
}

#[test]
fn the_catalogue_of_the_repository_is_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps");
    let catalogue = Catalogue::load(&folder).expect("good files");
    let app = catalogue.app("wordpress").expect("in the catalogue");
    assert!(app.needs.database);
    assert!(matches!(app.steps.last(), Some(Step::Verify { .. })));
    let unknown = catalogue.app("nothing").expect_err("unknown");
    assert_eq!(unknown.code, ProblemCode::UnknownApp);
}
