//! A stream that breaks when its peer is removed from the cluster.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

type Cut = Pin<Box<WaitForCancellationFutureOwned>>;

/// Passes everything through until it is cut; then every read and write fails.
pub(super) struct Guarded<S> {
    stream: S,
    // One each, because reading and writing may be done by two tasks, and each must be woken.
    cut_for_reader: Cut,
    cut_for_writer: Cut,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, cut: CancellationToken) -> Self {
        Self {
            stream,
            cut_for_reader: Box::pin(cut.clone().cancelled_owned()),
            cut_for_writer: Box::pin(cut.cancelled_owned()),
        }
    }
}

fn check(cut: &mut Cut, context: &mut Context<'_>) -> io::Result<()> {
    match cut.as_mut().poll(context) {
        Poll::Pending => Ok(()),
        Poll::Ready(()) => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the node was removed from the cluster",
        )),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        check(&mut self.cut_for_reader, context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        check(&mut self.cut_for_writer, context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        check(&mut self.cut_for_writer, context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        check(&mut self.cut_for_writer, context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_the_cut() {
        let (near, mut far) = tokio::io::duplex(64);
        let cut = CancellationToken::new();
        let mut guarded = Guarded::new(near, cut.clone());
        far.write_all(b"x").await.expect("written");
        assert_eq!(guarded.read_u8().await.expect("read"), b'x');
        let (read, ()) = tokio::join!(guarded.read_u8(), async { cut.cancel() });
        assert_eq!(
            read.expect_err("cut").kind(),
            io::ErrorKind::ConnectionAborted
        );
        assert!(guarded.write_all(b"y").await.is_err());
    }
}
