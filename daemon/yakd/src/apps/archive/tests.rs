use super::*;
use crate::apps::catalogue::ArchiveFormat;

fn version(folder: &Path, content: &[u8]) -> Version {
    let path = folder.join("tiny-1.tar.gz");
    std::fs::write(&path, content).expect("written");
    Version {
        version: "1".into(),
        sources: vec![
            Source::Mirror(folder.join("absent.tar.gz")),
            Source::Mirror(path),
        ],
        format: ArchiveFormat::TarGz,
        sha256: Sha256::digest(b"the right content").into(),
        bytes: 17,
        top: None,
    }
}

async fn get(version: &Version, folder: &Path) -> Result<File, Problem> {
    let client = client().expect("built");
    fetch(version, &client, folder, |_| {}).await
}

#[tokio::test]
async fn only_what_the_catalogue_pins_is_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = version(folder.path(), b"the right content");
    let mut text = String::new();
    let mut file = get(&good, folder.path()).await.expect("taken");
    file.read_to_string(&mut text).expect("read");
    assert_eq!(text, "the right content");
    for bad in [
        "the wrong content",
        "the right content and more",
        "short",
        "",
    ] {
        let bad = version(folder.path(), bad.as_bytes());
        let problem = get(&bad, folder.path()).await.expect_err("refused");
        assert_eq!(problem.code, ProblemCode::ArchiveChecksum);
    }
}

#[tokio::test]
async fn an_absent_archive_is_said_to_be() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut version = version(folder.path(), b"");
    version.sources.truncate(1);
    let problem = get(&version, folder.path()).await.expect_err("absent");
    assert_eq!(problem.code, ProblemCode::ArchiveUnavailable);
    assert!(
        problem.message.contains("absent.tar.gz"),
        "{}",
        problem.message
    );
}

#[tokio::test]
async fn what_is_not_https_is_not_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut version = version(folder.path(), b"");
    version.sources = vec![Source::Https("http://127.0.0.1:9/x.tar.gz".into())];
    let client = client().expect("built");
    let problem = fetch(&version, &client, folder.path(), |_| {})
        .await
        .expect_err("refused");
    assert_eq!(problem.code, ProblemCode::ArchiveUnavailable);
}

/// A web server with a certificate of its own, that gives the same answer to every request.
struct Server {
    address: String,
    client: reqwest::Client,
    tasks: hwc_runtime::lifecycle::Tasks,
}

async fn server(answer: String) -> Server {
    use tokio::io::AsyncWriteExt;
    // Another crate brings a second provider along.
    let _already_chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("a configuration");
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let certificate = reqwest::Certificate::from_der(made.cert.der()).expect("a certificate");
    let tasks = hwc_runtime::lifecycle::Tasks::new();
    tasks.spawn_until_stopped("server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = [0; 4096];
            // One read is enough for the small request of these tests.
            let _request = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await;
            let _gone = stream.write_all(answer.as_bytes()).await;
            let _gone = stream.shutdown().await;
        }
    });
    Server {
        address: format!("https://localhost:{port}/tiny-1.tar.gz"),
        client: builder()
            .tls_certs_only([certificate])
            .build()
            .expect("built"),
        tasks,
    }
}

async fn get_over_https(answer: &str) -> Result<String, Problem> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = server(answer.to_owned()).await;
    let mut version = version(folder.path(), b"");
    version.sources = vec![Source::Https(server.address.clone())];
    let got = fetch(&version, &server.client, folder.path(), |_| {}).await;
    assert!(server.tasks.stop(PAUSE_MAX).await.is_empty());
    let mut text = String::new();
    got?.read_to_string(&mut text).expect("read");
    Ok(text)
}

fn ok(content: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}",
        content.len()
    )
}

#[tokio::test]
async fn the_same_holds_over_https() {
    let good = get_over_https(&ok("the right content")).await;
    assert_eq!(good.expect("taken"), "the right content");
    for bad in ["the wrong content", "the right content and more", "short"] {
        let problem = get_over_https(&ok(bad)).await.expect_err("refused");
        assert_eq!(problem.code, ProblemCode::ArchiveChecksum, "{bad}");
    }
    for bad in [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\nthe right",
    ] {
        let problem = get_over_https(bad).await.expect_err("refused");
        assert_eq!(problem.code, ProblemCode::ArchiveUnavailable, "{bad}");
    }
}

#[tokio::test]
async fn a_server_that_can_not_prove_its_name_is_not_believed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = server(ok("the right content")).await;
    let mut version = version(folder.path(), b"");
    version.sources = vec![Source::Https(server.address.clone())];
    let stranger = client().expect("built");
    let problem = fetch(&version, &stranger, folder.path(), |_| {})
        .await
        .expect_err("refused");
    assert_eq!(problem.code, ProblemCode::ArchiveUnavailable);
}
