//! One visitor's connection: TLS or none, HTTP/2 or HTTP/1.1.

use super::front::Entrance;
use super::headers::Visitor;
use super::http1::{self, Side};
use super::http2;
use super::stall::NoStall;
use super::tls::ALPN_H2;
use crate::shared::Shared;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Serves one connection to its end.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    address: IpAddr,
    entrance: Entrance,
    tls: Option<TlsAcceptor>,
) {
    let limits = &shared.config.limits;
    let visitor = Visitor::new(address, entrance.is_secure());
    let Some(acceptor) = tls else {
        let (reader, writer) = stream.into_split();
        let writer = NoStall::new(writer, limits.stall);
        return http1::serve(shared, Side::Visitor(entrance, visitor), reader, writer).await;
    };
    let handshake = acceptor.accept(NoStall::new(stream, limits.stall));
    let stream = match tokio::time::timeout(limits.head, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::trace!(%address, %error, "no TLS"),
        Err(_late) => return tracing::trace!(%address, "no TLS in time"),
    };
    if stream.get_ref().1.alpn_protocol() == Some(ALPN_H2) {
        return http2::serve(shared, stream, entrance, visitor).await;
    }
    let (reader, writer) = tokio::io::split(stream);
    http1::serve(shared, Side::Visitor(entrance, visitor), reader, writer).await;
}
