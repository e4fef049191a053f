use super::values::{own_assignment, question};
use super::*;
use proptest::prelude::*;

fn some(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn variable(name: &str, value: &str, kind: &str) -> Row {
    vec![some("1"), some(name), some(value), some(kind)]
}

fn counter(name: &str, value: &str) -> Row {
    vec![some("3"), some(name), some(value), None]
}

#[test]
fn variables_are_set_again_in_an_order_that_keeps_them() {
    let state = State::read(vec![
        variable("COLLATION_CONNECTION", "latin1_bin", "ENUM"),
        variable("CHARACTER_SET_CONNECTION", "latin1", "ENUM"),
        variable("CHARACTER_SET_RESULTS", "", "ENUM"),
        variable("MAX_STATEMENT_TIME", "1.500000", "DOUBLE"),
        variable("SQL_SELECT_LIMIT", "3", "BIGINT UNSIGNED"),
        variable("SQL_MODE", "", "SET"),
        variable("TIME_ZONE", "a'b\\", "VARCHAR"),
        variable("MAX_ALLOWED_PACKET", "1024", "BIGINT UNSIGNED"),
    ])
    .expect("a state");
    assert_eq!(
        restore::settings(&state.assignments).expect("short"),
        "SET CHARACTER_SET_CONNECTION='latin1', CHARACTER_SET_RESULTS=NULL, \
         COLLATION_CONNECTION='latin1_bin', MAX_STATEMENT_TIME=1.500000, SQL_MODE='', \
         SQL_SELECT_LIMIT=3, TIME_ZONE=_utf8mb4 X'6127625C'"
    );
    assert_eq!(state.held(), None);
}

#[test]
fn user_variables_keep_their_types() {
    let answer = |value: Option<&str>, charset: &str, collation: &str| {
        vec![vec![
            value.map(|value| value.as_bytes().to_vec()),
            some(charset),
            some(collation),
        ]]
    };
    let latin = |value| answer(Some(value), "latin1", "latin1_swedish_ci");
    for (kind, rows, expected) in [
        (Kind::Number, latin("-5"), Some("@`a``b`=-5")),
        (Kind::Number, latin("1.50"), Some("@`a``b`=1.50")),
        (Kind::Double, latin("1.5"), Some("@`a``b`=1.5e0")),
        (Kind::Double, latin("1e100"), Some("@`a``b`=1e100")),
        (
            Kind::Text,
            latin("h\u{e9}"),
            Some("@`a``b`=_latin1 X'68C3A9' COLLATE latin1_swedish_ci"),
        ),
        (
            Kind::Text,
            answer(Some("\0"), "binary", "binary"),
            Some("@`a``b`=_binary X'00'"),
        ),
        (
            Kind::Text,
            answer(None, "binary", "binary"),
            Some("@`a``b`=NULL"),
        ),
        (Kind::Number, latin("1; DROP"), None),
        (Kind::Text, answer(Some("a"), "latin1'", "x"), None),
        (Kind::Text, Vec::new(), None),
    ] {
        let assignment = own_assignment("a`b", kind, rows);
        assert_eq!(assignment.as_deref(), expected);
    }
    assert!(question("a`b").contains("@`a``b`"));
}

#[test]
fn what_stays_behind_binds() {
    for (counters, expected) in [
        (vec![counter("COM_HA_OPEN", "1")], Some("a handler")),
        (
            vec![counter("COM_CREATE_TEMPORARY_TABLE", "2")],
            Some("a temporary table"),
        ),
        (
            vec![
                counter("COM_PREPARE_SQL", "2"),
                counter("COM_DEALLOC_SQL", "1"),
            ],
            Some("a statement prepared by name"),
        ),
        // A counter that was reset in the middle.
        (
            vec![counter("COM_HA_OPEN", "18446744073709551615")],
            Some("a handler"),
        ),
        (
            vec![
                counter("COM_PREPARE_SQL", "1"),
                counter("COM_DEALLOC_SQL", "1"),
                counter("COM_LOCK_TABLES", "1"),
            ],
            None,
        ),
    ] {
        let state = State::read(counters).expect("a state");
        assert_eq!(state.held(), expected);
    }
}

#[test]
fn what_can_not_be_read_is_no_state() {
    assert!(State::read(vec![variable("Ü", "1", "INT")]).is_none());
    assert!(State::read(vec![variable("A", "x", "INT")]).is_none());
    assert!(State::read(vec![variable("A B", "1", "INT")]).is_none());
    assert!(State::read(vec![vec![None, None]]).is_none());
    assert!(Look::read(Vec::new()).is_none());
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        rows in proptest::collection::vec(
            proptest::collection::vec(
                proptest::option::of(proptest::collection::vec(any::<u8>(), 0..6)), 0..10), 0..4)
    ) {
        let _any = Look::read(rows.clone()).is_some();
        let _any = State::read(rows.clone()).is_some();
        let _any = own_assignment("a", Kind::Text, rows);
    }

    #[test]
    fn no_value_ends_its_own_quotes(value in proptest::collection::vec(any::<u8>(), 0..20)) {
        let variable = Variable { kind: Kind::Text, value: Some(value) };
        let assignment = variable.assignment("SQL_MODE").expect("a name");
        let quotes = assignment.bytes().filter(|byte| *byte == b'\'').count();
        prop_assert_eq!(quotes, 2);
        prop_assert!(!assignment.contains('\\') && assignment.is_ascii());
    }
}
