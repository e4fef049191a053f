//! Bytes in JSON: base64. For `#[serde(with = …)]`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes bytes as base64.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

/// Reads bytes from base64.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

/// The same for a certificate (DER).
pub mod certificate {
    use rustls::pki_types::CertificateDer;
    use serde::{Deserializer, Serializer};

    /// Writes a certificate.
    pub fn serialize<S: Serializer>(
        certificate: &CertificateDer<'static>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::serialize(certificate.as_ref(), serializer)
    }

    /// Reads a certificate.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<CertificateDer<'static>, D::Error> {
        super::deserialize(deserializer).map(CertificateDer::from)
    }
}
