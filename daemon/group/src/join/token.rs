//! A join token as people copy it: `hwc1-` and one word of letters, digits, `-` and `_`.
//!
//! Inside: the address to ask, the fingerprint of the node authority, the secret, and a checksum,
//! so that a token that lost a character on its way is told from one that is refused.

use crate::identity::{Fingerprint, SecretBytes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const PREFIX: &str = "hwc1-";
const CHECKSUM_LENGTH: usize = 4;
/// A token is under 160 characters; what is far longer is something else.
const TEXT_LENGTH_MAX: usize = 512;

/// Permission to join, with all that a newcomer needs to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The node to ask.
    pub address: SocketAddr,
    /// By which the newcomer recognises the cluster.
    pub authority: Fingerprint,
    /// By which the cluster recognises the newcomer. The registry keeps its
    /// [hash](SecretBytes::hash) only.
    pub secret: SecretBytes<32>,
}

/// Why a text is no join token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinTokenError {
    /// It is something else.
    #[error(
        "this is not a join token: a token begins with \"{PREFIX}\"; make one with \"hwc node token\""
    )]
    NotAToken,
    /// It is a token of another version of the software.
    #[error(
        "this join token was made by another version of hwc: install the same version here as on the cluster"
    )]
    OtherVersion,
    /// Characters are missing, changed or added.
    #[error("this join token is damaged: copy it again, whole")]
    Damaged,
}

impl JoinToken {
    /// The token as people copy it.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(96);
        match self.address.ip() {
            IpAddr::V4(ip) => {
                bytes.push(4);
                bytes.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                bytes.push(6);
                bytes.extend(ip.octets());
            }
        }
        bytes.extend(self.address.port().to_be_bytes());
        bytes.extend(self.authority.0);
        bytes.extend(self.secret.expose());
        let checksum = checksum(&bytes);
        bytes.extend(checksum);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a token; spaces and line ends around it do no harm.
    ///
    /// # Errors
    /// What is wrong with the text, and what to do.
    pub fn parse(text: &str) -> Result<Self, JoinTokenError> {
        let text = text.trim();
        let Some(body) = text.strip_prefix(PREFIX) else {
            return Err(if is_of_other_version(text) {
                JoinTokenError::OtherVersion
            } else {
                JoinTokenError::NotAToken
            });
        };
        if body.len() > TEXT_LENGTH_MAX {
            return Err(JoinTokenError::Damaged);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(body)
            .map_err(|_| JoinTokenError::Damaged)?;
        Self::from_bytes(&bytes).ok_or(JoinTokenError::Damaged)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_LENGTH>()?;
        if checksum(body) != *sum {
            return None;
        }
        let (family, rest) = body.split_first()?;
        let (ip, rest) = match *family {
            4 => {
                let (octets, rest) = rest.split_first_chunk::<4>()?;
                (IpAddr::V4(Ipv4Addr::from(*octets)), rest)
            }
            6 => {
                let (octets, rest) = rest.split_first_chunk::<16>()?;
                (IpAddr::V6(Ipv6Addr::from(*octets)), rest)
            }
            _ => return None,
        };
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let (authority, rest) = rest.split_first_chunk::<32>()?;
        let secret = <[u8; 32]>::try_from(rest).ok()?;
        Some(Self {
            address: SocketAddr::new(ip, u16::from_be_bytes(*port)),
            authority: Fingerprint(*authority),
            secret: SecretBytes::new(secret),
        })
    }
}

/// The token without its secret, for logs.
impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "join token for {}", self.address)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

fn is_of_other_version(text: &str) -> bool {
    text.strip_prefix("hwc")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(version, _)| {
            !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(address: SocketAddr) -> JoinToken {
        JoinToken {
            address,
            authority: Fingerprint([7; 32]),
            secret: SecretBytes::new([9; 32]),
        }
    }

    #[test]
    fn a_token_survives_being_copied() {
        for address in ["192.0.2.7:7400", "[2001:db8::7]:7401"] {
            let token = token(address.parse().expect("an address"));
            let text = token.encode();
            assert!(text.len() < 160 && text.bytes().all(|b| b.is_ascii_graphic()));
            assert_eq!(JoinToken::parse(&format!("  {text}\n")), Ok(token.clone()));
            assert!(!format!("{token} {token:?}").contains("9, 9"));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let text = token("192.0.2.7:7400".parse().expect("an address")).encode();
        let check = |text: &str, error| assert_eq!(JoinToken::parse(text), Err(error), "{text}");
        check("", JoinTokenError::NotAToken);
        check("hunter2", JoinTokenError::NotAToken);
        check("hwc-abc", JoinTokenError::NotAToken);
        check("hwc2-abc", JoinTokenError::OtherVersion);
        check("hwc1-", JoinTokenError::Damaged);
        check(
            text.get(..text.len() - 1).expect("ascii"),
            JoinTokenError::Damaged,
        );
        check(&format!("{text}A"), JoinTokenError::Damaged);
        check(&format!("{text}="), JoinTokenError::Damaged);
        check(
            &format!("hwc1-{}", "A".repeat(100_000)),
            JoinTokenError::Damaged,
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_an_error(text in ".{0,200}") {
            let _either = JoinToken::parse(&text);
            let _either = JoinToken::parse(&format!("hwc1-{text}"));
        }

        #[test]
        fn one_changed_character_is_noticed(place in 5usize..120, by in 1u8..60) {
            let text = token("192.0.2.7:7400".parse().expect("an address")).encode();
            let mut bytes = text.clone().into_bytes();
            let place = 5 + place % (bytes.len() - 5);
            if let Some(byte) = bytes.get_mut(place) {
                *byte = b'A' + (*byte + by) % 26;
            }
            let changed = String::from_utf8(bytes).expect("ascii");
            prop_assume!(changed != text);
            prop_assert_eq!(JoinToken::parse(&changed), Err(JoinTokenError::Damaged));
        }
    }
}
