//! The front doors: HTTP and MySQL, routed to the live node, held while there is none.
//!
//! Every node runs one [`AwesomeProxy`]. A visitor's request may arrive at any node; it goes to the
//! live node of the site's dataset, here or over there, and waits (bounded) where there is none.
//! What this room does not do: it decides nothing about who is live. The conductor hands it a
//! [`RoutingTable`] and opens and closes its gates.
//!
//! - [`routes`]: from a domain or a database user to a dataset to its live node; pure.
//! - [`gates`]: what this node itself may serve, who is inside, and how it is made to end.
//! - [`waiting`]: the bounded room where requests wait for a live node.
//! - [`certificates`]: which certificate a visitor is shown.
//! - [`sockets`] and [`succession`]: a restart that turns nobody away.
//! - `http` and `mysql`: the two front doors; `proxy`: listeners, start and shutdown.

pub mod certificates;
pub mod config;
pub mod gates;
mod http;
mod listener;
mod mysql;
mod patience;
pub mod proxy;
pub mod routes;
mod shared;
pub mod sockets;
pub mod stats;
pub mod succession;
pub mod waiting;

pub use certificates::{CertificateSource, ClusterCertificates};
pub use config::{ApiUpstream, Limits, ProxyConfig};
pub use proxy::{AwesomeProxy, BoundAddresses, StartError};
pub use routes::{LiveRoute, Route, RoutingTable};
pub use sockets::{Doorway, Opened, Sockets};
pub use stats::{DatasetStats, ProxyStats};
pub use succession::Lingering;
