//! A statement of the door's own on a session's server: while the session is idle there.

use super::error::SqlError;
use super::packet::Packets;
use super::wire::Fields;
use std::io;

/// Greatest packet of an answer to us: a user variable of some hundred kilobytes, in hexadecimal.
const PACKET_MAX: usize = 1024 * 1024;
/// Rows that we take.
const ROWS_MAX: usize = 10_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// The stream failed, or what came is none.
    #[error("ask the server about a session")]
    Broken(#[from] io::Error),
    /// The server refuses the statement.
    #[error("the server says {} ({})", .0.message, .0.code)]
    Refused(SqlError),
}

/// The values of a row; NULL as none.
pub(super) type Row = Vec<Option<Vec<u8>>>;

/// Runs one statement to its end; gives its rows.
///
/// # Errors
/// See [`Unanswered`].
pub(super) async fn ask(
    server: &mut Packets,
    deprecates_eof: bool,
    statement: &str,
) -> Result<Vec<Row>, Unanswered> {
    let command = [&[0x03], statement.as_bytes()].concat();
    server.write(0, &command).await?;
    let first = next(server).await?;
    if first.first() == Some(&0) {
        return Ok(Vec::new());
    }
    let columns = Fields(&first).number().ok_or_else(nonsense)?;
    for _ in 0..columns {
        next(server).await?;
    }
    if !deprecates_eof {
        next(server).await?;
    }
    let mut rows = Vec::new();
    loop {
        let packet = next(server).await?;
        // No value of ours is so long that its row begins with this byte.
        if packet.first() == Some(&0xfe) {
            return Ok(rows);
        }
        if rows.len() >= ROWS_MAX {
            return Err(nonsense().into());
        }
        rows.push(values(&packet, columns).ok_or_else(nonsense)?);
    }
}

/// The next packet that is no error and no report of progress.
async fn next(server: &mut Packets) -> Result<bytes::Bytes, Unanswered> {
    loop {
        let packet = server.read_up_to(PACKET_MAX).await?.payload;
        match SqlError::parse(&packet) {
            None => return Ok(packet),
            Some(error) if error.code == u16::MAX => {}
            Some(error) => return Err(Unanswered::Refused(error)),
        }
    }
}

fn values(packet: &[u8], columns: u64) -> Option<Row> {
    let mut fields = Fields(packet);
    (0..columns)
        .map(|_| Some(fields.value()?.map(<[u8]>::to_vec)))
        .collect()
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer makes no sense")
}
