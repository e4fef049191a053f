use super::*;
use proptest::prelude::*;

const CLASSIC: Dialect = Dialect {
    deprecates_eof: false,
    caches_metadata: false,
};
const MODERN: Dialect = Dialect {
    deprecates_eof: true,
    caches_metadata: true,
};

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let head = super::super::packet::write_head(payload.len(), sequence);
    [&head[..], payload].concat()
}

/// Packets numbered from 1 on.
fn packets(payloads: &[&[u8]]) -> Vec<u8> {
    let numbered = payloads.iter().zip(1_u8..);
    numbered
        .flat_map(|(payload, sequence)| packet(sequence, payload))
        .collect()
}

const OK: &[u8] = &[0, 1, 0xfc, 0x10, 0x27, 2, 0, 0, 0];
const OK_IN_TRANSACTION: &[u8] = &[0, 0, 0, 3, 0, 0, 0];
const OK_MORE: &[u8] = &[0, 0, 0, 0x0a, 0, 0, 0];
const EOF: &[u8] = &[0xfe, 0, 0, 2, 0];
const EOF_MORE: &[u8] = &[0xfe, 0, 0, 0x0a, 0];
const EOF_CURSOR: &[u8] = &[0xfe, 0, 0, 0x42, 0];
const END: &[u8] = &[0xfe, 0, 0, 2, 0, 0, 0];
const ERROR: &[u8] = b"\xff\x48\x04#HY000No tables used";
const PROGRESS: &[u8] = b"\xff\xff\xff\x01\x01\x02\x10\x00\x00\x04copy";
const COLUMN: &[u8] =
    b"\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00\x01\x00\x00\x00\x03\x81\x00\x00\x00\x00";
const ROW: &[u8] = b"\x01\x31";
const PREPARED: &[u8] = &[0, 7, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0];

/// Feeds an answer in pieces of `step` bytes; what follows it must stay untouched.
#[track_caller]
fn check(form: Form, dialect: Dialect, payloads: &[&[u8]], expected: Option<u16>) {
    let mut bytes = packets(payloads);
    let whole = bytes.len();
    bytes.extend_from_slice(b"next");
    for step in [1, 2, 3, 7, 30, bytes.len()] {
        let mut answer = Answer::new(form, dialect, 0);
        let mut at = 0;
        let next = loop {
            let end = (at + step).min(bytes.len());
            let (used, next) = answer.feed(&bytes[at..end]).expect("an answer");
            at += used;
            if next != Next::More {
                break next;
            }
        };
        assert_eq!((at, next), (whole, Next::Command), "{form:?} by {step}");
        assert!(answer.is_at_boundary());
        assert_eq!(answer.status(), expected, "{form:?} by {step}");
        assert_eq!(usize::from(answer.sequence()), payloads.len());
    }
}

#[test]
fn an_answer_ends_where_it_ends() {
    check(Form::One, CLASSIC, &[OK], Some(2));
    check(Form::One, CLASSIC, &[EOF], Some(2));
    check(Form::One, CLASSIC, &[b"Uptime: 7"], None);
    check(Form::One, CLASSIC, &[b""], None);
    check(Form::Results, CLASSIC, &[OK_IN_TRANSACTION], Some(3));
    check(Form::Results, CLASSIC, &[ERROR], None);
    check(Form::Results, CLASSIC, &[PROGRESS, PROGRESS, OK], Some(2));
    let rows = [b"\x01".as_slice(), COLUMN, EOF, ROW, ROW, EOF];
    check(Form::Results, CLASSIC, &rows, Some(2));
    let modern = [b"\x01\x01".as_slice(), COLUMN, ROW, ROW, END];
    check(Form::Results, MODERN, &modern, Some(2));
    let cached = [b"\x01\x00".as_slice(), ROW, END];
    check(Form::Results, MODERN, &cached, Some(2));
    check(Form::Rows, CLASSIC, &[COLUMN, COLUMN, EOF], Some(2));
    check(Form::Rows, MODERN, &[ROW, ERROR], None);
}

#[test]
fn several_results_are_one_answer() {
    let rows = [b"\x01".as_slice(), COLUMN, EOF, ROW, EOF_MORE, OK_MORE, OK];
    check(Form::Results, CLASSIC, &rows, Some(2));
    check(Form::Results, CLASSIC, &[OK_MORE, ERROR], None);
}

#[test]
fn a_cursor_has_no_rows_yet() {
    let rows = [b"\x01".as_slice(), COLUMN, EOF_CURSOR];
    check(Form::Results, CLASSIC, &rows, Some(0x42));
}

