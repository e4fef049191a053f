//! Options of the TCP connections between nodes.

use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Idle streams ask after the other machine, so that the same limit holds for them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(2);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// No delay for small writes; a machine that acknowledges nothing for so long is noticed to be gone
/// (tcp(7): `TCP_USER_TIMEOUT` overrides the count of keep-alive probes).
pub(super) fn tune(stream: &TcpStream, unacknowledged: Duration) -> io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    let unacknowledged_ms = u32::try_from(unacknowledged.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, unacknowledged_ms)?;
    Ok(())
}
