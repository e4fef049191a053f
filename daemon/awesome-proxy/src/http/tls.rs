//! TLS towards visitors: certificates by SNI, HTTP/2 and HTTP/1.1 by ALPN.

use crate::certificates::BySni;
use crate::shared::Shared;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// HTTP/2 in ALPN (RFC 9113, 3.2).
pub(crate) const ALPN_H2: &[u8] = b"h2";

/// The acceptor that all TLS doors share.
pub(crate) fn acceptor(shared: &Shared) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let resolver = BySni {
        table: Arc::clone(&shared.table),
        source: Arc::clone(&shared.certificates),
    };
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![ALPN_H2.to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
