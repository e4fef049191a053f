//! Which certificate a visitor is shown, by the name that their browser asks for (SNI).
//!
//! Only names that the routing table knows get one; everybody else is shown the node's own.
//! [`ClusterCertificates`] issues them on demand from the cluster's own web CA.

use crate::routes::RoutingTable;
use arc_swap::ArcSwap;
use hwc_api::names::DomainName;
use hwc_runtime::clock::Clock;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};

/// How long an issued certificate is good; the least that every browser takes without remark.
const VALID: Duration = Duration::days(90);
/// Valid from a little before its making, for visitors whose clocks are slow.
const BACKDATED: Duration = Duration::days(1);
/// Made anew when less than this is left.
const RENEWED_BEFORE: Duration = Duration::days(30);
/// Kept certificates, some 3 KiB each; all are forgotten beyond that and made again on demand
/// (0.2 ms each).
const CACHED_MAX: usize = 20_000;

/// Has certificates for the names that this cluster serves.
pub trait CertificateSource: Send + Sync + 'static {
    /// The certificate of one domain; asked for known domains only, on every handshake.
    fn certificate(&self, name: &DomainName) -> Option<Arc<CertifiedKey>>;

    /// The node's own, for visitors that name no known domain.
    fn own(&self) -> Option<Arc<CertifiedKey>>;
}

/// Why the cluster's web CA can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The CA's certificate or key can't be read, or refuses to sign.
    #[error("issue a certificate from the cluster's web CA")]
    Issue(#[from] rcgen::Error),
    /// rustls does not take what was issued.
    #[error("use an issued certificate")]
    Use(#[from] rustls::Error),
}

/// Issues certificates from the cluster's web CA and keeps them.
pub struct ClusterCertificates {
    issuer: Issuer<'static, KeyPair>,
    provider: Arc<CryptoProvider>,
    clock: Clock,
    own: Arc<CertifiedKey>,
    issued: Mutex<BTreeMap<DomainName, Issued>>,
}

struct Issued {
    key: Arc<CertifiedKey>,
    expires: OffsetDateTime,
}

impl fmt::Debug for ClusterCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterCertificates")
    }
}

impl ClusterCertificates {
    /// Takes the CA's certificate and private key (PEM) and the names and addresses of this node,
    /// for which its own certificate is made.
    ///
    /// # Errors
    /// When the CA can't be read or does not sign.
    pub fn new(
        ca_certificate_pem: &str,
        ca_key_pem: &str,
        own_names: Vec<String>,
        clock: Clock,
    ) -> Result<Self, CertificateError> {
        let issuer = Issuer::from_ca_cert_pem(ca_certificate_pem, KeyPair::from_pem(ca_key_pem)?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let own = issue(&issuer, &provider, own_names, now(&clock))?.key;
        Ok(Self {
            issuer,
            provider,
            clock,
            own,
            issued: Mutex::default(),
        })
    }
}

impl CertificateSource for ClusterCertificates {
    fn certificate(&self, name: &DomainName) -> Option<Arc<CertifiedKey>> {
        let now = now(&self.clock);
        // Held while issuing, so that a name is issued once however many ask for it.
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = issued.get(name)
            && known.expires - now > RENEWED_BEFORE
        {
            return Some(Arc::clone(&known.key));
        }
        match issue(&self.issuer, &self.provider, vec![name.to_string()], now) {
            Ok(new) => {
                if issued.len() >= CACHED_MAX {
                    issued.clear();
                }
                let key = Arc::clone(&new.key);
                issued.insert(name.clone(), new);
                Some(key)
            }
            Err(error) => {
                tracing::error!(domain = %name, %error, "no certificate could be issued");
                None
            }
        }
    }

    fn own(&self) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.own))
    }
}

fn now(clock: &Clock) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(clock.wall().0 / 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn issue(
    issuer: &Issuer<'static, KeyPair>,
    provider: &CryptoProvider,
    names: Vec<String>,
    now: OffsetDateTime,
) -> Result<Issued, CertificateError> {
    let key = KeyPair::generate()?;
    let common_name = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    // X.520 allows 64 characters; the names that count stand in the alternative names.
    if common_name.len() <= 64 {
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
    }
    params.not_before = now - BACKDATED;
    params.not_after = now + VALID;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let expires = params.not_after;
    let certificate = params.signed_by(&key, issuer)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signing = provider.key_provider.load_private_key(private)?;
    let chain = vec![certificate.der().clone()];
    Ok(Issued {
        key: Arc::new(CertifiedKey::new(chain, signing)),
        expires,
    })
}

/// Finds the certificate for a handshake: table first, source second, the node's own last.
pub(crate) struct BySni {
    pub table: Arc<ArcSwap<RoutingTable>>,
    pub source: Arc<dyn CertificateSource>,
}

impl fmt::Debug for BySni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BySni")
    }
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello
            .server_name()
            .and_then(|name| DomainName::parse(name).ok())
            .filter(|name| self.table.load().is_known(name));
        asked
            .and_then(|name| self.source.certificate(&name))
            .or_else(|| self.source.own())
    }
}
