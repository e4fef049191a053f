//! Which request heads, chunk lines and trailers are well-formed, and where a body ends; pure.
//!
//! RFC 9112 with every choice that it leaves to the recipient taken the strict way: what two
//! servers could read differently is refused.

/// Greatest request line in bytes, as Apache's LimitRequestLine.
const REQUEST_LINE_MAX: usize = 8_190;
/// Greatest header line in bytes, as Apache's LimitRequestFieldSize.
const FIELD_LINE_MAX: usize = 8_190;
/// Most header lines, as Apache's LimitRequestFields.
const FIELDS_MAX: usize = 100;
/// Greatest chunk extension in bytes; nobody uses them.
const CHUNK_EXTENSION_MAX: usize = 256;
/// Fields that may not stand in a trailer: they would change what was already decided.
const FORBIDDEN_TRAILERS: [&[u8]; 6] = [
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"authorization",
    b"cookie",
    b"connection",
];

/// The status that a refused request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not HTTP as we read it.
    Malformed,
    /// The request line is too long.
    UriTooLong,
    /// The head is too long.
    HeadTooLong,
    /// Another version than 1.0 and 1.1.
    Version,
}

impl Refusal {
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::UriTooLong => 414,
            Self::HeadTooLong => 431,
            Self::Version => 505,
        }
    }
}

/// How long the body is that follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// This many bytes; 0 where there is none.
    Sized(u64),
    /// Chunks.
    Chunked,
}

/// Judges a whole head, the empty line excluded; lines end in CRLF.
pub(super) fn check_head(head: &[u8]) -> Result<Framing, Refusal> {
    let mut lines = lines(head);
    let is_http_11 = check_request_line(lines.next().unwrap_or_default())?;
    let mut length = None;
    let mut is_chunked = false;
    let mut hosts = 0;
    for (index, line) in lines.enumerate() {
        if index >= FIELDS_MAX || line.len() > FIELD_LINE_MAX {
            return Err(Refusal::HeadTooLong);
        }
        let (name, value) = check_field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            if length.is_some() {
                return Err(Refusal::Malformed);
            }
            length = Some(decimal(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::Malformed);
            }
            is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        }
    }
    if hosts > 1 || (is_http_11 && hosts == 0) {
        return Err(Refusal::Malformed);
    }
    match (is_chunked, length) {
        (true, None) if is_http_11 => Ok(Framing::Chunked),
        (true, _) => Err(Refusal::Malformed),
        (false, length) => Ok(Framing::Sized(length.unwrap_or(0))),
    }
}

/// Says whether it is HTTP/1.1.
fn check_request_line(line: &[u8]) -> Result<bool, Refusal> {
    if line.len() > REQUEST_LINE_MAX {
        return Err(Refusal::UriTooLong);
    }
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Malformed);
    };
    let is_method = !method.is_empty() && method.len() <= 32 && method.iter().all(is_token);
    let is_target = !target.is_empty() && target.iter().all(u8::is_ascii_graphic);
    if !is_method || !is_target {
        return Err(Refusal::Malformed);
    }
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        other if other.starts_with(b"HTTP/") => Err(Refusal::Version),
        _ => Err(Refusal::Malformed),
    }
}

/// One `name: value`; gives both, the value without its surrounding blanks.
fn check_field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(Refusal::Malformed)?;
    let (name, rest) = line.split_at(colon);
    let value = rest.get(1..).unwrap_or_default();
    let is_value = value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
    if name.is_empty() || !name.iter().all(is_token) || !is_value {
        return Err(Refusal::Malformed);
    }
    Ok((name, value.trim_ascii()))
}

