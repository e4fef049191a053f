//! A page of the panel that is open in a browser: its WebSocket, on which it is told what changes.

use std::fs::File;
use std::io::{PipeWriter, Read, Write};
use std::process::Child;
use std::time::Duration;

use hwc_lab::Lab;
use hwc_lab::cluster::Login;
use hwc_lab::deadline::{Deadline, wait_until};
use serde_json::Value;

/// Until it is told something, or its end.
const TOLD_LIMIT: Duration = Duration::from_secs(30);

/// An open WebSocket. Nothing is ever said on it from this side.
#[derive(Debug)]
pub struct Feed {
    program: Child,
    /// While it is open the program goes on.
    _input: PipeWriter,
    output: File,
    told: Vec<u8>,
}

impl Feed {
    /// Signs in at a node's panel, and listens to what changes.
    pub fn open(lab: &Lab, node: &str, login: &Login) -> Self {
        let panel = format!("{}:8443", lab.address(node).unwrap());
        let token = sign_in(lab, &panel, login);
        let path = std::env::temp_dir().join(format!("{}-feed", lab.id()));
        let (lines, mut input) = std::io::pipe().unwrap();
        let words = ["openssl", "s_client", "-quiet", "-connect", &panel];
        let command = lab.client_command(words).unwrap();
        let program = command.stdin_from(lines.into()).start_detached(&path);
        let output = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {panel}\r\nAuthorization: Bearer {token}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        input.write_all(request.as_bytes()).unwrap();
        let mut feed = Self {
            program: program.unwrap(),
            _input: input,
            output,
            told: Vec::new(),
        };
        feed.until("the panel's WebSocket to open", |told| {
            String::from_utf8_lossy(told).contains(" 101 Switching Protocols")
        });
        feed
    }

    /// Waits until the other side has closed it; gives the code that it gave (RFC 6455, 7.4).
    pub fn closed(mut self) -> Option<u16> {
        wait_until(
            "the panel's WebSocket to end",
            Deadline::after(TOLD_LIMIT),
            || Ok(self.program.try_wait().unwrap()),
        )
        .unwrap();
        self.output.read_to_end(&mut self.told).unwrap();
        // The last frame: close, its length, the code.
        let frames = self.told.windows(4).rev();
        let mut closes = frames.filter(|frame| frame[0] == 0x88 && frame[1] >= 2);
        closes
            .next()
            .map(|frame| u16::from_be_bytes([frame[2], frame[3]]))
    }

    /// Asserts that it is open: it goes on being told.
    pub fn is_open(&mut self) {
        let before = self.told.len();
        self.until("the panel's WebSocket to go on", |told| told.len() > before);
        assert_eq!(self.program.try_wait().unwrap(), None);
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&[u8]) -> bool) {
        wait_until(what, Deadline::after(TOLD_LIMIT), || {
            self.output.read_to_end(&mut self.told).unwrap();
            Ok(is_so(&self.told).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.told)));
    }
}

fn sign_in(lab: &Lab, panel: &str, login: &Login) -> String {
    let body = serde_json::json!({ "login": login.login, "password": login.password });
    let (body, address) = (body.to_string(), format!("https://{panel}/api/v1/session"));
    let kind = "content-type: application/json";
    let ask = ["curl", "-sk", "-H", kind, "--data", &body, &address];
    let answer = lab.client(&ask).unwrap().text();
    let session: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
    session["token"].as_str().unwrap().to_owned()
}
