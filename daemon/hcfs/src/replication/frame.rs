//! Frames: kind, length, BLAKE3 of kind, length and content, content. Bounded, checked, with a
//! limit on silence.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The most that one chunk carries before compression: big enough to compress well, small enough
/// that a transfer's memory is nothing.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;
/// What doesn't compress grows a little.
const CONTENT_BYTES_MAX: usize = CHUNK_BYTES + 64 * 1024;
const HEAD_BYTES: usize = 5;
const DIGEST_BYTES: usize = 32;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The header of a stream.
    Offer,
    /// What the receiver says.
    Answer,
    /// A piece of the compressed stream.
    Chunk,
    /// The end of the stream.
    End,
    /// Nothing yet, but still at it.
    Working,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Offer => 1,
            Self::Answer => 2,
            Self::Chunk => 3,
            Self::End => 4,
            Self::Working => 5,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Offer,
            2 => Self::Answer,
            3 => Self::Chunk,
            4 => Self::End,
            5 => Self::Working,
            _ => return None,
        })
    }
}

/// Why the connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// It broke.
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    /// Silence.
    #[error("nothing moved within {} s", .0.as_secs())]
    Idle(Duration),
    /// What came is not what was sent, or not what is due.
    #[error("{0}")]
    Damaged(&'static str),
}

/// Writes one frame.
pub(crate) async fn write<W: AsyncWrite + Unpin>(
    writer: &mut W,
    kind: Kind,
    content: &[u8],
    idle: Duration,
) -> Result<(), WireError> {
    let length = u32::try_from(content.len())
        .ok()
        .filter(|_| content.len() <= CONTENT_BYTES_MAX)
        .ok_or(WireError::Damaged("a frame too long to send"))?;
    let mut head = [0; HEAD_BYTES];
    head[0] = kind.number();
    head[1..].copy_from_slice(&length.to_le_bytes());
    let digest = digest(&head, content);
    for part in [&head[..], &digest, content] {
        write_all(writer, part, idle).await?;
    }
    tokio::time::timeout(idle, writer.flush())
        .await
        .map_err(|_elapsed| WireError::Idle(idle))??;
    Ok(())
}

/// Writes a message as one frame.
pub(crate) async fn write_message<W: AsyncWrite + Unpin, T: Serialize>(
    writer: &mut W,
    kind: Kind,
    message: &T,
    idle: Duration,
) -> Result<(), WireError> {
    let content = postcard::to_stdvec(message)
        .map_err(|_error| WireError::Damaged("a message that can't be written"))?;
    write(writer, kind, &content, idle).await
}

/// Reads one frame.
pub(crate) async fn read<R: AsyncRead + Unpin>(
    reader: &mut R,
    idle: Duration,
) -> Result<(Kind, Vec<u8>), WireError> {
    let mut head = [0; HEAD_BYTES];
    read_exact(reader, &mut head, idle).await?;
    let kind = Kind::of(head[0]).ok_or(WireError::Damaged("an unknown kind of frame"))?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > CONTENT_BYTES_MAX {
        return Err(WireError::Damaged("a frame that is too long"));
    }
    let mut expected = [0; DIGEST_BYTES];
    read_exact(reader, &mut expected, idle).await?;
    let mut content = vec![0; length];
    read_exact(reader, &mut content, idle).await?;
    if digest(&head, &content) != expected {
        return Err(WireError::Damaged("a frame with a wrong checksum"));
    }
    Ok((kind, content))
}

/// Reads frames until one is not [`Kind::Working`]; it must be of `kind`.
pub(crate) async fn read_message<R: AsyncRead + Unpin, T: DeserializeOwned>(
    reader: &mut R,
    kind: Kind,
    idle: Duration,
) -> Result<T, WireError> {
    loop {
        let (found, content) = read(reader, idle).await?;
        if found == Kind::Working {
            continue;
        }
        if found != kind {
            return Err(WireError::Damaged("a frame out of turn"));
        }
        return decode(&content);
    }
}

/// Reads the message in a frame; nothing may be behind it.
pub(crate) fn decode<T: DeserializeOwned>(content: &[u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(content) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(WireError::Damaged("a message that can't be understood")),
    }
}

fn digest(head: &[u8], content: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head).update(content);
    *hasher.finalize().as_bytes()
}

async fn write_all<W: AsyncWrite + Unpin>(
    writer: &mut W,
    mut bytes: &[u8],
    idle: Duration,
) -> Result<(), WireError> {
    while !bytes.is_empty() {
        let written = tokio::time::timeout(idle, writer.write(bytes))
            .await
            .map_err(|_elapsed| WireError::Idle(idle))??;
        if written == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

async fn read_exact<R: AsyncRead + Unpin>(
    reader: &mut R,
    mut into: &mut [u8],
    idle: Duration,
) -> Result<(), WireError> {
    while !into.is_empty() {
        let read = tokio::time::timeout(idle, reader.read(into))
            .await
            .map_err(|_elapsed| WireError::Idle(idle))??;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        into = into.get_mut(read..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_millis(50);

    async fn written(kind: Kind, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, kind, content, IDLE)
            .await
            .expect("written");
        bytes
    }

    #[tokio::test]
    async fn a_frame_comes_out_as_it_went_in() {
        let bytes = written(Kind::Chunk, b"hello").await;
        let (kind, content) = read(&mut &bytes[..], IDLE).await.expect("read");
        assert_eq!((kind, content.as_slice()), (Kind::Chunk, &b"hello"[..]));
    }

    #[tokio::test]
    async fn any_flipped_byte_is_refused() {
        let bytes = written(Kind::Chunk, b"hello").await;
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert!(read(&mut &bad[..], IDLE).await.is_err(), "byte {at}");
        }
    }

    #[tokio::test]
    async fn silence_ends() {
        let (mut near, far) = tokio::io::duplex(64);
        assert!(matches!(
            read(&mut near, IDLE).await,
            Err(WireError::Idle(_))
        ));
        drop(far);
        assert!(matches!(
            read(&mut near, IDLE).await,
            Err(WireError::Broken(_))
        ));
    }

    #[tokio::test]
    async fn a_length_beyond_the_limit_allocates_nothing() {
        let bytes = [3, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(
            read(&mut &bytes[..], IDLE).await,
            Err(WireError::Damaged(_))
        ));
    }
}
