//! A small MySQL client that sees packets: capabilities as one likes, both ends of a result, raw
//! bytes where a test wants to be rude.

use bytes::{Buf, BytesMut};
use sha1::{Digest, Sha1};
use std::io;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Capabilities that every session of this client asks for: long flag, protocol 4.1, transactions,
/// secure connection, multi-results, authentication by plugins.
const BASIC: u32 = 0x000a_a205;
pub const MULTI_STATEMENTS: u32 = 1 << 16;
pub const LOCAL_FILES: u32 = 1 << 7;
pub const DEPRECATE_EOF: u32 = 1 << 24;
pub const SESSION_TRACK: u32 = 1 << 23;
const WITH_DATABASE: u32 = 1 << 3;

pub const IN_TRANSACTION: u16 = 1;
pub const MORE_RESULTS: u16 = 8;
pub const CURSOR_EXISTS: u16 = 0x40;
pub const LAST_ROW_SENT: u16 = 0x80;

/// An error that the server, or the door, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    pub code: u16,
    pub state: String,
    pub message: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    Told(SqlError),
    Broken(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Failure {
    /// The code that was told; 0 for a connection that ended.
    pub fn code(&self) -> u16 {
        match self {
            Self::Told(error) => error.code,
            Self::Broken(_) => 0,
        }
    }
}

/// What one statement gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Text of each value; NULL as none. Rows of the binary protocol come as one value of raw bytes.
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
    pub affected: u64,
    pub insert_id: u64,
    pub status: u16,
}

