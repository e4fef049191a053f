//! The proxies that ours is held against, as Debian ships them: one worker each, keep-alive on both
//! sides, the same fields added as ours adds.

use crate::load::HOST;
use anyhow::{Context, Result};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Haproxy,
    Nginx,
    Apache,
}

/// How one is started.
pub struct Recipe {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub address: SocketAddr,
}

impl Peer {
    pub const ALL: [Self; 3] = [Self::Haproxy, Self::Nginx, Self::Apache];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Apache => "apache",
        }
    }

    pub fn program(self) -> PathBuf {
        PathBuf::from(match self {
            Self::Haproxy => "/usr/sbin/haproxy",
            Self::Nginx => "/usr/sbin/nginx",
            Self::Apache => "/usr/sbin/apache2",
        })
    }

    /// Writes its configuration into a folder of its own.
    pub fn prepare(self, folder: &Path, origin: SocketAddr) -> Result<Recipe> {
        let folder = folder.join(self.name());
        std::fs::create_dir_all(&folder)?;
        let address = free_address()?;
        let file = folder.join("config");
        let content = match self {
            Self::Haproxy => haproxy(address, origin),
            Self::Nginx => nginx(address, origin, &folder),
            Self::Apache => apache(address, origin, &folder),
        };
        std::fs::write(&file, content)?;
        let file = file.to_str().context("a path in UTF-8")?.to_owned();
        let folder = folder.to_str().context("a path in UTF-8")?.to_owned();
        let words: Vec<String> = match self {
            Self::Haproxy => vec!["-db".into(), "-q".into(), "-f".into(), file],
            Self::Nginx => vec!["-p".into(), folder, "-c".into(), file],
            Self::Apache => vec!["-DFOREGROUND".into(), "-f".into(), file],
        };
        Ok(Recipe {
            program: self.program(),
            arguments: words,
            address,
        })
    }
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}

fn haproxy(address: SocketAddr, origin: SocketAddr) -> String {
    format!(
        "global\n  nbthread 1\n  maxconn 4000\n\
         defaults\n  mode http\n  option http-keep-alive\n  http-reuse always\n\
         \x20 timeout connect 5s\n  timeout client 30s\n  timeout server 330s\n\
         \x20 timeout http-request 10s\n  timeout http-keep-alive 10s\n\
         frontend door\n  bind {address}\n  option forwardfor\n\
         \x20 http-request set-header X-Forwarded-Proto http\n\
         \x20 http-request set-header X-Forwarded-Host %[req.hdr(host)]\n\
         \x20 acl known hdr(host) -i {HOST}\n  use_backend site if known\n\
         backend site\n  server origin {origin} pool-purge-delay 4s\n"
    )
}

fn nginx(address: SocketAddr, origin: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n\
         \x20 client_body_temp_path {folder}/body;\n  proxy_temp_path {folder}/proxy;\n\
         \x20 fastcgi_temp_path {folder}/fastcgi;\n  uwsgi_temp_path {folder}/uwsgi;\n\
         \x20 scgi_temp_path {folder}/scgi;\n\
         \x20 upstream site {{ server {origin}; keepalive 128; keepalive_requests 1000000000; }}\n\
         \x20 server {{\n    listen {address};\n    server_name {HOST};\n    location / {{\n\
         \x20     proxy_pass http://site;\n      proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n      proxy_set_header Host $host;\n\
         \x20     proxy_set_header X-Forwarded-For $remote_addr;\n\
         \x20     proxy_set_header X-Forwarded-Proto $scheme;\n\
         \x20     proxy_set_header X-Forwarded-Host $host;\n    }}\n  }}\n}}\n"
    )
}

fn apache(address: SocketAddr, origin: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    let modules: String = ["mpm_event", "authz_core", "headers", "proxy", "proxy_http"]
        .iter()
        .map(|module| {
            format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
        })
        .collect();
    format!(
        "{modules}ServerRoot {folder}\nPidFile {folder}/pid\nErrorLog {folder}/error.log\n\
         DefaultRuntimeDir {folder}\nUser www-data\nGroup www-data\n\
         ServerName {HOST}\nListen {address}\nServerLimit 1\nStartServers 1\n\
         ThreadsPerChild 150\nThreadLimit 150\nMinSpareThreads 1\nMaxSpareThreads 150\n\
         MaxRequestWorkers 150\nMaxConnectionsPerChild 0\nKeepAlive On\nMaxKeepAliveRequests 0\n\
         KeepAliveTimeout 10\nProxyPass / http://{origin}/ keepalive=On\n\
         ProxyPreserveHost On\nProxyAddHeaders On\nRequestHeader set X-Forwarded-Proto http\n"
    )
}
