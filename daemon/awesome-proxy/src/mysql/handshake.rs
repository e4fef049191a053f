//! The packets of a login, read and written; pure. What the two sides may agree on.
//!
//! Layouts as in MariaDB's protocol documentation ("Connecting"). We offer what MariaDB 10.11 and
//! 11.8 both offer, less TLS and compression: the way is this machine's own or lies inside the
//! cluster's TLS, and what is compressed we could not pass on in the middle of a session.

use super::answer::Dialect;
use super::wire::{Fields, put_with_length, put_with_nul};

/// Capabilities of the protocol (lower 32 bits), those that we look at ourselves.
pub(super) mod capability {
    /// A database is named at login.
    pub const CONNECT_WITH_DATABASE: u32 = 1 << 3;
    /// Several statements in one text.
    pub const MULTI_STATEMENTS: u32 = 1 << 16;
    /// Rows end with an OK packet.
    pub const DEPRECATE_EOF: u32 = 1 << 24;
    /// Of the extended ones: columns that the client knows are left out.
    pub const CACHE_METADATA: u32 = 1 << 4;
    /// Asks for TLS before the login.
    pub const TLS: u32 = 1 << 11;
    /// The protocol since 4.1.
    pub const PROTOCOL_41: u32 = 1 << 9;
    /// The scramble since 4.1.
    pub const SECURE_CONNECTION: u32 = 1 << 15;
    /// Authentication by plugins: without it the server's nonce can't be handed on.
    pub const PLUGIN_AUTH: u32 = 1 << 19;
    /// Attributes of the client follow.
    pub const ATTRIBUTES: u32 = 1 << 20;
    /// The answer has a length in variable form.
    pub const LONG_ANSWER: u32 = 1 << 21;
    /// Set by clients and servers of MySQL; unset where MariaDB's extended capabilities follow.
    pub const MYSQL: u32 = 1;
}

/// What we offer: all that MariaDB does since 10.6 (11.8.6 greets with 0x81fffffe), without COMPRESS
/// (bit 5) and TLS (bit 11).
const OFFERED: u32 = 0x81ff_f7de;
/// MariaDB's extended capabilities that 10.11 (0x1d) and 11.8 (0x3d) share: progress, bulk
/// statements, extended metadata, cached metadata.
const OFFERED_EXTENDED: u32 = 0x1d;
/// utf8mb4_general_ci: PHP takes the server's for its own.
const CHARSET: u8 = 45;
/// SERVER_STATUS_AUTOCOMMIT.
const STATUS: u16 = 2;
/// The plugin whose scramble our users have.
pub(super) const NATIVE_PASSWORD: &[u8] = b"mysql_native_password";
/// Bytes of a nonce.
const NONCE: usize = 20;

/// What a server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub version: Vec<u8>,
    pub thread: u32,
    pub nonce: [u8; NONCE],
    pub capabilities: u32,
    pub extended: u32,
    pub charset: u8,
    pub status: u16,
    pub plugin: Vec<u8>,
}

impl Greeting {
    /// Ours.
    pub fn ours(version: &str, thread: u32, random: [u8; NONCE]) -> Self {
        Self {
            version: version.as_bytes().to_vec(),
            thread,
            // Printable, as MariaDB's own are: old clients take it for text.
            nonce: random.map(|byte| b'!' + byte % 93),
            capabilities: OFFERED,
            extended: OFFERED_EXTENDED,
            charset: CHARSET,
            status: STATUS,
            plugin: NATIVE_PASSWORD.to_vec(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let [c0, c1, c2, c3] = self.capabilities.to_le_bytes();
        let (first, second) = self.nonce.split_at(8);
        let mut payload = vec![10];
        put_with_nul(&mut payload, &self.version);
        payload.extend_from_slice(&self.thread.to_le_bytes());
        put_with_nul(&mut payload, first);
        payload.extend_from_slice(&[c0, c1, self.charset]);
        payload.extend_from_slice(&self.status.to_le_bytes());
        // The nonce's length with its NUL.
        payload.extend_from_slice(&[c2, c3, 21]);
        payload.extend_from_slice(&[0; 6]);
        payload.extend_from_slice(&self.extended.to_le_bytes());
        put_with_nul(&mut payload, second);
        put_with_nul(&mut payload, &self.plugin);
        payload
    }

    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields(payload);
        if fields.u8()? != 10 {
            return None;
        }
        let version = fields.until_nul()?.to_vec();
        let thread = fields.u32()?;
        let first = fields.bytes(8)?;
        fields.u8()?;
        let low = fields.u16()?;
        let charset = fields.u8()?;
        let status = fields.u16()?;
        let high = fields.u16()?;
        let _nonce_length = fields.u8()?;
        fields.bytes(6)?;
        let extended = fields.u32()?;
        let second = fields.bytes(12)?;
        fields.u8()?;
        let capabilities = u32::from(low) | u32::from(high) << 16;
        Some(Self {
            version,
            thread,
            nonce: [first, second].concat().try_into().ok()?,
            capabilities,
            extended: if capabilities & capability::MYSQL == 0 {
                extended
            } else {
                0
            },
            charset,
            status,
            plugin: fields.until_nul().unwrap_or_default().to_vec(),
        })
    }
}

/// What a client says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub capabilities: u32,
    pub extended: u32,
    pub packet_max: u32,
    pub charset: u8,
    pub user: Vec<u8>,
    pub answer: Vec<u8>,
    pub database: Option<Vec<u8>>,
    /// The client's attributes, lengths included, as they came.
    pub attributes: Vec<u8>,
}