impl Reply {
    /// Rows as a text: columns by tabs, rows by newlines.
    pub fn text(&self) -> String {
        let value = |value: &Option<Vec<u8>>| match value {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => "NULL".to_owned(),
        };
        let rows = self.rows.iter();
        rows.map(|row| row.iter().map(value).collect::<Vec<_>>().join("\t"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    pub id: u32,
    pub columns: u16,
    pub parameters: u16,
}

/// One session.
pub struct Sql {
    pub stream: UnixStream,
    buffer: BytesMut,
    pub capabilities: u32,
    /// Of the last packet, either way.
    pub sequence: u8,
    nonce: Vec<u8>,
}

fn scramble(password: &str, nonce: &[u8]) -> Vec<u8> {
    let once = Sha1::digest(password.as_bytes());
    let twice = Sha1::digest(once);
    let mask = Sha1::new()
        .chain_update(nonce)
        .chain_update(twice)
        .finalize();
    once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
}

impl Sql {
    pub async fn connect(path: &Path, user: &str, password: &str) -> Result<Self, Failure> {
        Self::connect_with(path, user, password, 0).await
    }

    pub async fn connect_with(
        path: &Path,
        user: &str,
        password: &str,
        capabilities: u32,
    ) -> Result<Self, Failure> {
        let stream = UnixStream::connect(path).await?;
        let mut sql = Self {
            stream,
            buffer: BytesMut::new(),
            capabilities: BASIC | WITH_DATABASE | capabilities,
            sequence: 0,
            nonce: Vec::new(),
        };
        let greeting = sql.packet().await?;
        let version = greeting.iter().position(|b| *b == 0).expect("a version");
        let rest = &greeting[version + 1 + 4..];
        sql.nonce = [&rest[..8], &rest[27..39]].concat();
        let mut login = sql.capabilities.to_le_bytes().to_vec();
        login.extend_from_slice(&(1_u32 << 24).to_le_bytes());
        login.push(45);
        login.extend_from_slice(&[0; 23]);
        login.extend_from_slice(user.as_bytes());
        login.push(0);
        login.push(20);
        login.extend_from_slice(&scramble(password, &sql.nonce));
        login.extend_from_slice(b"shop\0mysql_native_password\0");
        sql.send(&login).await?;
        sql.finish_login(password).await?;
        Ok(sql)
    }

    async fn finish_login(&mut self, password: &str) -> Result<(), Failure> {
        loop {
            let packet = self.packet().await?;
            match packet[0] {
                0 => return Ok(()),
                0xfe => {
                    let name = packet.iter().position(|b| *b == 0).expect("a plugin");
                    self.nonce = packet[name + 1..name + 21].to_vec();
                    let answer = scramble(password, &self.nonce);
                    self.send(&answer).await?;
                }
                _ => return Err(Failure::Told(error(&packet))),
            }
        }
    }

    /// The next packet's payload; those of 16 MiB and more put together.
    pub async fn packet(&mut self) -> io::Result<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            while self.buffer.len() < 4 {
                self.fill().await?;
            }
            let length = usize::from(self.buffer[0])
                | usize::from(self.buffer[1]) << 8
                | usize::from(self.buffer[2]) << 16;
            self.sequence = self.buffer[3];
            self.buffer.advance(4);
            while self.buffer.len() < length {
                self.fill().await?;
            }
            payload.extend_from_slice(&self.buffer.split_to(length));
            if length < 0xff_ffff {
                return Ok(payload);
            }
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buffer.reserve(64 * 1024);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Sends the next packet of an exchange, in pieces of 16 MiB where it is longer.
    pub async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut rest = payload;
        loop {
            let (piece, after) = rest.split_at(rest.len().min(0xff_ffff));
            self.sequence = self.sequence.wrapping_add(1);
            let length = u32::try_from(piece.len()).expect("24 bits").to_le_bytes();
            let head = [length[0], length[1], length[2], self.sequence];
            self.stream.write_all(&[&head, piece].concat()).await?;
            if piece.len() < 0xff_ffff {
                return Ok(());
            }
            rest = after;
        }
    }

    /// Begins a command.
    pub async fn command(&mut self, code: u8, payload: &[u8]) -> io::Result<()> {
        self.sequence = 255;
        self.send(&[&[code], payload].concat()).await
    }

    /// One statement with one result.
    pub async fn query(&mut self, statement: &str) -> Result<Reply, Failure> {
        self.command(3, statement.as_bytes()).await?;
        self.reply().await
    }

    /// One statement's rows as text.
    pub async fn text(&mut self, statement: &str) -> String {
        match self.query(statement).await {
            Ok(reply) => reply.text(),
            Err(failure) => panic!("{statement}: {failure:?}"),
        }
    }

    /// Reads one result. Its status tells whether another follows.
    pub async fn reply(&mut self) -> Result<Reply, Failure> {
        let first = self.packet().await?;
        match first[0] {
            0 => Ok(ok(&first)),
            0xff => Err(Failure::Told(error(&first))),
            0xfb => panic!("a file is asked for"),
            _ => {
                let (columns, _) = number(&first);
                self.rows(columns, true).await
            }
        }
    }

    /// Reads column definitions and rows.
    pub async fn rows(&mut self, columns: u64, has_text: bool) -> Result<Reply, Failure> {
        for _ in 0..columns {
            self.packet().await?;
        }
        if self.capabilities & DEPRECATE_EOF == 0 {
            let end = self.packet().await?;
            assert_eq!((end[0], end.len()), (0xfe, 5));
            let status = u16::from_le_bytes([end[3], end[4]]);
            if status & CURSOR_EXISTS != 0 {
                return Ok(Reply {
                    status,
                    ..Reply::default()
                });
            }
        }
        self.rest_of_rows(has_text).await
    }

    /// Reads rows up to their end.
    pub async fn rest_of_rows(&mut self, has_text: bool) -> Result<Reply, Failure> {
        let mut rows = Vec::new();
        loop {
            let packet = self.packet().await?;
            match packet.first() {
                Some(0xff) => return Err(Failure::Told(error(&packet))),
                Some(0xfe) if packet.len() < 9 && self.capabilities & DEPRECATE_EOF == 0 => {
                    let status = u16::from_le_bytes([packet[3], packet[4]]);
                    return Ok(Reply {
                        rows,
                        status,
                        ..Reply::default()
                    });
                }
                Some(0xfe)
                    if packet.len() < 0xff_ffff && self.capabilities & DEPRECATE_EOF != 0 =>
                {
                    return Ok(Reply {
                        rows,
                        ..ok(&packet)
                    });
                }
                _ if has_text => rows.push(values(&packet)),
                _ => rows.push(vec![Some(packet)]),
            }
        }
    }

    /// Prepares a statement.
    pub async fn prepare(&mut self, statement: &str) -> Result<Prepared, Failure> {
        self.command(0x16, statement.as_bytes()).await?;
        let head = self.packet().await?;
        if head[0] == 0xff {
            return Err(Failure::Told(error(&head)));
        }
        let prepared = Prepared {
            id: u32::from_le_bytes([head[1], head[2], head[3], head[4]]),
            columns: u16::from_le_bytes([head[5], head[6]]),
            parameters: u16::from_le_bytes([head[7], head[8]]),
        };
        let ends = self.capabilities & DEPRECATE_EOF == 0;
        for count in [prepared.parameters, prepared.columns] {
            for _ in 0..count + u16::from(ends && count > 0) {
                self.packet().await?;
            }
        }
        Ok(prepared)
    }

    /// Executes with parameters of type BIGINT; `types` whether to send the types along.
    pub async fn execute(
        &mut self,
        statement: Prepared,
        parameters: &[i64],
        sends_types: bool,
        cursor: u8,
    ) -> Result<Reply, Failure> {
        let mut payload = statement.id.to_le_bytes().to_vec();
        payload.push(cursor);
        payload.extend_from_slice(&1_u32.to_le_bytes());
        if !parameters.is_empty() {
            payload.extend(vec![0; parameters.len().div_ceil(8)]);
            payload.push(u8::from(sends_types));
            if sends_types {
                payload.extend([8, 0].repeat(parameters.len()));
            }
            for value in parameters {
                payload.extend_from_slice(&value.to_le_bytes());
            }
        }
        self.command(0x17, &payload).await?;
        let first = self.packet().await?;
        match first[0] {
            0 => Ok(ok(&first)),
            0xff => Err(Failure::Told(error(&first))),
            _ => {
                let (columns, _) = number(&first);
                self.rows(columns, false).await
            }
        }
    }

    /// Says goodbye.
    pub async fn quit(mut self) {
        let _gone = self.command(1, &[]).await;
    }

    /// COM_CHANGE_USER with an answer to the nonce that is known from the login.
    pub async fn change_user(&mut self, user: &str, password: &str) -> Result<(), Failure> {
        let mut payload = user.as_bytes().to_vec();
        payload.extend_from_slice(&[0, 20]);
        payload.extend_from_slice(&scramble(password, &self.nonce));
        payload.extend_from_slice(b"shop\0");
        payload.extend_from_slice(&45_u16.to_le_bytes());
        payload.extend_from_slice(b"mysql_native_password\0");
        self.command(0x11, &payload).await?;
        self.finish_login(password).await
    }
}

/// The number in a row of the binary protocol with one INT or BIGINT.
pub fn binary_number(reply: &Reply) -> i64 {
    let row = reply.rows[0][0].as_ref().expect("a row");
    let mut bytes = [0; 8];
    bytes[..row.len() - 2].copy_from_slice(&row[2..]);
    i64::from_le_bytes(bytes)
}

fn ok(packet: &[u8]) -> Reply {
    let (affected, rest) = number(&packet[1..]);
    let (insert_id, rest) = number(rest);
    Reply {
        rows: Vec::new(),
        affected,
        insert_id,
        status: u16::from_le_bytes([rest[0], rest[1]]),
    }
}

fn error(packet: &[u8]) -> SqlError {
    let code = u16::from_le_bytes([packet[1], packet[2]]);
    let rest = &packet[3..];
    let (state, message) = match rest.strip_prefix(b"#") {
        Some(rest) => rest.split_at(5),
        None => rest.split_at(0),
    };
    SqlError {
        code,
        state: String::from_utf8_lossy(state).into_owned(),
        message: String::from_utf8_lossy(message).into_owned(),
    }
}

fn values(mut row: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut values = Vec::new();
    while let Some(first) = row.first() {
        if *first == 0xfb {
            values.push(None);
            row = &row[1..];
            continue;
        }
        let (length, rest) = number(row);
        let (value, rest) = rest.split_at(usize::try_from(length).expect("small"));
        values.push(Some(value.to_vec()));
        row = rest;
    }
    values
}

fn number(bytes: &[u8]) -> (u64, &[u8]) {
    let size = match bytes[0] {
        short @ 0..=250 => return (short.into(), &bytes[1..]),
        0xfc => 2,
        0xfd => 3,
        _ => 8,
    };
    let mut full = [0; 8];
    full[..size].copy_from_slice(&bytes[1..=size]);
    (u64::from_le_bytes(full), &bytes[1 + size..])
}
