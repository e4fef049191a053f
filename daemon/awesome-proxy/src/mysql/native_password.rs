//! The proof of `mysql_native_password`, read from a client and given to a server.
//!
//! An account's hash is SHA1(SHA1(password)). Who knows SHA1(password) answers a nonce with
//! SHA1(password) XOR SHA1(nonce, hash): whoever knows the hash can read SHA1(password) off that
//! answer, and log in with it elsewhere. So a session that outlives its server needs nothing else
//! of its client. The secret lives in the session's memory and is wiped at its end.

use hwc_api::desired::NativePasswordHash;
use sha1::{Digest, Sha1};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a nonce, a hash and an answer.
pub(super) const PROOF: usize = 20;

/// SHA1(password) of a session's user.
pub(super) struct Secret(Zeroizing<[u8; PROOF]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads the secret off a client's answer to a nonce; none where the answer does not prove the
    /// password of this hash.
    pub fn from_answer(
        answer: &[u8],
        nonce: &[u8; PROOF],
        hash: &NativePasswordHash,
    ) -> Option<Self> {
        let hash = bytes_of(hash)?;
        let answer: &[u8; PROOF] = answer.try_into().ok()?;
        let secret = Zeroizing::new(masked(answer, nonce, &hash));
        let is_proven = sha1(&[secret.as_slice()]) == hash;
        is_proven.then_some(Self(secret))
    }

    /// The answer to a server's nonce.
    pub fn answer(&self, nonce: &[u8; PROOF]) -> [u8; PROOF] {
        let hash = sha1(&[self.0.as_slice()]);
        masked(&self.0, nonce, &hash)
    }
}

/// From secret to answer, and back.
fn masked(bytes: &[u8; PROOF], nonce: &[u8; PROOF], hash: &[u8; PROOF]) -> [u8; PROOF] {
    let mut mask = sha1(&[nonce, hash]);
    for (mask, byte) in mask.iter_mut().zip(bytes) {
        *mask ^= byte;
    }
    mask
}

fn sha1(parts: &[&[u8]]) -> [u8; PROOF] {
    let mut digest = Sha1::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

fn bytes_of(hash: &NativePasswordHash) -> Option<[u8; PROOF]> {
    let digits = hash.as_str().strip_prefix('*')?;
    let mut bytes = [0; PROOF];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What MariaDB says of `PASSWORD('correct horse')`.
    const HASH: &str = "*0E8F21E4240F5AD5A07D088F9C93890D13D78A4E";

    fn hash() -> NativePasswordHash {
        NativePasswordHash::parse(HASH).expect("a hash")
    }

    fn owner(password: &str) -> Secret {
        Secret(Zeroizing::new(sha1(&[password.as_bytes()])))
    }

    #[test]
    fn the_secret_that_an_answer_reveals_answers_other_nonces() {
        let client = owner("correct horse");
        let answer = client.answer(&[7; PROOF]);
        let secret = Secret::from_answer(&answer, &[7; PROOF], &hash()).expect("proven");
        assert_eq!(secret.answer(&[9; PROOF]), client.answer(&[9; PROOF]));
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn what_proves_nothing_reveals_nothing() {
        let nonce = [7; PROOF];
        let wrong = owner("wrong").answer(&nonce);
        let stale = owner("correct horse").answer(&[8; PROOF]);
        for answer in [&wrong[..], &stale[..], &[], &[0; PROOF], &[1; 21]] {
            assert!(Secret::from_answer(answer, &nonce, &hash()).is_none());
        }
    }
}
