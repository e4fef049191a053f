//! Options of the TCP connections between nodes.

use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Unacknowledged data for this long means that the other machine is gone: long enough for a lost
/// packet or two, short against what a visitor waits.
const USER_TIMEOUT_MS: u32 = 5_000;
/// Idle streams ask after the other machine, so that the same limit holds for them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(2);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// No delay for small writes; a silent dead machine is noticed (tcp(7): `TCP_USER_TIMEOUT`
/// overrides the count of keep-alive probes).
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_user_timeout(stream, USER_TIMEOUT_MS)?;
    Ok(())
}
