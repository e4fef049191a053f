use super::*;
use proptest::prelude::*;

const fn head(id: u32, parameters: u16) -> PreparedHead {
    PreparedHead { id, parameters }
}

/// Notes a statement; gives the client's number.
fn note(
    statements: &mut Statements,
    head: PreparedHead,
    text: Option<&[u8]>,
    definitions: Option<[u8; 20]>,
) -> u32 {
    let number = statements.number_for(head.id);
    statements.note_prepared(number, head, text, definitions);
    number
}

/// COM_STMT_EXECUTE of statement 1 with one BIGINT.
fn execute(sends_types: bool) -> Vec<u8> {
    let mut payload = vec![0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, u8::from(sends_types)];
    if sends_types {
        payload.extend_from_slice(&[8, 0]);
    }
    payload.extend_from_slice(&7_i64.to_le_bytes());
    payload
}

#[test]
fn numbers_are_the_servers_until_the_session_moves() {
    let mut statements = Statements::default();
    assert_eq!(note(&mut statements, head(1, 0), Some(b"one"), None), 1);
    assert_eq!(note(&mut statements, head(2, 0), Some(b"two"), None), 2);
    assert_eq!(statements.standing(LAST), Standing::Ready(2));
    assert!(statements.is_carriable());
    statements.leave();
    assert_eq!(statements.standing(2), Standing::Absent("two".into()));
    assert!(statements.note_prepared_again(2, head(1, 0), None));
    assert_eq!(statements.standing(2), Standing::Ready(1));
    // The new server's second is the client's third, and must not be taken for its second.
    let third = note(&mut statements, head(2, 0), Some(b"three"), None);
    assert!(third > OWN_NUMBERS);
    assert_eq!(statements.standing(third), Standing::Ready(2));
    assert_eq!(statements.close(2), Some(1));
    assert_eq!(statements.standing(2), Standing::Unknown);
    assert_eq!(statements.close(1), None);
}

#[test]
fn types_that_a_client_sends_once_are_put_in_on_the_next_server() {
    let mut statements = Statements::default();
    note(&mut statements, head(1, 1), Some(b"select ?"), None);
    assert_eq!(statements.execute(1, &execute(true)), Execution::AsItIs);
    assert_eq!(statements.execute(1, &execute(false)), Execution::AsItIs);
    statements.leave();
    let Execution::Replace(front, with) = statements.execute(1, &execute(false)) else {
        panic!("the server lacks the types");
    };
    let whole = [&with[..], &execute(false)[front..]].concat();
    assert_eq!(whole, execute(true));
    assert_eq!(statements.execute(1, &execute(false)), Execution::AsItIs);
}

#[test]
fn types_of_many_rows_are_put_in_too() {
    let with = [0xfa, 1, 0, 0, 0, 128, 0, 8, 0, 0, 5];
    let without = [0xfa, 1, 0, 0, 0, 0, 0, 0, 5];
    let mut statements = Statements::default();
    note(&mut statements, head(1, 1), Some(b"insert ?"), None);
    assert_eq!(statements.execute(1, &with), Execution::AsItIs);
    statements.leave();
    let replaced = statements.execute(1, &without);
    assert_eq!(replaced, Execution::Replace(7, with[..9].to_vec()));
}

#[test]
fn what_can_not_be_prepared_again_keeps_the_session() {
    let mut statements = Statements::default();
    note(&mut statements, head(1, 1), Some(b"select ?"), None);
    statements.note_long_data(1);
    assert!(!statements.is_carriable());
    statements.note_reset(1);
    assert!(statements.is_carriable());
    statements.note_cursor(1, true);
    assert!(!statements.is_carriable());
    statements.note_cursor(1, false);
    // The types were sent, and we have not seen them.
    statements.execute(1, &execute(true)[..13]);
    assert!(!statements.is_carriable());
    statements.close(1);
    let long = vec![b'x'; TEXTS_MAX + 1];
    for text in [None, Some(&long[..])] {
        note(&mut statements, head(2, 0), text, None);
        assert!(!statements.is_carriable());
        statements.close(2);
    }
    assert!(statements.is_carriable());
}

#[test]
fn a_client_that_would_be_misled_is_noticed() {
    let mut statements = Statements::default();
    note(
        &mut statements,
        head(1, 0),
        Some(b"select * from t"),
        Some([1; 20]),
    );
    statements.leave();
    assert!(!statements.note_prepared_again(1, head(1, 0), Some([2; 20])));
    assert!(!statements.note_prepared_again(1, head(1, 1), Some([1; 20])));
    assert!(statements.note_prepared_again(1, head(1, 0), Some([1; 20])));
    statements.note_other_definitions(1);
    assert!(!statements.is_carriable());
}

proptest! {
    #[test]
    fn no_command_makes_it_panic(
        parameters in any::<u16>(),
        payloads in proptest::collection::vec(
            (any::<u32>(), proptest::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..20),
    ) {
        let mut statements = Statements::default();
        note(&mut statements, head(1, parameters), Some(b"x"), None);
        for (number, mut payload, leaves) in payloads {
            let number = number % 3;
            if let Some(code) = payload.first_mut() {
                *code = if *code % 2 == 0 { 0x17 } else { 0xfa };
            }
            if let Execution::Replace(front, _) = statements.execute(number, &payload) {
                prop_assert!(front <= payload.len());
            }
            put_number(&mut payload, None);
            let _any = (named(&payload), statements.standing(number));
            if leaves {
                statements.leave();
            }
        }
    }
}
