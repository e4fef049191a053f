use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::os::unix::fs::PermissionsExt as _;

/// Name, kind, mode, content, link.
type Entry<'a> = (&'a str, u8, u32, &'a [u8], &'a str);

/// A tar.gz of entries made by hand: the tar crate's own writer refuses what an attacker writes.
fn targz(entries: &[Entry]) -> File {
    let mut tar = Vec::new();
    for (name, kind, mode, content, link) in entries {
        let mut header = tar::Header::new_ustar();
        let raw = header.as_old_mut();
        raw.name[..name.len()].copy_from_slice(name.as_bytes());
        raw.linkname[..link.len()].copy_from_slice(link.as_bytes());
        raw.linkflag = [*kind];
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar).expect("packed");
    file(&gzip.finish().expect("packed"))
}

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(content).expect("written");
    file.rewind().expect("rewound");
    file
}

struct Place {
    folder: tempfile::TempDir,
    home: Dir,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = Dir::open_ambient_dir(folder.path(), ambient_authority()).expect("opened");
    Place { folder, home }
}

fn unpack_tar(place: &Place, archive: File) -> Result<(), UnpackError> {
    unpack(
        archive,
        ArchiveFormat::TarGz,
        &place.home,
        "new",
        Some("app"),
        &mut |_| {},
    )
}

#[test]
fn files_and_folders_come_out_with_plain_modes() {
    let place = place();
    let archive = targz(&[
        ("app/", b'5', 0o777, b"", ""),
        ("app/index.php", b'0', 0o6777, b"<?php", ""),
        ("app/a/b/c.txt", b'0', 0o600, b"c", ""),
    ]);
    let mut told = Vec::new();
    unpack(
        archive,
        ArchiveFormat::TarGz,
        &place.home,
        "new",
        Some("app"),
        &mut |p| told.push(p),
    )
    .expect("unpacked");
    let new = place.folder.path().join("new");
    assert_eq!(std::fs::read(new.join("a/b/c.txt")).expect("read"), b"c");
    let mode = |name: &str| {
        let metadata = std::fs::metadata(new.join(name)).expect("there");
        metadata.permissions().mode() & 0o7777
    };
    assert_eq!(
        (mode("index.php"), mode("a/b/c.txt"), mode("a")),
        (0o755, 0o644, 0o755)
    );
    assert_eq!(told.last(), Some(&100));
}

#[test]
fn hostile_archives_are_refused_and_nothing_gets_out() {
    let hostile: [&[Entry]; 12] = [
        &[("app/../../evil", b'0', 0o644, b"x", "")],
        &[("../evil", b'0', 0o644, b"x", "")],
        &[("/evil", b'0', 0o644, b"x", "")],
        &[("other/evil", b'0', 0o644, b"x", "")],
        &[
            ("app/l", b'2', 0o777, b"", "/etc"),
            ("app/l/evil", b'0', 0o644, b"x", ""),
        ],
        &[("app/l", b'2', 0o777, b"", "..")],
        &[("app/h", b'1', 0o644, b"", "/etc/passwd")],
        &[("app/dev", b'3', 0o666, b"", "")],
        &[("app/block", b'4', 0o666, b"", "")],
        &[("app/fifo", b'6', 0o666, b"", "")],
        &[("app/a\nb", b'0', 0o644, b"x", "")],
        &[
            ("app/twice", b'0', 0o644, b"x", ""),
            ("app/twice", b'0', 0o644, b"y", ""),
        ],
    ];
    for entries in hostile {
        let place = place();
        let result = unpack_tar(&place, targz(entries));
        assert!(result.is_err(), "{entries:?} was taken");
        let outside = std::fs::read_dir(place.folder.path())
            .expect("listed")
            .count();
        assert_eq!(outside, 1, "{entries:?} got out");
    }
}

#[test]
fn a_bomb_is_stopped() {
    let place = place();
    let zeros = vec![0; 70 << 20];
    let result = unpack_tar(&place, targz(&[("app/zeros", b'0', 0o644, &zeros, "")]));
    assert!(matches!(result, Err(UnpackError::Bound(_))), "{result:?}");
    let too_deep = unpack_deep(70);
    assert!(
        matches!(too_deep, Err(UnpackError::Bound(_))),
        "{too_deep:?}"
    );
}

/// An archive, by zip because of its longer names, with so many folders in folders.
fn unpack_deep(depth: usize) -> Result<(), UnpackError> {
    let place = place();
    let name = format!("app/{}x", "d/".repeat(depth));
    unpack_zip(&place, &[(&name, 0o100_644, b"x")])
}

fn unpack_zip(place: &Place, entries: &[(&str, u32, &[u8])]) -> Result<(), UnpackError> {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, mode, content) in entries {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(*mode);
        if mode & 0o170_000 == 0o120_000 {
            let target = std::str::from_utf8(content).expect("text");
            zip.add_symlink(*name, target, options).expect("added");
        } else {
            zip.start_file(*name, options).expect("begun");
            zip.write_all(content).expect("written");
        }
    }
    let bytes = zip.finish().expect("finished").into_inner();
    unpack(
        file(&bytes),
        ArchiveFormat::Zip,
        &place.home,
        "new",
        Some("app"),
        &mut |_| {},
    )
}

#[test]
fn zip_files_are_judged_alike() {
    let good = place();
    unpack_zip(&good, &[("app/index.php", 0o100_644, b"<?php")]).expect("unpacked");
    assert!(good.folder.path().join("new/index.php").exists());
    for bad in [
        ("app/../../evil", 0o100_644, b"x".as_slice()),
        ("/evil", 0o100_644, b"x"),
        ("app/l", 0o120_777, b"/etc/passwd"),
        ("app/a\\..\\b", 0o100_644, b"x"),
    ] {
        let place = place();
        assert!(unpack_zip(&place, &[bad]).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn an_archive_with_nothing_in_it_is_refused() {
    let place = place();
    let result = unpack_tar(&place, targz(&[("app/", b'5', 0o755, b"", "")]));
    assert!(matches!(result, Err(UnpackError::Empty)), "{result:?}");
    let garbage = self::place();
    assert!(unpack_tar(&garbage, file(b"not an archive")).is_err());
    // A folder that is there already is not touched.
    std::fs::create_dir(self::place().folder.path().join("x")).expect("made");
    let again = unpack_tar(&place, targz(&[("app/x", b'0', 0o644, b"x", "")]));
    assert!(again.is_err());
}
