//! Errors that a client is told, in the server's own codes.

/// An error that the client shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqlError {
    /// MySQL's number.
    pub code: u16,
    /// The standard's five letters.
    pub state: [u8; 5],
    /// For people.
    pub message: String,
}

/// The server's error of a table that does not exist.
pub(super) const NO_SUCH_TABLE: u16 = 1146;

impl SqlError {
    fn new(code: u16, state: &[u8; 5], message: &str) -> Self {
        Self {
            code,
            state: *state,
            message: message.to_owned(),
        }
    }

    /// The server's own words for a user or password that it does not know; `has_password` is part
    /// of them.
    pub fn access_denied(user: &[u8], has_password: bool) -> Self {
        // Long or broken names are cut and shown harmlessly.
        let user: String = String::from_utf8_lossy(user)
            .chars()
            .filter(|c| !c.is_control())
            .take(80)
            .collect();
        let password = if has_password { "YES" } else { "NO" };
        let message =
            format!("Access denied for user '{user}'@'localhost' (using password: {password})");
        Self::new(1045, b"28000", &message)
    }

    /// "Too many connections": clients take it for temporary and come back.
    pub fn come_back(message: &str) -> Self {
        Self::new(1040, b"08004", message)
    }

    /// "Bad handshake".
    pub fn bad_handshake(message: &str) -> Self {
        Self::new(1043, b"08S01", message)
    }

    /// "Server shutdown in progress": what was under way is lost, and was not tried again.
    pub fn shutdown(message: &str) -> Self {
        Self::new(
            1053,
            b"08S01",
            &format!("Server shutdown in progress: {message}"),
        )
    }

    /// The same of a transaction.
    pub fn rolled_back() -> Self {
        Self::shutdown("the transaction was rolled back")
    }

    /// "Unknown command".
    pub fn unknown_command() -> Self {
        Self::new(1047, b"08S01", "Unknown command")
    }

    /// Reads the server's; none where the packet is no error. Before the login it has no state.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let rest = payload.strip_prefix(&[0xff])?;
        let (code, rest) = rest.split_first_chunk::<2>()?;
        let stated = rest
            .strip_prefix(b"#")
            .and_then(|rest| rest.split_first_chunk::<5>());
        let (state, message) = match stated {
            Some((state, message)) => (*state, message),
            None => (*b"08004", rest),
        };
        Some(Self {
            code: u16::from_le_bytes(*code),
            state,
            message: String::from_utf8_lossy(message).into_owned(),
        })
    }

    /// Whether the server may say otherwise in a moment: too many connections, stopping, starting.
    pub const fn is_passing(&self) -> bool {
        matches!(self.code, 1040 | 1053 | 1203 | 1226 | 1927)
    }

    /// The packet's payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = vec![0xff];
        payload.extend_from_slice(&self.code.to_le_bytes());
        payload.push(b'#');
        payload.extend_from_slice(&self.state);
        payload.extend_from_slice(self.message.as_bytes());
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_error_survives_the_wire_and_is_read_without_a_state() {
        let error = SqlError::shutdown("a move");
        assert_eq!(SqlError::parse(&error.encode()), Some(error));
        let early = SqlError::parse(b"\xff\x10\x04Too many connections").expect("an error");
        assert_eq!((early.code, early.is_passing()), (1040, true));
        assert_eq!(early.message, "Too many connections");
        assert_eq!(SqlError::parse(b"\x00\x00"), None);
    }

    #[test]
    fn names_are_shown_harmlessly() {
        let error = SqlError::access_denied(&[b'a', 7, 0xff], true);
        assert!(
            error
                .message
                .starts_with("Access denied for user 'a\u{fffd}'@")
        );
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _any = SqlError::parse(&payload);
        }
    }
}
