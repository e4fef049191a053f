//! Session tokens: sealed, expiring, checkable on any node without asking anybody.
//!
//! A token is the session's facts, encrypted and authenticated under the cluster's session key
//! (XChaCha20-Poly1305, the cluster's id as associated data). Nothing is stored at sign-in, so that
//! signing in never waits for a majority; ending a session early is a fact of the registry, and
//! denial wins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use hwc_api::ids::{AccountId, ClusterId, SessionId};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};

/// How long a session lasts: a working day and the evening, so that nobody signs in twice a day.
pub const SESSION_LENGTH_MS: i64 = 24 * 60 * 60 * 1_000;
/// First byte of every token; another format gets another number.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
/// A token is a few dozen bytes; anything longer is none.
const TOKEN_LENGTH_MAX: usize = 512;

/// What a session token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// The session.
    pub session: SessionId,
    /// Who signed in.
    pub account: AccountId,
    /// When.
    pub issued_at: WallTime,
    /// When it ends by itself.
    pub expires_at: WallTime,
}

/// Seals and opens session tokens under the cluster's key.
#[derive(Clone)]
pub struct SessionSeal {
    cipher: XChaCha20Poly1305,
    cluster: ClusterId,
}

impl std::fmt::Debug for SessionSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionSeal")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

/// Why a text is no session token of this cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session token of this cluster")]
pub struct NotASession;

impl SessionSeal {
    /// A seal with the cluster's session key.
    #[must_use]
    pub fn new(key: &[u8; 32], cluster: ClusterId) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(Key::from_slice(key)),
            cluster,
        }
    }

    /// Seals the facts into a token. `nonce` must be random.
    ///
    /// # Errors
    /// Never for facts of fixed size; the cipher's signature allows it.
    pub fn seal(
        &self,
        facts: &SessionFacts,
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<String, NotASession> {
        let plain = postcard::to_stdvec(facts).map_err(|_| NotASession)?;
        let payload = Payload {
            msg: &plain,
            aad: self.cluster.0.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(nonce), payload)
            .map_err(|_| NotASession)?;
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(&sealed);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens a token. Says nothing about expiry or revocation: see [`crate::api::identity`].
    ///
    /// # Errors
    /// When it was not sealed by a node of this cluster, or was altered.
    pub fn open(&self, token: &str) -> Result<SessionFacts, NotASession> {
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(NotASession);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| NotASession)?;
        let (&format, rest) = bytes.split_first().ok_or(NotASession)?;
        if format != FORMAT || rest.len() < NONCE_BYTES {
            return Err(NotASession);
        }
        let (nonce, sealed) = rest.split_at(NONCE_BYTES);
        let payload = Payload {
            msg: sealed,
            aad: self.cluster.0.as_bytes(),
        };
        let plain = self
            .cipher
            .decrypt(XNonce::from_slice(nonce), payload)
            .map_err(|_| NotASession)?;
        postcard::from_bytes(&plain).map_err(|_| NotASession)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> SessionFacts {
        SessionFacts {
            session: SessionId([7; 16]),
            account: AccountId(3),
            issued_at: WallTime(1_000),
            expires_at: WallTime(2_000),
        }
    }

    fn seal(key: u8, cluster: &str) -> SessionSeal {
        SessionSeal::new(&[key; 32], ClusterId(cluster.to_owned()))
    }

    #[test]
    fn a_token_opens_on_any_node_of_its_cluster_only() {
        let token = seal(1, "one").seal(&facts(), &[9; 24]).expect("sealed");
        assert_eq!(seal(1, "one").open(&token), Ok(facts()));
        assert_eq!(seal(2, "one").open(&token), Err(NotASession));
        assert_eq!(seal(1, "two").open(&token), Err(NotASession));
    }

    #[test]
    fn an_altered_token_is_refused() {
        let seal = seal(1, "one");
        let token = seal.seal(&facts(), &[9; 24]).expect("sealed");
        for position in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[position] = if altered[position] == b'A' {
                b'B'
            } else {
                b'A'
            };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert_eq!(seal.open(&altered), Err(NotASession), "position {position}");
        }
        for bad in ["", "x", "AQ", &"A".repeat(600)] {
            assert_eq!(seal.open(bad), Err(NotASession));
        }
    }
}
