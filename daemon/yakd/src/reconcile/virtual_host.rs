//! Whether Apache has a site's virtual host: asked of Apache itself, for a daemon that has just begun
//! and does not know yet what Apache has read.
//!
//! The page of an empty site is Apache's own file in every virtual host, so no program of the site
//! runs for the question. The default host, which answers for names that belong to no site, has
//! nothing but 404.

use hwc_api::names::DomainName;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest time for one answer; Apache usually takes a millisecond.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// `HTTP/1.1 404`: as much as is read of an answer.
const STATUS_LENGTH: usize = 12;

/// Whether Apache at this address answers for the domain. No answer is no.
pub(super) async fn is_loaded(apache: SocketAddr, domain: &DomainName) -> bool {
    let status = tokio::time::timeout(ANSWER_LIMIT, ask(apache, domain)).await;
    matches!(status, Ok(Ok(status)) if status.starts_with(b"HTTP/") && !status.ends_with(b" 404"))
}

async fn ask(apache: SocketAddr, domain: &DomainName) -> io::Result<[u8; STATUS_LENGTH]> {
    let mut stream = TcpStream::connect(apache).await?;
    let question = format!(
        "HEAD /hwc-empty-site.html HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        domain.as_str()
    );
    stream.write_all(question.as_bytes()).await?;
    let mut status = [0; STATUS_LENGTH];
    stream.read_exact(&mut status).await?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answer(listener: TcpListener, status: &str) {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut question = [0; 1024];
            let length = stream.read(&mut question).await.expect("a question");
            let question = String::from_utf8_lossy(&question[..length]).into_owned();
            assert!(
                question.contains("\r\nHost: shop.example\r\n"),
                "{question}"
            );
            let answer = format!("{status}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.expect("answered");
        }
    }

    async fn check(status: &str, expected: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let apache = listener.local_addr().expect("an address");
        let domain = DomainName::parse("shop.example").expect("a domain");
        let is_loaded = tokio::select! {
            is_loaded = is_loaded(apache, &domain) => is_loaded,
            () = answer(listener, status) => false,
        };
        assert_eq!(is_loaded, expected, "{status}");
    }

    #[tokio::test]
    async fn any_answer_but_the_default_hosts_means_that_the_site_is_known() {
        check("HTTP/1.1 200 OK", true).await;
        // A suspended site.
        check("HTTP/1.1 503 Service Unavailable", true).await;
        check("HTTP/1.1 404 Not Found", false).await;
        check("SSH-2.0-OpenSSH_10.0", false).await;
    }

    #[tokio::test]
    async fn an_apache_that_is_down_knows_no_site() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let apache = listener.local_addr().expect("an address");
        drop(listener);
        let domain = DomainName::parse("shop.example").expect("a domain");
        assert!(!is_loaded(apache, &domain).await);
    }
}
