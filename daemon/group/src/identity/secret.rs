//! Bytes that must not be seen: wiped when dropped, never printed.
//!
//! They are serialised (base64) because they are kept in a file of root's, handed over in a join, and
//! exchanged between nodes when a key is replaced; nothing else may serialise them.

use super::encoding;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroize;

/// A secret of `N` bytes, such as a key.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes<const N: usize>([u8; N]);

impl<const N: usize> SecretBytes<N> {
    /// Draws a new secret.
    #[must_use]
    pub fn draw() -> Self {
        Self(hwc_runtime::random::secret_bytes())
    }

    /// Wraps bytes that came from a token or a file.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves: for ciphers and comparisons only.
    #[must_use]
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// SHA-256 of the secret, hexadecimal: what the registry may keep of it.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0))
    }
}

impl<const N: usize> fmt::Debug for SecretBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({N} secret bytes)")
    }
}

impl<const N: usize> Drop for SecretBytes<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> Serialize for SecretBytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        encoding::serialize(&self.0, serializer)
    }
}

impl<'de, const N: usize> Deserialize<'de> for SecretBytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = encoding::deserialize(deserializer)?;
        let secret = <[u8; N]>::try_from(bytes.as_slice());
        bytes.zeroize();
        secret
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format_args!("not {N} bytes")))
    }
}

/// A private key, PKCS#8 DER.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretDer(Vec<u8>);

impl SecretDer {
    /// Wraps the bytes of a PKCS#8 key.
    #[must_use]
    pub const fn new(pkcs8: Vec<u8>) -> Self {
        Self(pkcs8)
    }

    /// The bytes themselves: for signing and for TLS only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(private key)")
    }
}

impl Drop for SecretDer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Serialize for SecretDer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        encoding::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for SecretDer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        encoding::deserialize(deserializer).map(Self)
    }
}

/// SHA-256 of a certificate: public, and enough to recognise it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate (DER).
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Self {
        Self(Sha256::digest(certificate_der).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed_and_survive_their_file() {
        let secret = SecretBytes::<32>::draw();
        assert_eq!(format!("{secret:?}"), "(32 secret bytes)");
        let json = serde_json::to_string(&secret).expect("serialisable");
        let back: SecretBytes<32> = serde_json::from_str(&json).expect("readable");
        assert!(back == secret);
        assert!(serde_json::from_str::<SecretBytes<16>>(&json).is_err());
        assert_eq!(format!("{:?}", SecretDer::new(vec![1, 2])), "(private key)");
    }
}
