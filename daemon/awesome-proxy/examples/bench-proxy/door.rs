//! Our front door as a process of its own, with one worker: alone before the web server, or as one
//! of two nodes of which the other one has the site.

use crate::load::HOST;
use anyhow::{Context, Result};
use futures::future::BoxFuture;
use hwc_api::balancing::Balancing;
use hwc_api::desired::Desired;
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_awesome_proxy::{AwesomeProxy, ClusterCertificates, LiveRoute, ProxyConfig, RoutingTable};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const SITE: DatasetId = DatasetId(1);
/// The name in the certificate that both nodes show each other.
const NODE_NAME: &str = "node.example";
const AUTHORITY: &str = "authority.pem";
const AUTHORITY_KEY: &str = "authority-key.pem";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// What stands behind a door.
pub enum Behind {
    /// The web server; with a second listener for other nodes.
    WebServer(SocketAddr),
    /// The node that has the site, at its listener for other nodes.
    Node(SocketAddr),
}

/// Serves until it is ended; says on standard output where: its door for visitors, or for other
/// nodes where `for_nodes`.
pub async fn run(tasks: &Tasks, folder: &Path, behind: Behind, for_nodes: bool) -> Result<()> {
    log_as_the_daemon_does();
    let secrets = Secrets::read(folder)?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (me, apache, other) = match behind {
        Behind::WebServer(address) => (NodeId(2), address, any),
        Behind::Node(address) => (NodeId(1), any, address),
    };
    let config = ProxyConfig {
        http: any,
        https: any,
        panel: any,
        mysql_tcp: any,
        mysql_socket: folder.join(format!("mysqld-{}.sock", std::process::id())),
        apache,
        ..ProxyConfig::default()
    };
    let dial = Arc::new(TlsDial {
        other,
        connector: secrets.connector()?,
    });
    let clock = Clock::system();
    let names = vec![NODE_NAME.to_owned()];
    let certificates = ClusterCertificates::new(
        &secrets.authority,
        &secrets.authority_key,
        names,
        clock.clone(),
    )?;
    let proxy = AwesomeProxy::start(config, me, dial, Arc::new(certificates), clock, tasks)?;
    let epoch = Epoch {
        counter: 1,
        node: NodeId(2),
        boot: BootId(1),
    };
    let route = LiveRoute {
        node: NodeId(2),
        epoch,
        is_open: true,
    };
    let routes = BTreeMap::from([(SITE, route)]);
    proxy.set_routes(RoutingTable::build(&desired()?, routes, me));
    if me == NodeId(2) {
        proxy.open_gate(SITE, epoch);
    }
    let nodes = TcpListener::bind(any).await?;
    crate::process::say(if for_nodes {
        nodes.local_addr()?
    } else {
        proxy.addresses().http
    })?;
    serve_nodes(tasks, &proxy, nodes, secrets.acceptor()?).await
}

/// Spans cost something even where nothing is written: they are measured too.
fn log_as_the_daemon_does() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("info"))
        .with_writer(std::io::sink)
        .init();
}

async fn serve_nodes(
    tasks: &Tasks,
    proxy: &AwesomeProxy,
    listener: TcpListener,
    acceptor: TlsAcceptor,
) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (proxy, acceptor) = (proxy.clone(), acceptor.clone());
        tasks.spawn("node", async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                proxy.serve_http_peer(NodeId(1), Box::new(stream)).await;
            }
        });
    }
}

/// One account with one site.
fn desired() -> Result<Desired> {
    serde_json::from_value(serde_json::json!({
        "index": 1,
        "cluster": { "id": "00", "name": "bench", "panel_domains": [], "copies": 2,
            "balancing": Balancing::default() },
        "nodes": {},
        "accounts": {
            "1": { "id": 1, "login": "anna", "name": "Anna", "email": "anna@example.com",
                "role": "customer", "limits": { "sites": 1, "databases": 1 },
                "password_hash": "", "sessions_valid_from": 0, "is_suspended": false,
                "created_at": 0 }
        },
        "sites": {
            "1": { "id": 1, "account": 1, "dataset": SITE, "uid": 20001, "domains": [HOST],
                "php": "8.4", "app": null, "created_at": 0 }
        },
        "databases": {},
        "datasets": {
            "1": { "id": 1, "content": { "site": 1 }, "replicas": [1, 2], "created_index": 1,
                "copies": 2, "is_deleted": false }
        },
        "jobs": {}, "moves": {}, "tokens": {}, "revoked_sessions": [], "join_tokens": {}
    }))
    .context("a registry with one site")
}

/// Nodes dial each other as in a cluster: TLS 1.3, certificates on both sides.
struct TlsDial {
    other: SocketAddr,
    connector: TlsConnector,
}

impl Dial for TlsDial {
    fn dial(&self, node: NodeId, _: Service) -> BoxFuture<'_, Result<PeerStream, DialError>> {
        Box::pin(async move {
            let connect = async {
                let stream = TcpStream::connect(self.other).await?;
                stream.set_nodelay(true)?;
                let name = ServerName::try_from(NODE_NAME).map_err(std::io::Error::other)?;
                self.connector.connect(name, stream).await
            };
            let stream = connect.await;
            let stream = stream.map_err(|source| DialError::Handshake { node, source })?;
            Ok(Box::new(stream) as PeerStream)
        })
    }
}

/// The certificate and key that both nodes use, and the authority behind them.
struct Secrets {
    authority: String,
    authority_key: String,
    certificate: String,
    key: String,
}

impl Secrets {
    fn read(folder: &Path) -> Result<Self> {
        let read = |name| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
        };
        Ok(Self {
            authority: read(AUTHORITY)?,
            authority_key: read(AUTHORITY_KEY)?,
            certificate: read(CERTIFICATE)?,
            key: read(KEY)?,
        })
    }

    fn identity(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        Ok((vec![certificate], key))
    }

    fn roots(&self) -> Result<Arc<rustls::RootCertStore>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes())?)?;
        Ok(Arc::new(roots))
    }

    fn connector(&self) -> Result<TlsConnector> {
        let (chain, key) = self.identity()?;
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(chain, key)?;
        Ok(TlsConnector::from(Arc::new(config)))
    }

    fn acceptor(&self) -> Result<TlsAcceptor> {
        let (chain, key) = self.identity()?;
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(self.roots()?, provider())
                .build()?;
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Makes the authority, and the certificate and key that both nodes use.
pub fn make_secrets(folder: &Path) -> Result<()> {
    let authority_key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key)?;
    let issuer = rcgen::Issuer::from_ca_cert_pem(&authority.pem(), &authority_key)?;
    let key = rcgen::KeyPair::generate()?;
    let names = vec![NODE_NAME.to_owned()];
    let certificate = rcgen::CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    for (name, content) in [
        (AUTHORITY, authority.pem()),
        (AUTHORITY_KEY, authority_key.serialize_pem()),
        (CERTIFICATE, certificate.pem()),
        (KEY, key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), content)?;
    }
    Ok(())
}
