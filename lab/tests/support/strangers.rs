//! Those who come anew, thirty times a second to every door of every node.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hwc_lab::Lab;
use hwc_lab::load::enter;

/// At work, on a thread of their own.
#[derive(Debug)]
pub struct Strangers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Strangers {
    pub fn start(lab: &Lab) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let addresses: Vec<_> = lab.nodes().iter().map(|node| node.address()).collect();
        let doors: Vec<_> = addresses
            .into_iter()
            .flat_map(|node| [80, 443, 8443].map(|port| SocketAddr::from((node, port))))
            .collect();
        let (namespace, until) = (namespace(lab), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            enter(&namespace).unwrap();
            let mut refused = Vec::new();
            while !until.load(Ordering::SeqCst) {
                for door in &doors {
                    match TcpStream::connect_timeout(door, Duration::from_secs(5)) {
                        Ok(_met) => {}
                        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                            refused.push(format!("{door}"));
                        }
                        Err(error) => refused.push(format!("{door}: {error}")),
                    }
                }
                std::thread::sleep(Duration::from_millis(33));
            }
            refused
        });
        Self { stop, thread }
    }

    /// Those who were turned away.
    pub fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// The network that visitors come from.
pub fn namespace(lab: &Lab) -> PathBuf {
    Path::new("/run/netns").join(lab.id().namespace("client"))
}

/// Connections that are open and ask for nothing.
pub fn idle(lab: &Lab, door: SocketAddr, count: usize) -> Vec<TcpStream> {
    let namespace = namespace(lab);
    let connecting = std::thread::spawn(move || {
        enter(&namespace).unwrap();
        let one = |_| TcpStream::connect_timeout(&door, Duration::from_secs(5)).unwrap();
        (0..count).map(one).collect()
    });
    connecting.join().unwrap()
}
