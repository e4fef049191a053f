//! How a certificate names a node: `hwc://<cluster>/node/<id>` for us, a host name for TLS.
//!
//! TLS checks the host name (the dialler knows whom it dials), we read the URI (the acceptor learns
//! who came). Both are written by the cluster's authority only.

use hwc_api::ids::{ClusterId, NodeId};
use rustls::pki_types::{CertificateDer, ServerName};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A node of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerName {
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its id there.
    pub node: NodeId,
}

/// Why a certificate does not name a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerNameError {
    /// It is no certificate.
    #[error("not a certificate")]
    NotACertificate,
    /// It names something else.
    #[error("the certificate names no node of a cluster")]
    NoNode,
}

impl PeerName {
    /// The name as a URI, as it stands in the certificate.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("hwc://{}/node/{}", self.cluster, self.node)
    }

    /// The name as a host name, as it stands in the certificate. Never looked up in DNS.
    #[must_use]
    pub fn host_name(&self) -> String {
        format!("node-{}.{}.hwc.internal", self.node, self.cluster)
    }

    /// The host name for TLS; none where the cluster's id is no DNS label.
    #[must_use]
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host_name()).ok()
    }

    /// Reads a URI; exactly what [`PeerName::uri`] writes and nothing else.
    #[must_use]
    pub fn parse_uri(uri: &str) -> Option<Self> {
        let (cluster, node) = uri.strip_prefix("hwc://")?.split_once("/node/")?;
        let name = Self {
            cluster: ClusterId(cluster.to_owned()),
            node: node.parse().ok().filter(|id| *id != NodeId(0))?,
        };
        (name.uri() == uri && !cluster.is_empty() && !cluster.contains('/')).then_some(name)
    }

    /// Reads the node's name out of a certificate whose signature was checked already.
    ///
    /// # Errors
    /// When it can't be read, or names no node.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Result<Self, PeerNameError> {
        let (_rest, parsed) = X509Certificate::from_der(certificate.as_ref())
            .map_err(|_| PeerNameError::NotACertificate)?;
        let names = parsed
            .subject_alternative_name()
            .map_err(|_| PeerNameError::NotACertificate)?
            .ok_or(PeerNameError::NoNode)?;
        names
            .value
            .general_names
            .iter()
            .find_map(|name| {
                if let GeneralName::URI(uri) = name {
                    Self::parse_uri(uri)
                } else {
                    None
                }
            })
            .ok_or(PeerNameError::NoNode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_is_read() {
        let name = PeerName {
            cluster: ClusterId("0123456789abcdef0123456789abcdef".to_owned()),
            node: NodeId(3),
        };
        assert_eq!(PeerName::parse_uri(&name.uri()), Some(name.clone()));
        assert!(name.server_name().is_some());
        for wrong in [
            "",
            "hwc://",
            "hwc:///node/3",
            "hwc://c/node/0",
            "hwc://c/node/03",
            "hwc://c/node/+3",
            "hwc://c/node/70000",
            "hwc://c/node/3/",
            "hwc://c/d/node/3",
            "https://c/node/3",
        ] {
            assert_eq!(PeerName::parse_uri(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn garbage_is_no_certificate() {
        let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
        assert_eq!(
            PeerName::of_certificate(&garbage),
            Err(PeerNameError::NotACertificate)
        );
    }
}
