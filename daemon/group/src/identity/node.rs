//! A node's identity: its certificate and key, and the authority of its cluster.
//!
//! Kept in one file, so that there is never half an identity.

use super::authority::NODE_LIFE_MS;
use super::{ClusterAuthority, IdentityError, PeerName, SealingKey, SecretDer, encoding};
use hwc_api::ids::{ClusterId, NodeId};
use hwc_api::time::WallTime;
use hwc_runtime::files::{FileMode, write_atomically};
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

const FILE_NAME: &str = "identity.json";

/// Who this node is. Its file is as good as root on every node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeIdentity {
    node: NodeId,
    authority: ClusterAuthority,
    #[serde(with = "encoding::certificate")]
    certificate: CertificateDer<'static>,
    key: SecretDer,
}

impl NodeIdentity {
    /// Makes the identity of a node of `authority`: the first one of a new cluster.
    ///
    /// # Errors
    /// When a certificate can't be made.
    pub fn create(
        authority: ClusterAuthority,
        node: NodeId,
        now: WallTime,
    ) -> Result<Self, IdentityError> {
        let key = KeyPair::generate()?;
        let name = PeerName {
            cluster: authority.cluster.clone(),
            node,
        };
        let certificate = authority.sign_node(&name, &key, now)?;
        Ok(Self::from_parts(node, authority, certificate, &key))
    }

    pub(crate) fn from_parts(
        node: NodeId,
        authority: ClusterAuthority,
        certificate: CertificateDer<'static>,
        key: &KeyPair,
    ) -> Self {
        Self {
            node,
            authority,
            certificate,
            key: SecretDer::new(key.serialize_der()),
        }
    }

    /// This node.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Its cluster.
    #[must_use]
    pub const fn cluster(&self) -> &ClusterId {
        &self.authority.cluster
    }

    /// The authority of its cluster.
    #[must_use]
    pub const fn authority(&self) -> &ClusterAuthority {
        &self.authority
    }

    /// Its name in certificates.
    #[must_use]
    pub fn name(&self) -> PeerName {
        PeerName {
            cluster: self.authority.cluster.clone(),
            node: self.node,
        }
    }

    /// Its certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(crate) const fn key(&self) -> &SecretDer {
        &self.key
    }

    /// The same identity with other keys of sealed datagrams.
    #[must_use]
    pub fn with_gossip_keys(&self, keys: Vec<SealingKey>) -> Self {
        let mut identity = self.clone();
        identity.authority.secrets.gossip = keys;
        identity
    }

    /// Reads the identity; none where the server belongs to no cluster yet.
    ///
    /// # Errors
    /// When the file is there and can't be read or understood.
    pub fn load(folder: &Path) -> Result<Option<Self>, IdentityError> {
        let path = folder.join(FILE_NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::Read { path, source }),
        };
        close_to_others(&path).map_err(|source| IdentityError::Write {
            path: path.clone(),
            source,
        })?;
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| IdentityError::Damaged { path, source })
    }

    /// Writes the identity, whole or not at all; makes the folder (0700) if need be.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, folder: &Path) -> Result<(), IdentityError> {
        let path = folder.join(FILE_NAME);
        let written = make_folder(folder).and_then(|()| {
            let text = serde_json::to_vec_pretty(self)?;
            write_atomically(&path, &text, FileMode::SECRET)
        });
        written.map_err(|source| IdentityError::Write { path, source })
    }

    /// The same node with a new certificate and key, if less than a third of the old one's life is
    /// left. Called at every start; whoever calls saves it.
    ///
    /// # Errors
    /// When the old certificate can't be read or a new one can't be made.
    pub fn renewed_if_due(&self, now: WallTime) -> Result<Option<Self>, IdentityError> {
        let left_ms = self.not_after()?.since_ms(now);
        if left_ms >= NODE_LIFE_MS.unsigned_abs() / 3 {
            return Ok(None);
        }
        Self::create(self.authority.clone(), self.node, now).map(Some)
    }

    /// When its certificate ends.
    ///
    /// # Errors
    /// When the certificate can't be read.
    pub fn not_after(&self) -> Result<WallTime, IdentityError> {
        let (_rest, parsed) = X509Certificate::from_der(self.certificate.as_ref())
            .map_err(|_| super::PeerNameError::NotACertificate)?;
        let seconds = parsed.validity().not_after.timestamp();
        Ok(WallTime(seconds.saturating_mul(1_000)))
    }
}

/// Makes a folder for root alone.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Takes away what permissions others were given on a secret file, and says so.
fn close_to_others(path: &Path) -> io::Result<()> {
    let mode = fs::symlink_metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), mode = format!("{mode:o}"),
        "the node's identity was open to others than root; closed again");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_800_000_000_000);

    fn identity() -> NodeIdentity {
        let authority = ClusterAuthority::create(ClusterId("c".repeat(32)), NOW).expect("made");
        NodeIdentity::create(authority, NodeId(4), NOW).expect("made")
    }

    #[test]
    fn an_identity_is_kept_for_root_alone_and_found_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path().join("identity");
        assert_eq!(NodeIdentity::load(&folder).expect("absent"), None);
        let identity = identity();
        identity.save(&folder).expect("saved");
        let path = folder.join(FILE_NAME);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened");
        assert_eq!(
            NodeIdentity::load(&folder).expect("readable"),
            Some(identity)
        );
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_damaged_identity_is_an_error_not_a_new_node() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join(FILE_NAME), b"{\"node\": 1").expect("written");
        assert!(matches!(
            NodeIdentity::load(folder.path()),
            Err(IdentityError::Damaged { .. })
        ));
    }

    #[test]
    fn a_certificate_names_its_node_and_is_renewed_in_its_last_third() {
        let identity = identity();
        let name = PeerName::of_certificate(identity.certificate()).expect("named");
        assert_eq!(name, identity.name());
        let at = |part: i64| NOW.plus_ms(NODE_LIFE_MS / 9 * part);
        assert_eq!(identity.renewed_if_due(at(5)).expect("readable"), None);
        let renewed = identity
            .renewed_if_due(at(7))
            .expect("readable")
            .expect("due");
        assert_eq!(renewed.name(), identity.name());
        assert_ne!(renewed.certificate(), identity.certificate());
        assert!(renewed.not_after().expect("readable") > identity.not_after().expect("readable"));
        assert!(identity.renewed_if_due(at(20)).expect("readable").is_some());
    }
}
