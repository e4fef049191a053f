//! The web server behind all proxies: as little work for an answer as can be, so that the proxies
//! are what is measured.

use hwc_runtime::lifecycle::Tasks;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Body of the small answer, bytes.
pub const SMALL: usize = 120;
/// Body of the large answer, bytes.
pub const LARGE: usize = 64 * 1024;
/// Path of the large answer; every other gets the small one.
pub const LARGE_PATH: &str = "/64k";

struct Answers {
    small: Vec<u8>,
    large: Vec<u8>,
}

/// Serves until it is ended; says where on standard output.
pub async fn run(tasks: &Tasks) -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    crate::process::say(listener.local_addr()?)?;
    let answers = Arc::new(Answers {
        small: answer(SMALL),
        large: answer(LARGE),
    });
    loop {
        let (stream, _) = listener.accept().await?;
        let answers = Arc::clone(&answers);
        tasks.spawn("connection", async move {
            // The other side closes when it likes.
            let _closed = serve(stream, &answers).await;
        });
    }
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        // One request at a time, none with a body.
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let large = format!("GET {LARGE_PATH} ");
        let answer = if line.starts_with(large.as_bytes()) {
            &answers.large
        } else {
            &answers.small
        };
        head.clear();
        stream.write_all(answer).await?;
    }
}

/// An answer with fields such as a PHP page's.
fn answer(length: usize) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nServer: Apache\r\n\
         Cache-Control: no-cache, must-revalidate, max-age=0\r\nX-Powered-By: PHP/8.4.11\r\n\
         Vary: Accept-Encoding\r\nContent-Type: text/html; charset=UTF-8\r\n\
         Content-Length: {length}\r\nKeep-Alive: timeout=5, max=100\r\nConnection: Keep-Alive\r\n\r\n"
    )
    .into_bytes();
    answer.resize(answer.len() + length, b'x');
    answer
}
