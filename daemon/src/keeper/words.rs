//! What keeper and daemon say to each other: short messages over a pair of sockets, some with a
//! socket along. They are of one build, or of two that follow each other: a word that is not known
//! is passed over.

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Longest message: the names of all sockets.
const WORD_BYTES_MAX: usize = 1_024;
/// Most sockets in one message; the unit's `FileDescriptorStoreMax` is the same.
pub const SOCKETS_MAX: usize = 16;

/// What the daemon says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It does its work.
    Ready,
    /// It is about to end.
    Stopping,
    /// It has given up everything but visitors' connections.
    Ended,
    /// The socket that comes along is to be kept under this name.
    Keep(String),
    /// What is kept under this name is not needed any more.
    Forget(String),
}

impl Word {
    fn encode(&self) -> String {
        match self {
            Self::Ready => "ready".to_owned(),
            Self::Stopping => "stopping".to_owned(),
            Self::Ended => "ended".to_owned(),
            Self::Keep(name) => format!("keep {name}"),
            Self::Forget(name) => format!("forget {name}"),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        Some(match text.split_once(' ') {
            None if text == "ready" => Self::Ready,
            None if text == "stopping" => Self::Stopping,
            None if text == "ended" => Self::Ended,
            Some(("keep", name)) => Self::Keep(name.to_owned()),
            Some(("forget", name)) => Self::Forget(name.to_owned()),
            None | Some(_) => return None,
        })
    }
}

/// A word, and the socket that came along.
#[derive(Debug)]
pub struct Heard {
    /// What was said.
    pub word: Word,
    /// What came with it.
    pub socket: Option<OwnedFd>,
}

/// Says a word, with a socket along.
///
/// # Errors
/// When the other side is gone.
pub fn say(channel: impl AsFd, word: &Word, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let sockets: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
    send(channel, word.encode().as_bytes(), &sockets)
}

/// Waits for the next word; none when the other side is gone.
///
/// # Errors
/// When the channel fails.
pub fn hear(channel: impl AsFd) -> io::Result<Option<Heard>> {
    loop {
        let (bytes, mut sockets) = receive(&channel)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let word = std::str::from_utf8(&bytes).ok().and_then(Word::decode);
        if let Some(word) = word {
            let socket = sockets.pop();
            return Ok(Some(Heard { word, socket }));
        }
    }
}

/// Gives the daemon the sockets that were kept, as the first message to it.
///
/// # Errors
/// When they are too many, or can't be sent.
pub fn hand_over(channel: impl AsFd, kept: &[(String, OwnedFd)]) -> io::Result<()> {
    let kept = kept.get(..SOCKETS_MAX).unwrap_or(kept);
    let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
    let sockets: Vec<BorrowedFd<'_>> = kept.iter().map(|(_, socket)| socket.as_fd()).collect();
    // A message of no bytes would say that the other side is gone.
    let text = format!("sockets {}", names.join(" "));
    send(channel, text.as_bytes(), &sockets)
}

/// The daemon's side of [`hand_over`].
///
/// # Errors
/// When the first message is another, or none comes.
pub fn take_over(channel: impl AsFd) -> io::Result<Vec<(String, OwnedFd)>> {
    let (bytes, sockets) = receive(channel)?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let Some(names) = text.strip_prefix("sockets ") else {
        return Err(io::Error::other("this is not said by a keeper"));
    };
    let names: Vec<&str> = names.split(' ').filter(|name| !name.is_empty()).collect();
    if names.len() != sockets.len() {
        return Err(io::Error::other("names and sockets differ in number"));
    }
    let names = names.into_iter().map(str::to_owned);
    Ok(names.zip(sockets).collect())
}

fn send(channel: impl AsFd, bytes: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !along.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::other("too many sockets for one message"));
    }
    let sent = sendmsg(
        channel,
        &[IoSlice::new(bytes)],
        &mut along,
        SendFlags::NOSIGNAL,
    )?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

fn receive(channel: impl AsFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; WORD_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut along = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut room = [IoSliceMut::new(&mut bytes)];
        match recvmsg(&channel, &mut room, &mut along, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            // A process that ended without reading resets the pair.
            Err(Errno::CONNRESET) => return Ok((Vec::new(), Vec::new())),
            received => break received?.bytes,
        }
    };
    bytes.truncate(received);
    let mut sockets = Vec::new();
    for message in along.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            sockets.extend(some);
        }
    }
    Ok((bytes, sockets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::net::TcpListener;

    fn pair() -> (OwnedFd, OwnedFd) {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        socketpair(family, kind, SocketFlags::CLOEXEC, None).expect("a pair")
    }

    #[test]
    fn words_arrive_one_by_one_and_with_their_sockets() {
        let (keeper, daemon) = pair();
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let keep = Word::Keep("http".to_owned());
        say(&daemon, &Word::Ready, None).expect("said");
        say(&daemon, &keep, Some(socket.as_fd())).expect("said");
        send(&daemon, b"whatever", &[]).expect("said");
        say(&daemon, &Word::Ended, None).expect("said");
        drop(daemon);
        let first = hear(&keeper).expect("heard").expect("a word");
        assert_eq!(first.word, Word::Ready);
        assert!(first.socket.is_none());
        let second = hear(&keeper).expect("heard").expect("a word");
        assert_eq!(second.word, keep);
        let copy = TcpListener::from(second.socket.expect("a socket"));
        assert_eq!(copy.local_addr().ok(), socket.local_addr().ok());
        let third = hear(&keeper).expect("heard").expect("a word");
        assert_eq!(third.word, Word::Ended);
        assert!(hear(&keeper).expect("heard").is_none());
    }

    #[test]
    fn what_was_kept_is_handed_over_by_name() {
        let (keeper, daemon) = pair();
        let sockets = ["http", "mysql-socket"].map(|name| {
            let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
            (name.to_owned(), OwnedFd::from(socket))
        });
        hand_over(&keeper, &sockets).expect("handed over");
        let taken = take_over(&daemon).expect("taken over");
        let names: Vec<_> = taken.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["http", "mysql-socket"]);
        hand_over(&keeper, &[]).expect("handed over");
        assert!(take_over(&daemon).expect("taken over").is_empty());
        say(&keeper, &Word::Ready, None).expect("said");
        assert!(take_over(&daemon).is_err());
        drop(keeper);
        assert!(take_over(&daemon).is_err());
    }

    #[test]
    fn every_word_is_understood() {
        for word in [
            Word::Ready,
            Word::Stopping,
            Word::Ended,
            Word::Keep("a".to_owned()),
            Word::Forget("b".to_owned()),
        ] {
            assert_eq!(Word::decode(&word.encode()), Some(word));
        }
        assert_eq!(Word::decode("end"), None);
        assert_eq!(Word::decode("drop http"), None);
    }
}