/// The size in a chunk line, the line end excluded.
pub(super) fn check_chunk_line(line: &[u8]) -> Result<u64, Refusal> {
    let end = line
        .iter()
        .position(|byte| *byte == b';')
        .unwrap_or(line.len());
    let (digits, extension) = line.split_at(end);
    let is_extension = extension.len() <= CHUNK_EXTENSION_MAX
        && extension
            .iter()
            .all(|byte| *byte == b'\t' || (b' '..0x7f).contains(byte));
    // 15 digits hold more than any disk.
    let is_size =
        !digits.is_empty() && digits.len() <= 15 && digits.iter().all(u8::is_ascii_hexdigit);
    if !is_size || !is_extension {
        return Err(Refusal::Malformed);
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(Refusal::Malformed)
}

/// Judges one line of a trailer.
pub(super) fn check_trailer(line: &[u8]) -> Result<(), Refusal> {
    let (name, _value) = check_field(line)?;
    if FORBIDDEN_TRAILERS
        .iter()
        .any(|forbidden| name.eq_ignore_ascii_case(forbidden))
    {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

fn decimal(value: &[u8]) -> Result<u64, Refusal> {
    // 18 digits can't overflow.
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed);
    }
    Ok(value
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// The lines of a head whose line ends are all CRLF (the framer saw to that).
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(rest: &str) -> Result<Framing, Refusal> {
        check_head(format!("POST /a HTTP/1.1\r\nHost: a.example{rest}").as_bytes())
    }

    #[test]
    fn ordinary_heads_pass() {
        assert_eq!(head(""), Ok(Framing::Sized(0)));
        assert_eq!(head("\r\nContent-Length: 5"), Ok(Framing::Sized(5)));
        assert_eq!(head("\r\nTransfer-Encoding: Chunked"), Ok(Framing::Chunked));
        assert_eq!(head("\r\nX:"), Ok(Framing::Sized(0)));
        assert_eq!(head("\r\nX: \u{e9}\ta"), Ok(Framing::Sized(0)));
        assert_eq!(check_head(b"GET / HTTP/1.0"), Ok(Framing::Sized(0)));
        assert_eq!(
            check_head(b"OPTIONS * HTTP/1.1\r\nhost:"),
            Ok(Framing::Sized(0))
        );
    }

    #[test]
    fn smuggling_shapes_are_refused() {
        for rest in [
            // Two opinions on the length.
            "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            "\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
            "\r\nContent-Length: 5\r\nContent-Length: 5",
            "\r\nContent-Length: 5\r\nContent-Length: 6",
            "\r\nContent-Length: 5, 5",
            "\r\nContent-Length: +5",
            "\r\nContent-Length: 0x5",
            "\r\nContent-Length: -5",
            "\r\nContent-Length: 5 5",
            "\r\nContent-Length:",
            "\r\nContent-Length: 18446744073709551616",
            // Transfer codings that another server might read as chunked, or not.
            "\r\nTransfer-Encoding: identity",
            "\r\nTransfer-Encoding: chunked, chunked",
            "\r\nTransfer-Encoding: gzip, chunked",
            "\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "\r\nTransfer-Encoding: xchunked",
            "\r\nTransfer-Encoding: \"chunked\"",
            "\r\nTransfer-Encoding: chunked;q=1",
            "\r\nTransfer-Encoding:\u{b}chunked",
            "\r\nTransfer-Encoding : chunked",
            "\r\nTransfer-Encoding",
            "\r\n Transfer-Encoding: chunked",
            "\r\nTransfer_Encoding\0: chunked",
            // Lines that are none.
            "\r\nX: a\r\n b",
            "\r\nX: a\rb",
            "\r\nX: a\0b",
            "\r\nX: a\u{7f}b",
            "\r\n: a",
            "\r\nX\u{e9}: a",
            "\r\nX Y: a",
            "\r\nHost: b.example",
        ] {
            assert_eq!(head(rest), Err(Refusal::Malformed), "{rest:?}");
        }
        for whole in [
            "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked",
            "GET  / HTTP/1.1\r\nHost: a",
            "GET / HTTP/1.1 \r\nHost: a",
            "GET /a b HTTP/1.1\r\nHost: a",
            "GET\t/ HTTP/1.1\r\nHost: a",
            "GET / HTTP/1.1",
            "GET /\u{e9} HTTP/1.1\r\nHost: a",
            "G(T / HTTP/1.1\r\nHost: a",
            "GET / http/1.1\r\nHost: a",
            " GET / HTTP/1.1\r\nHost: a",
            "",
        ] {
            assert_eq!(
                check_head(whole.as_bytes()),
                Err(Refusal::Malformed),
                "{whole:?}"
            );
        }
        assert_eq!(check_head(b"PRI * HTTP/2.0"), Err(Refusal::Version));
    }

    #[test]
    fn long_heads_have_their_own_answers() {
        let long = "a".repeat(9_000);
        assert_eq!(
            check_head(format!("GET /{long} HTTP/1.1\r\nHost: a").as_bytes()),
            Err(Refusal::UriTooLong)
        );
        assert_eq!(head(&format!("\r\nX: {long}")), Err(Refusal::HeadTooLong));
        assert_eq!(head(&"\r\nX: a".repeat(100)), Err(Refusal::HeadTooLong));
    }

    #[test]
    fn chunk_lines() {
        assert_eq!(check_chunk_line(b"1aF"), Ok(0x1af));
        assert_eq!(check_chunk_line(b"5;name=\"value\""), Ok(5));
        for bad in [
            &b""[..],
            b"0x5",
            b"+5",
            b" 5",
            b"5 ",
            b"5 ;a",
            b"5;a\0",
            b"5;\n",
            b"-1",
            b"g",
            b"fffffffffffffffff",
        ] {
            assert_eq!(check_chunk_line(bad), Err(Refusal::Malformed), "{bad:?}");
        }
        assert!(check_chunk_line(&[b"5;".as_slice(), &[b'a'; 300]].concat()).is_err());
    }

    #[test]
    fn trailers_can_not_change_what_was_decided() {
        assert_eq!(check_trailer(b"X-Checksum: 5"), Ok(()));
        for bad in ["Content-Length: 5", "HOST: b", "Authorization: x", "x"] {
            assert!(check_trailer(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
