use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = Home::open(folder.path()).expect("opened");
    (folder, home)
}

#[test]
fn files_are_written_whole_and_read_back() {
    let (folder, home) = home();
    home.ensure_folder(Path::new("public_html"), 0o755)
        .expect("made");
    home.ensure_folder(Path::new("public_html"), 0o755)
        .expect("there already");
    let path = Path::new("public_html/.htaccess");
    home.write(path, b"one", 0o640).expect("written");
    home.write(path, b"two", 0o600).expect("replaced");
    let written = folder.path().join(path);
    assert_eq!(fs::read(&written).expect("read"), b"two");
    assert_eq!(
        fs::metadata(&written).expect("there").permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        home.names(Path::new("public_html"), 10)
            .expect("listed")
            .len(),
        1
    );
}

#[test]
fn no_link_is_followed_wherever_it_stands() {
    let (folder, home) = home();
    let outside = tempfile::tempdir().expect("a temporary folder");
    fs::write(outside.path().join("secret"), "s").expect("written");
    symlink(outside.path(), folder.path().join("public_html")).expect("linked");
    fs::create_dir(folder.path().join("real")).expect("made");
    symlink(outside.path(), folder.path().join("real/inner")).expect("linked");
    for bad in [
        "public_html/x",
        "real/inner/x",
        "../x",
        "real/../../x",
        "/etc/x",
    ] {
        let path = Path::new(bad);
        assert!(home.write(path, b"x", 0o644).is_err(), "{bad} was written");
        assert!(home.create_folder(path, 0o755).is_err(), "{bad} was made");
        assert!(remove_tree(&home, path).is_err(), "{bad} was removed");
    }
    assert!(home.ensure_folder(Path::new("public_html"), 0o755).is_err());
    assert!(home.names(Path::new("real/inner"), 10).is_err());
    assert_eq!(fs::read_dir(outside.path()).expect("listed").count(), 1);
    // The link itself is the owner's and goes; what it points to stays.
    remove_tree(&home, Path::new("public_html")).expect("removed");
    remove_tree(&home, Path::new("real")).expect("removed");
    assert!(outside.path().join("secret").exists());
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
}

#[test]
fn trees_are_copied_and_removed() {
    let (folder, home) = home();
    let source = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(source.path().join("mysql/deep")).expect("made");
    fs::write(source.path().join("mysql/deep/t.ibd"), [7; 70_000]).expect("written");
    let tree = SourceTree::open(source.path()).expect("opened");
    copy_tree(&home, &tree, Path::new("data")).expect("copied");
    let copied = folder.path().join("data/mysql/deep/t.ibd");
    assert_eq!(fs::read(copied).expect("read"), [7; 70_000]);
    assert!(
        copy_tree(&home, &tree, Path::new("data")).is_err(),
        "copied over"
    );
    remove_tree(&home, Path::new("data")).expect("removed");
    remove_tree(&home, Path::new("data")).expect("absent is fine");
    assert!(!home.exists(Path::new("data")).expect("told"));
}

#[test]
fn renaming_never_replaces() {
    let (_folder, home) = home();
    home.write(Path::new("a"), b"a", 0o600).expect("written");
    home.write(Path::new("b"), b"b", 0o600).expect("written");
    assert!(home.rename(Path::new("a"), Path::new("b")).is_err());
    home.rename(Path::new("a"), Path::new("c"))
        .expect("renamed");
}

#[tokio::test]
async fn work_is_done_with_the_owners_rights_only() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("roots"), "x").expect("written");
    fs::set_permissions(
        folder.path().join("roots"),
        fs::Permissions::from_mode(0o600),
    )
    .expect("closed");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("opened");
    let owner = Owner {
        uid: 200_123,
        gid: 200_124,
    };
    let path = folder.path().to_owned();
    let (read, written) = as_owner(owner, move || {
        let home = Home::open(&path).expect("opened");
        (
            fs::read(path.join("roots")),
            home.write(Path::new("own"), b"x", 0o644),
        )
    })
    .await
    .expect("done");
    assert_eq!(
        read.expect_err("refused").kind(),
        io::ErrorKind::PermissionDenied
    );
    written.expect("written");
    let stat = fs::metadata(folder.path().join("own")).expect("there");
    assert_eq!((stat.uid(), stat.gid()), (200_123, 200_124));
    // This thread still is root.
    assert!(fs::read(folder.path().join("roots")).is_ok());
}
