//! Which heads, chunk lines and trailers are well-formed, and where a body ends; pure.
//!
//! RFC 9112 with every choice that it leaves to the recipient taken the strict way: what two
//! servers could read differently is refused, for that difference is request smuggling.
//!
//! Every byte of every head passes here: loops over bytes are without branches where they can be, so
//! that the compiler makes them look at many bytes at once.

use memchr::memchr;

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

/// Why a request is refused.
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

/// How long the body is that follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// This many bytes; 0 where there is none.
    Sized(u64),
    /// Chunks.
    Chunked,
    /// Everything until the connection ends; answers only.
    UntilEnd,
}

/// The first line of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub method: &'a str,
    pub target: &'a str,
    /// HTTP/1.1; otherwise 1.0.
    pub is_http_11: bool,
}

/// The first line of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusLine {
    pub status: u16,
    /// HTTP/1.1; otherwise 1.0.
    pub is_http_11: bool,
}

/// Finds the end of a head, its empty line included, and looks only at what it has not seen:
/// `scanned` bytes are known to be whole lines without it.
pub(super) fn find_end(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, Refusal> {
    loop {
        let rest = bytes.get(*scanned..).unwrap_or_default();
        let Some(found) = memchr(b'\n', rest) else {
            return Ok(None);
        };
        let line = rest.get(..found).unwrap_or_default();
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(Refusal::Malformed);
        };
        *scanned += found + 1;
        if line.is_empty() {
            return Ok(Some(*scanned));
        }
    }
}

/// Judges the whole head of a request, the empty line excluded; lines end in CRLF. `field` is
/// given each field's name and value.
pub(super) fn read_request<'a>(
    head: &'a [u8],
    mut field: impl FnMut(&'a [u8], &'a [u8]),
) -> Result<(RequestLine<'a>, Framing), Refusal> {
    let mut lines = lines(head);
    let line = request_line(lines.next().unwrap_or_default())?;
    let mut hosts = 0;
    let framing = read_fields(lines, |name, value| {
        hosts += usize::from(name.eq_ignore_ascii_case(b"host"));
        field(name, value);
    })?;
    if hosts > 1 || (line.is_http_11 && hosts == 0) {
        return Err(Refusal::Malformed);
    }
    match framing {
        Some(Framing::Chunked) if !line.is_http_11 => Err(Refusal::Malformed),
        framing => Ok((line, framing.unwrap_or(Framing::Sized(0)))),
    }
}

/// Judges the whole head of an answer in the same way. Where a request without a length has no
/// body, an answer's goes on until the connection ends.
pub(super) fn read_answer<'a>(
    head: &'a [u8],
    field: impl FnMut(&'a [u8], &'a [u8]),
) -> Result<(StatusLine, Framing), Refusal> {
    let mut lines = lines(head);
    let line = status_line(lines.next().unwrap_or_default())?;
    let framing = read_fields(lines, field)?;
    Ok((line, framing.unwrap_or(Framing::UntilEnd)))
}

/// Reads the fields of a head and what they say of the body's length, if they do.
fn read_fields<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    mut field: impl FnMut(&'a [u8], &'a [u8]),
) -> Result<Option<Framing>, Refusal> {
    let mut length = None;
    let mut is_chunked = false;
    for (index, line) in lines.enumerate() {
        if index >= FIELDS_MAX || line.len() > FIELD_LINE_MAX {
            return Err(Refusal::HeadTooLong);
        }
        let (name, value) = read_field(line)?;
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
        }
        field(name, value);
    }
    match (is_chunked, length) {
        (true, None) => Ok(Some(Framing::Chunked)),
        (true, Some(_)) => Err(Refusal::Malformed),
        (false, length) => Ok(length.map(Framing::Sized)),
    }
}

fn request_line(line: &[u8]) -> Result<RequestLine<'_>, Refusal> {
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
    let is_target = !target.is_empty() && all(target, |byte| byte.is_ascii_graphic());
    if !is_method || !is_target {
        return Err(Refusal::Malformed);
    }
    let is_http_11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        other if other.starts_with(b"HTTP/") => return Err(Refusal::Version),
        _ => return Err(Refusal::Malformed),
    };
    Ok(RequestLine {
        method: ascii(method)?,
        target: ascii(target)?,
        is_http_11,
    })
}

fn status_line(line: &[u8]) -> Result<StatusLine, Refusal> {
    let (version, rest) = line.split_at_checked(9).ok_or(Refusal::Malformed)?;
    let is_http_11 = match version {
        b"HTTP/1.1 " => true,
        b"HTTP/1.0 " => false,
        _ => return Err(Refusal::Malformed),
    };
    let (digits, reason) = rest.split_at_checked(3).ok_or(Refusal::Malformed)?;
    let is_reason = reason.is_empty() || reason.starts_with(b" ");
    if !is_reason || !digits.iter().all(u8::is_ascii_digit) || digits < b"100".as_slice() {
        return Err(Refusal::Malformed);
    }
    let digit = |sum: u16, digit: &u8| sum * 10 + u16::from(digit - b'0');
    Ok(StatusLine {
        status: digits.iter().fold(0, digit),
        is_http_11,
    })
}

