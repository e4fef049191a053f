//! Visitors: so many keep-alive connections, each with one request under way at any time.

use crate::origin::{LARGE, LARGE_PATH, SMALL};
use anyhow::{Context, Result, bail, ensure};
use hwc_runtime::lifecycle::Tasks;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The name that all requests are for.
pub const HOST: &str = "shop.example";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Small,
    Large,
}

impl Size {
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    const fn path(self) -> &'static str {
        match self {
            Self::Small => "/index.php",
            Self::Large => LARGE_PATH,
        }
    }

    const fn length(self) -> usize {
        match self {
            Self::Small => SMALL,
            Self::Large => LARGE,
        }
    }
}

/// Visitors at work; they stop when dropped with the tasks that they run in.
pub struct Load {
    tasks: Tasks,
    answered: Arc<AtomicU64>,
    failure: Arc<std::sync::Mutex<Option<String>>>,
}

impl Load {
    /// Begins to ask.
    pub fn begin(parent: &Tasks, address: SocketAddr, size: Size, connections: usize) -> Self {
        let load = Self {
            tasks: parent.child(),
            answered: Arc::default(),
            failure: Arc::default(),
        };
        for _ in 0..connections {
            let answered = Arc::clone(&load.answered);
            let failure = Arc::clone(&load.failure);
            load.tasks.spawn_until_stopped("visitor", async move {
                if let Err(error) = visit(address, size, &answered).await
                    && let Ok(mut failure) = failure.lock()
                {
                    failure.get_or_insert(format!("{error:#}"));
                }
            });
        }
        load
    }

    /// Requests answered so far, rightly and whole.
    ///
    /// # Errors
    /// When one was not.
    pub fn answered(&self) -> Result<u64> {
        if let Ok(failure) = self.failure.lock()
            && let Some(failure) = failure.as_ref()
        {
            bail!("a request failed: {failure}");
        }
        Ok(self.answered.load(Ordering::Relaxed))
    }

    /// Leaves.
    pub async fn end(self) {
        self.tasks.stop(std::time::Duration::from_secs(1)).await;
    }
}

async fn visit(address: SocketAddr, size: Size, answered: &AtomicU64) -> Result<()> {
    let mut stream = TcpStream::connect(address).await.context("connect")?;
    stream.set_nodelay(true)?;
    // The fields of an ordinary browser.
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {HOST}\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
         Accept-Language: de,en-US;q=0.7,en;q=0.3\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
         Referer: http://{HOST}/\r\nConnection: keep-alive\r\n\
         Cookie: session=0123456789abcdef0123456789abcdef; seen=1\r\n\
         Upgrade-Insecure-Requests: 1\r\n\r\n",
        size.path()
    )
    .into_bytes();
    let mut answer = vec![0; 2 * LARGE];
    loop {
        stream.write_all(&request).await.context("send a request")?;
        read_answer(&mut stream, &mut answer, size).await?;
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

async fn read_answer(stream: &mut TcpStream, space: &mut [u8], size: Size) -> Result<()> {
    let mut filled = 0;
    let mut whole = None;
    while whole.is_none_or(|whole| filled < whole) {
        let count = stream.read(&mut space[filled..]).await?;
        ensure!(count > 0, "the connection ended before the answer");
        filled += count;
        if whole.is_none()
            && let Some(head) = space[..filled].windows(4).position(|w| w == b"\r\n\r\n")
        {
            ensure!(
                space.starts_with(b"HTTP/1.1 200 "),
                "{}",
                String::from_utf8_lossy(&space[..head])
            );
            whole = Some(head + 4 + size.length());
        }
    }
    ensure!(whole == Some(filled), "an answer of another length");
    Ok(())
}
