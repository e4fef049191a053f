//! The cluster's authority: two certificate authorities and the cluster's shared secrets.
//!
//! The node authority vouches for nodes, and for nothing else; the web authority signs sites'
//! certificates while they have none of a public authority. They are two, so that a browser that is
//! told to trust the one never trusts a node's certificate, and the other way round.

use super::{Fingerprint, IdentityError, PeerName, SecretBytes, SecretDer, encoding};
use hwc_api::ids::ClusterId;
use hwc_api::time::WallTime;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

const DAY_MS: i64 = 86_400_000;
/// An authority outlives the machines; replacing it means joining every node again.
const AUTHORITY_LIFE_MS: i64 = 30 * 365 * DAY_MS;
/// Long, because a node that was switched off for a year should come back by itself; a node's own
/// start renews it when less than a third is left, and removal does not rely on expiry.
pub(super) const NODE_LIFE_MS: i64 = 10 * 365 * DAY_MS;
/// Certificates begin in the past: clocks of nodes and visitors differ.
const BACKDATE_MS: i64 = DAY_MS;

/// A certificate authority with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateAuthority {
    #[serde(with = "encoding::certificate")]
    certificate: CertificateDer<'static>,
    key: SecretDer,
}

/// The keys that all nodes share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSecrets {
    /// Keys of the sealed datagrams. The first one seals; all of them open, so that a key can be
    /// replaced while nodes still use the old one.
    pub gossip: Vec<SealingKey>,
    /// Key under which session tokens are sealed.
    pub session: SecretBytes<32>,
}

/// A key of the sealed datagrams, with the number by which a datagram names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealingKey {
    /// The number by which a datagram names it: its generation, cut to a byte.
    pub id: u8,
    /// Grows with every replacement.
    #[serde(default)]
    pub generation: u64,
    /// How many nodes had been removed from the cluster when it was drawn: those nodes never had it.
    #[serde(default)]
    pub removed: u32,
    /// The key.
    pub key: SecretBytes<32>,
}

/// Everything that makes a cluster this cluster. Each node holds it; see [`super`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterAuthority {
    /// The cluster.
    pub cluster: ClusterId,
    /// Vouches for nodes.
    pub nodes: CertificateAuthority,
    /// Signs sites' certificates.
    pub web: CertificateAuthority,
    /// The shared keys.
    pub secrets: ClusterSecrets,
}

impl ClusterAuthority {
    /// Draws the authority and the secrets of a new cluster.
    ///
    /// # Errors
    /// When a certificate can't be made.
    pub fn create(cluster: ClusterId, now: WallTime) -> Result<Self, IdentityError> {
        let nodes = CertificateAuthority::create(&format!("HWC nodes of {cluster}"), now)?;
        let web = CertificateAuthority::create(&format!("HWC sites of {cluster}"), now)?;
        Ok(Self {
            cluster,
            nodes,
            web,
            secrets: ClusterSecrets {
                gossip: vec![SealingKey {
                    id: 1,
                    generation: 1,
                    removed: 0,
                    key: SecretBytes::draw(),
                }],
                session: SecretBytes::draw(),
            },
        })
    }

    /// Signs the certificate of a node over its public key.
    pub(crate) fn sign_node(
        &self,
        name: &PeerName,
        public_key: &impl PublicKeyData,
        now: WallTime,
    ) -> Result<CertificateDer<'static>, IdentityError> {
        let mut params = leaf_params(now, NODE_LIFE_MS);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("HWC node {}", name.node));
        params.subject_alt_names = vec![
            SanType::URI(name.uri().try_into()?),
            SanType::DnsName(name.host_name().try_into()?),
        ];
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ClientAuth);
        self.nodes.sign(&params, public_key)
    }
}

impl CertificateAuthority {
    fn create(name: &str, now: WallTime) -> Result<Self, IdentityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now, AUTHORITY_LIFE_MS);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            key: SecretDer::new(key.serialize_der()),
        })
    }

    /// The authority's own certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// By which a newcomer recognises it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.certificate.as_ref())
    }

    /// Its certificate as people hand it to browsers.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", self.certificate.as_ref())
    }

    /// Its key, for the room that issues certificates under it. As good as the authority itself.
    #[must_use]
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", self.key.expose())
    }

    fn sign(
        &self,
        params: &CertificateParams,
        public_key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, IdentityError> {
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(self.key.expose()))?;
        let issuer = Issuer::from_ca_cert_der(&self.certificate, key)?;
        Ok(params.signed_by(public_key, &issuer)?.der().clone())
    }
}

/// The text form of DER (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----");
    for (index, character) in text.chars().enumerate() {
        if index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem + &format!("\n-----END {label}-----\n")
}

fn leaf_params(now: WallTime, life_ms: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    set_validity(&mut params, now, life_ms);
    params
}

fn set_validity(params: &mut CertificateParams, now: WallTime, life_ms: i64) {
    params.not_before = moment(now.plus_ms(-BACKDATE_MS));
    params.not_after = moment(now.plus_ms(life_ms));
}

/// A moment beyond what certificates can say becomes 1970; no clock shows it.
fn moment(time: WallTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.0.div_euclid(1_000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_survives_its_file_and_two_clusters_differ() {
        let now = WallTime(1_800_000_000_000);
        let one = ClusterAuthority::create(ClusterId("a".repeat(32)), now).expect("made");
        let two = ClusterAuthority::create(ClusterId("b".repeat(32)), now).expect("made");
        let json = serde_json::to_string(&one).expect("serialisable");
        let back: ClusterAuthority = serde_json::from_str(&json).expect("readable");
        assert_eq!(back, one);
        assert_ne!(one.nodes.fingerprint(), two.nodes.fingerprint());
        assert_ne!(one.nodes.fingerprint(), one.web.fingerprint());
        assert!(!format!("{one:?}").contains(json.split('"').nth_back(1).expect("a key")));
    }
}
