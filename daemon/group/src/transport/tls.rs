//! The TLS settings: version 1.3 only, our own authority only, one provider, our clock.
//!
//! The provider is always named: another crate in the program may bring a second one, and a default
//! would then be a panic. Sessions are resumed, which spares the signatures of a repeated dial; the
//! peer's certificate is part of the resumed session, so the roster is asked each time all the same.

use crate::identity::{Fingerprint, NodeIdentity, PeerName};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::Service;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore,
    ServerConfig, SignatureScheme,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// Sessions that can be resumed: a few for each node of a large cluster.
const RESUMABLE_SESSIONS: usize = 4_096;

/// How connections are accepted.
pub(super) struct Acceptors {
    /// From nodes: with their certificate.
    pub(super) peers: Arc<ServerConfig>,
    /// From newcomers, who have none.
    pub(super) joining: Arc<ServerConfig>,
}

pub(super) fn acceptors(identity: &NodeIdentity, clock: &Clock) -> Result<Acceptors, Error> {
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(identity)?), provider())
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
    let builder = || {
        ServerConfig::builder_with_details(provider(), Arc::new(OurTime(clock.clone())))
            .with_protocol_versions(&[&rustls::version::TLS13])
    };
    let mut peers = builder()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(identity), key(identity)?)?;
    peers.session_storage = ServerSessionMemoryCache::new(RESUMABLE_SESSIONS);
    peers.alpn_protocols = Service::ALL
        .into_iter()
        .filter(|service| *service != Service::Join)
        .map(alpn)
        .collect();
    let mut joining = builder()?
        .with_no_client_auth()
        .with_single_cert(chain(identity), key(identity)?)?;
    joining.send_tls13_tickets = 0;
    joining.alpn_protocols = vec![alpn(Service::Join)];
    Ok(Acceptors {
        peers: Arc::new(peers),
        joining: Arc::new(joining),
    })
}

/// How nodes are dialled, for each service but joining.
pub(super) fn connectors(
    identity: &NodeIdentity,
    clock: &Clock,
) -> Result<BTreeMap<Service, TlsConnector>, Error> {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(identity)?), provider())
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
    let config = ClientConfig::builder_with_details(provider(), Arc::new(OurTime(clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(chain(identity), key(identity)?)?;
    let services = Service::ALL
        .into_iter()
        .filter(|service| *service != Service::Join);
    Ok(services
        .map(|service| {
            // The clones share the store of resumable sessions: same certificate, same verifier.
            let mut config = config.clone();
            config.alpn_protocols = vec![alpn(service)];
            (service, TlsConnector::from(Arc::new(config)))
        })
        .collect())
}

/// How a newcomer dials: it knows the authority's fingerprint and nothing else.
pub(crate) fn joining_client(
    authority: Fingerprint,
    clock: &Clock,
) -> Result<Arc<ClientConfig>, Error> {
    let provider = provider();
    let verifier = ByFingerprint {
        authority,
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(OurTime(clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn(Service::Join)];
    config.enable_sni = false;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn alpn(service: Service) -> Vec<u8> {
    service.alpn().as_bytes().to_vec()
}

fn roots(identity: &NodeIdentity) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.authority().nodes.certificate().clone())?;
    Ok(roots)
}

/// The node's certificate and its authority's: a newcomer needs to see the second one.
fn chain(identity: &NodeIdentity) -> Vec<CertificateDer<'static>> {
    vec![
        identity.certificate().clone(),
        identity.authority().nodes.certificate().clone(),
    ]
}

fn key(identity: &NodeIdentity) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::try_from(identity.key().expose().to_vec())
        .map_err(|reason| Error::General(reason.to_owned()))
}

/// Certificates are judged by the program's clock.
#[derive(Debug)]
struct OurTime(Clock);

impl TimeProvider for OurTime {
    fn current_time(&self) -> Option<UnixTime> {
        let milliseconds = u64::try_from(self.0.wall().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(
            milliseconds,
        )))
    }
}

/// Believes any node of the authority with this fingerprint.
#[derive(Debug)]
struct ByFingerprint {
    authority: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| Fingerprint::of(certificate.as_ref()) == self.authority)
            .ok_or(CertificateError::UnknownIssuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &roots,
            &[],
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        PeerName::of_certificate(end_entity)
            .map_err(|_| CertificateError::ApplicationVerificationFailure)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
