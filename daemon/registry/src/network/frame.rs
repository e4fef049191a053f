//! Messages on a stream: two lengths (big-endian, 32 bits), a JSON text, and raw bytes (the chunks
//! of a snapshot, which JSON would blow up).

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest JSON text: a batch of log entries is split before it comes to this.
pub(crate) const TEXT_BYTES_MAX: usize = 32 << 20;
/// The most raw bytes: a chunk of a snapshot is 1 MiB.
pub(crate) const BODY_BYTES_MAX: usize = 4 << 20;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frame {
    pub text: Vec<u8>,
    pub body: Vec<u8>,
}

impl Frame {
    /// Writes the message and flushes.
    pub async fn write<W: AsyncWrite + Unpin>(&self, stream: &mut W) -> io::Result<()> {
        let mut head = [0; 8];
        let (text_length, body_length) = head.split_at_mut(4);
        text_length.copy_from_slice(&length(&self.text, TEXT_BYTES_MAX)?);
        body_length.copy_from_slice(&length(&self.body, BODY_BYTES_MAX)?);
        stream.write_all(&head).await?;
        stream.write_all(&self.text).await?;
        stream.write_all(&self.body).await?;
        stream.flush().await
    }

    /// Reads the next message; none where the other side has closed the stream between two.
    /// Not cancel-safe: a stream whose read was cut is of no more use.
    pub async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Option<Self>> {
        let text_length = match stream.read_u32().await {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        let body_length = stream.read_u32().await?;
        Ok(Some(Self {
            text: read_part(stream, text_length, TEXT_BYTES_MAX).await?,
            body: read_part(stream, body_length, BODY_BYTES_MAX).await?,
        }))
    }
}

fn length(part: &[u8], limit: usize) -> io::Result<[u8; 4]> {
    let length = u32::try_from(part.len()).ok();
    length
        .filter(|_| part.len() <= limit)
        .map(u32::to_be_bytes)
        .ok_or_else(|| too_long(limit))
}

/// Memory grows with what arrives, not with what was announced.
async fn read_part<R: AsyncRead + Unpin>(
    stream: &mut R,
    announced: u32,
    limit: usize,
) -> io::Result<Vec<u8>> {
    if announced as usize > limit {
        return Err(too_long(limit));
    }
    let mut part = Vec::new();
    stream
        .take(u64::from(announced))
        .read_to_end(&mut part)
        .await?;
    if part.len() == announced as usize {
        Ok(part)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn too_long(limit: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("message part is longer than {limit} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Option<Frame>> {
        let mut reader = bytes;
        Frame::read(&mut reader).await
    }

    #[tokio::test]
    async fn a_frame_comes_back_as_it_was_written() {
        let frame = Frame {
            text: b"{}".to_vec(),
            body: vec![0, 255, 10],
        };
        let mut bytes = Vec::new();
        frame.write(&mut bytes).await.expect("memory");
        assert_eq!(read(&bytes).await.expect("whole"), Some(frame));
        assert_eq!(read(&[]).await.expect("closed"), None);
    }

    #[tokio::test]
    async fn broken_frames_are_errors() {
        let mut cut = Vec::new();
        let frame = Frame {
            text: b"{}".to_vec(),
            body: Vec::new(),
        };
        frame.write(&mut cut).await.expect("memory");
        cut.pop();
        for bad in [
            &cut[..],
            &[255; 8],
            &[0, 0, 0, 1, 255, 255, 255, 255, b'x'],
            &[0, 0, 0, 0, 0],
        ] {
            assert!(read(bad).await.is_err(), "{bad:?} was accepted");
        }
    }

    #[tokio::test]
    async fn a_frame_that_nobody_would_read_is_not_written() {
        let frame = Frame {
            text: Vec::new(),
            body: vec![0; BODY_BYTES_MAX + 1],
        };
        assert!(frame.write(&mut Vec::new()).await.is_err());
    }
}