/// Why a client can't log in with what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadLogin {
    /// It is no login packet.
    Malformed,
    /// It asks for TLS, which was not offered.
    Tls,
    /// It is too old to be asked again.
    TooOld,
}

impl Login {
    pub fn parse(payload: &[u8]) -> Result<Self, BadLogin> {
        let mut fields = Fields(payload);
        let capabilities = fields.u32().ok_or(BadLogin::Malformed)?;
        if capabilities & capability::PROTOCOL_41 == 0 {
            return Err(BadLogin::TooOld);
        }
        if capabilities & capability::TLS != 0 {
            return Err(BadLogin::Tls);
        }
        if capabilities & capability::PLUGIN_AUTH == 0
            || capabilities & capability::SECURE_CONNECTION == 0
        {
            return Err(BadLogin::TooOld);
        }
        Self::parse_rest(capabilities, fields).ok_or(BadLogin::Malformed)
    }

    fn parse_rest(capabilities: u32, mut fields: Fields<'_>) -> Option<Self> {
        let packet_max = fields.u32()?;
        let charset = fields.u8()?;
        fields.bytes(19)?;
        let extended = fields.u32()?;
        let user = fields.until_nul()?.to_vec();
        let answer = if capabilities & capability::LONG_ANSWER == 0 {
            let length = fields.u8()?;
            fields.bytes(usize::from(length))?
        } else {
            fields.with_length()?
        };
        let database = if capabilities & capability::CONNECT_WITH_DATABASE == 0 {
            None
        } else {
            // Some clients set the bit and say nothing.
            fields.until_nul().map(<[u8]>::to_vec)
        };
        let _plugin = fields.until_nul();
        let attributes = if capabilities & capability::ATTRIBUTES == 0 {
            &[]
        } else {
            fields.rest()
        };
        Some(Self {
            capabilities,
            extended: if capabilities & capability::MYSQL == 0 {
                extended
            } else {
                0
            },
            packet_max,
            charset,
            user,
            answer: answer.to_vec(),
            database,
            attributes: attributes.to_vec(),
        })
    }

    /// The capabilities that both sides hold for agreed: asked for by the client, offered by us.
    pub fn agreed(&self) -> (u32, u32) {
        let offered = OFFERED | capability::MYSQL;
        (
            self.capabilities & offered,
            self.extended & OFFERED_EXTENDED,
        )
    }

    /// What was agreed on, as far as it shows in answers.
    pub fn dialect(&self) -> Dialect {
        let (agreed, extended) = self.agreed();
        Dialect {
            deprecates_eof: agreed & capability::DEPRECATE_EOF != 0,
            caches_metadata: extended & capability::CACHE_METADATA != 0,
        }
    }

    /// Switches several statements in one text on or off.
    pub const fn set_multi_statements(&mut self, is_on: bool) {
        if is_on {
            self.capabilities |= capability::MULTI_STATEMENTS;
        } else {
            self.capabilities &= !capability::MULTI_STATEMENTS;
        }
    }

    /// Whether a server can keep what we offered in its name.
    pub fn is_kept_by(&self, server: &Greeting) -> bool {
        let (agreed, extended) = self.agreed();
        let agreed = agreed & !capability::MYSQL;
        server.capabilities & agreed == agreed && server.extended & extended == extended
    }

    /// The login for the database's own server, with an answer to that server's nonce.
    pub fn encode_for_server(&self, answer: &[u8], schema: Option<&[u8]>) -> Vec<u8> {
        let (mut capabilities, extended) = self.agreed();
        capabilities |= capability::CONNECT_WITH_DATABASE;
        if schema.is_none() {
            capabilities &= !capability::CONNECT_WITH_DATABASE;
        }
        if self.attributes.is_empty() {
            capabilities &= !capability::ATTRIBUTES;
        }
        // An answer can be longer than one byte's worth only in variable form, which every server
        // since 5.6 knows.
        capabilities |= capability::LONG_ANSWER;
        let mut payload = Vec::new();
        payload.extend_from_slice(&capabilities.to_le_bytes());
        payload.extend_from_slice(&self.packet_max.to_le_bytes());
        payload.push(self.charset);
        payload.extend_from_slice(&[0; 19]);
        payload.extend_from_slice(&extended.to_le_bytes());
        put_with_nul(&mut payload, &self.user);
        put_with_length(&mut payload, answer);
        if let Some(schema) = schema {
            put_with_nul(&mut payload, schema);
        }
        put_with_nul(&mut payload, NATIVE_PASSWORD);
        payload.extend_from_slice(&self.attributes);
        payload
    }
}