/// One `name: value`; gives both, the value without its surrounding blanks.
fn read_field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let colon = line
        .iter()
        .position(|byte| !is_token(byte))
        .ok_or(Refusal::Malformed)?;
    let (name, rest) = line.split_at(colon);
    let Some((b':', value)) = rest.split_first() else {
        return Err(Refusal::Malformed);
    };
    if name.is_empty() || !all(value, is_in_value) {
        return Err(Refusal::Malformed);
    }
    Ok((name, value.trim_ascii()))
}

/// Whether a byte may stand in a field's value.
const fn is_in_value(byte: u8) -> bool {
    (byte >= b' ' || byte == b'\t') && byte != 0x7f
}

/// Whether all bytes are such; looks at all of them in any case.
fn all(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, byte| all & is_such(*byte))
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
    let (name, _value) = read_field(line)?;
    if is_forbidden_in_trailer(name) {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// Whether a field may not stand in a trailer.
pub(super) fn is_forbidden_in_trailer(name: &[u8]) -> bool {
    FORBIDDEN_TRAILERS
        .iter()
        .any(|forbidden| name.eq_ignore_ascii_case(forbidden))
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

fn ascii(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Refusal::Malformed)
}

/// Which bytes a token may have (RFC 9110, 5.6.2).
static TOKENS: [bool; 256] = {
    let mut table = [false; 256];
    let marks = b"!#$%&'*+-.^_`|~";
    let mut byte = 0_usize;
    while byte < 128 {
        // The loop ends below 128.
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    table
};

fn is_token(byte: &u8) -> bool {
    TOKENS[usize::from(*byte)]
}

/// The lines of a head whose line ends are all CRLF ([`find_end`] saw to that).
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let left = rest?;
        let (line, after) = match memchr(b'\n', left) {
            Some(end) => (left.get(..end)?, left.get(end + 1..)),
            None => (left, None),
        };
        rest = after;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_head(head: &[u8]) -> Result<Framing, Refusal> {
        read_request(head, |_, _| {}).map(|(_, framing)| framing)
    }

    fn head(rest: &str) -> Result<Framing, Refusal> {
        check_head(format!("POST /a HTTP/1.1\r\nHost: a.example{rest}").as_bytes())
    }

    #[test]
    fn the_parts_of_a_request_are_told() {
        let mut fields = Vec::new();
        let head = b"GET /a?b HTTP/1.1\r\nHost: a.example\r\nX-Y:\t 1 \r\nEmpty:";
        let (line, framing) =
            read_request(head, |name, value| fields.push((name, value))).expect("well-formed");
        let expected = RequestLine {
            method: "GET",
            target: "/a?b",
            is_http_11: true,
        };
        assert_eq!((line, framing), (expected, Framing::Sized(0)));
        let expected: [(&[u8], &[u8]); 3] =
            [(b"Host", b"a.example"), (b"X-Y", b"1"), (b"Empty", b"")];
        assert_eq!(fields, expected);
    }

    #[test]
    fn answers_tell_their_status_and_length() {
        let read = |head: &str| {
            let read = read_answer(head.as_bytes(), |_, _| {});
            read.map(|(line, framing)| (line.status, framing))
        };
        for (head, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5",
                (200, Framing::Sized(5)),
            ),
            (
                "HTTP/1.1 404 \r\ntransfer-encoding: chunked",
                (404, Framing::Chunked),
            ),
            ("HTTP/1.0 200", (200, Framing::UntilEnd)),
        ] {
            assert_eq!(read(head), Ok(expected), "{head}");
        }
        for bad in [
            "HTTP/2 200 OK",
            "HTTP/1.1 99 OK",
            "HTTP/1.1 2000",
            "HTTP/1.1 20x OK",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
            "HTTP/1.1 200 OK\r\n X: folded",
            "",
        ] {
            assert_eq!(read(bad), Err(Refusal::Malformed), "{bad}");
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_comes() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        for first in 0..head.len() {
            let mut scanned = 0;
            let early = find_end(&head[..first], &mut scanned).expect("well-formed");
            let end = early.map_or_else(|| find_end(head, &mut scanned), |end| Ok(Some(end)));
            assert_eq!(end, Ok(Some(head.len() - 4)), "cut at {first}");
        }
        assert_eq!(
            find_end(b"GET / HTTP/1.1\nHost", &mut 0),
            Err(Refusal::Malformed)
        );
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