#[test]
fn rows_of_16_mib_are_no_ends_whatever_they_begin_with() {
    let long = vec![0xfe; LONGEST];
    let rows = [
        b"\x01".as_slice(),
        COLUMN,
        EOF,
        &long,
        &[0xfe, 0, 0],
        &long,
        &[],
        EOF,
    ];
    let bytes = packets(&rows);
    let mut answer = Answer::new(Form::Results, CLASSIC, 0);
    let mut ended = false;
    for piece in bytes.chunks(64 * 1024) {
        assert!(!ended);
        let (used, next) = answer.feed(piece).expect("an answer");
        assert_eq!(used, piece.len());
        ended = next == Next::Command;
    }
    assert!(ended);
}

#[test]
fn a_prepared_statement_tells_its_number_and_parameters() {
    let statement = [PREPARED, COLUMN, COLUMN, EOF, COLUMN, EOF];
    check(Form::Prepared, CLASSIC, &statement, None);
    check(
        Form::Prepared,
        MODERN,
        &[PREPARED, COLUMN, COLUMN, COLUMN],
        None,
    );
    check(Form::Prepared, CLASSIC, &[ERROR], None);
    let bare = [0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    check(Form::Prepared, CLASSIC, &[&bare], None);
    let mut answer = Answer::new(Form::Prepared, CLASSIC, 0);
    answer.feed(&packets(&[PREPARED])).expect("an answer");
    let expected = PreparedHead {
        id: 7,
        parameters: 2,
    };
    assert_eq!(answer.prepared(), Some(expected));
    assert_eq!(answer.definitions(), None);
}

#[test]
fn definitions_compare_however_they_came() {
    let bytes = packets(&[PREPARED, COLUMN, COLUMN, COLUMN]);
    let digest = |step: usize| {
        let mut answer = Answer::new(Form::Prepared, MODERN, 0);
        for piece in bytes.chunks(step) {
            answer.feed(piece).expect("an answer");
        }
        answer.definitions().expect("a digest")
    };
    assert_eq!(digest(1), digest(bytes.len()));
    assert_eq!(digest(17), digest(bytes.len()));
    let mut other = Answer::new(Form::Prepared, MODERN, 0);
    let bytes = packets(&[PREPARED, COLUMN, COLUMN, ROW]);
    other.feed(&bytes).expect("an answer");
    assert_ne!(other.definitions(), Some(digest(1)));
}

#[test]
fn a_file_is_asked_for_in_the_middle() {
    let mut answer = Answer::new(Form::Results, CLASSIC, 0);
    let asked = packets(&[b"\xfb/tmp/rows"]);
    assert_eq!(answer.feed(&asked), Ok((asked.len(), Next::File)));
    answer.go_on_after_file(4);
    let (_, next) = answer.feed(&packet(5, OK)).expect("an answer");
    assert_eq!((next, answer.sequence()), (Next::Command, 5));
}

#[test]
fn nonsense_is_refused() {
    for (form, payload) in [
        (Form::Results, &b""[..]),
        (Form::Results, b"\xfd\x01"),
        (Form::Results, b"\x00\x01"),
        (Form::Prepared, b"\x00\x01\x02"),
        (Form::Prepared, OK_MORE),
    ] {
        let mut answer = Answer::new(form, CLASSIC, 0);
        assert_eq!(
            answer.feed(&packet(1, payload)),
            Err(Malformed),
            "{payload:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_run_past_the_end(
        form in prop_oneof![
            Just(Form::One), Just(Form::Results), Just(Form::Rows), Just(Form::Prepared)
        ],
        is_modern in any::<bool>(),
        parts in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..12),
                Just(packet(1, OK)), Just(packet(2, EOF)), Just(packet(3, COLUMN)),
                Just(packet(4, ROW)), Just(packet(1, PREPARED)), Just(packet(1, b"\x02")),
                Just(packet(1, ERROR)), Just(packet(1, b"\xfb")),
            ], 0..20),
    ) {
        let dialect = if is_modern { MODERN } else { CLASSIC };
        let mut answer = Answer::new(form, dialect, 0);
        for part in parts {
            match answer.feed(&part) {
                Ok((used, Next::More)) => prop_assert_eq!(used, part.len()),
                Ok((used, Next::File)) => {
                    prop_assert!(used <= part.len() && answer.is_at_boundary());
                    answer.go_on_after_file(1);
                }
                Ok((used, Next::Command)) => {
                    prop_assert!(used <= part.len() && answer.is_at_boundary());
                    break;
                }
                Err(Malformed) => break,
            }
        }
    }
}