/// Asks the client to answer another nonce.
pub(super) fn auth_switch(nonce: &[u8; NONCE]) -> Vec<u8> {
    let mut payload = vec![0xfe];
    put_with_nul(&mut payload, NATIVE_PASSWORD);
    put_with_nul(&mut payload, nonce);
    payload
}

/// The nonce of an AuthSwitchRequest for the native password; none where it is something else.
pub(super) fn nonce_of_switch(payload: &[u8]) -> Option<[u8; NONCE]> {
    let mut fields = Fields(payload);
    (fields.u8()? == 0xfe).then_some(())?;
    (fields.until_nul()? == NATIVE_PASSWORD).then_some(())?;
    fields.bytes(NONCE)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn login() -> Login {
        Login {
            capabilities: OFFERED & !capability::MYSQL,
            extended: 0x0c,
            packet_max: 1 << 24,
            charset: 45,
            user: b"shop_user".to_vec(),
            answer: vec![7; 20],
            database: Some(b"shop".to_vec()),
            attributes: vec![4, 1, b'a', 1, b'b'],
        }
    }

    #[test]
    fn a_greeting_survives_the_wire() {
        let greeting = Greeting::ours("11.8.3-MariaDB", 77, [200; NONCE]);
        assert_eq!(Greeting::parse(&greeting.encode()), Some(greeting.clone()));
        assert!(greeting.nonce.iter().all(u8::is_ascii_graphic));
        assert_eq!(greeting.capabilities & capability::TLS, 0);
    }

    #[test]
    fn a_login_survives_the_wire_with_the_new_answer() {
        let login = login();
        let sent = login.encode_for_server(&[9; 20], login.database.as_deref());
        let expected = Login {
            answer: vec![9; 20],
            ..login.clone()
        };
        assert_eq!(Login::parse(&sent), Ok(expected));
        let bare = Login {
            database: None,
            attributes: Vec::new(),
            ..login
        };
        let parsed = Login::parse(&bare.encode_for_server(&[], None)).expect("a login");
        assert_eq!((parsed.database, parsed.answer.len()), (None, 0));
    }

    #[test]
    fn clients_that_can_not_be_asked_again_are_refused() {
        let with = |change: fn(&mut u32)| {
            let mut bytes = login().encode_for_server(&[9; 20], Some(b"shop"));
            let mut capabilities = u32::from_le_bytes(bytes[..4].try_into().expect("four"));
            change(&mut capabilities);
            bytes[..4].copy_from_slice(&capabilities.to_le_bytes());
            Login::parse(&bytes)
        };
        assert_eq!(
            with(|c| *c &= !capability::PLUGIN_AUTH),
            Err(BadLogin::TooOld)
        );
        assert_eq!(
            with(|c| *c &= !capability::PROTOCOL_41),
            Err(BadLogin::TooOld)
        );
        assert_eq!(with(|c| *c |= capability::TLS), Err(BadLogin::Tls));
        assert_eq!(Login::parse(&[]), Err(BadLogin::Malformed));
    }

    #[test]
    fn a_nonce_survives_the_wire() {
        let nonce = [7; NONCE];
        assert_eq!(nonce_of_switch(&auth_switch(&nonce)), Some(nonce));
        assert_eq!(nonce_of_switch(b"\xfeclient_ed25519\0nonce"), None);
    }

    #[test]
    fn a_server_with_less_than_we_offered_is_noticed() {
        let mut server = Greeting::ours("11.8.3-MariaDB", 1, [0; NONCE]);
        assert!(login().is_kept_by(&server));
        server.extended = 0x01;
        assert!(!login().is_kept_by(&server));
        server.extended = OFFERED_EXTENDED;
        server.capabilities &= !(1 << 24);
        assert!(!login().is_kept_by(&server));
    }

    proptest! {
        #[test]
        fn no_first_packet_makes_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _any = Login::parse(&payload);
            let _any = Greeting::parse(&payload);
            let _any = nonce_of_switch(&payload);
        }

        #[test]
        fn no_damage_to_a_login_makes_it_panic(
            at in 0_usize..120, byte in any::<u8>(), length in 0_usize..120
        ) {
            let mut bytes = login().encode_for_server(&[9; 20], Some(b"shop"));
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(length);
            if let Ok(login) = Login::parse(&bytes) {
                let _encoded = login.encode_for_server(&login.answer, login.database.as_deref());
            }
        }
    }
}
