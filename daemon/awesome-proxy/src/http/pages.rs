//! The few pages that the front door answers with itself: self-contained, no script, no image.
//!
//! Visitors see them when there is no site, or none at the moment. Programs that ask for JSON get
//! `code` and `message`. English and German, by what the browser prefers.

use super::grammar::Refusal;
use super::headers::{Field, line};
use bytes::Bytes;
use http::StatusCode;

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The request is not well-formed.
    BadRequest,
    /// The visitor stopped in the middle of a request.
    Stalled,
    /// The body is too large.
    BodyTooLarge,
    /// The request line is too long.
    UriTooLong,
    /// The head is too long.
    HeadTooLong,
    /// CONNECT or TRACE.
    MethodNotAllowed,
    /// No site has this name.
    NoSite,
    /// The site's account is suspended.
    Suspended,
    /// This node's web server does not answer, or gave up in the middle.
    NoAnswer,
    /// The live node, or its web server, was lost in the middle of a request that must not be
    /// repeated.
    Lost,
    /// The live node did not answer in time.
    TooSlow,
    /// No live node was found in time.
    NotNow,
    /// Too many wait already.
    Busy,
    /// The request went in a circle.
    Loop,
    /// Another version of HTTP.
    Version,
    /// The panel or the API does not answer.
    PanelDown,
}

struct Text {
    status: StatusCode,
    code: &'static str,
    english: (&'static str, &'static str),
    german: (&'static str, &'static str),
}

/// Seconds after which a browser or crawler may come back.
const RETRY_AFTER_S: &[u8] = b"5";

/// What a visitor would rather read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tastes {
    is_json: bool,
    is_german: bool,
}

impl Tastes {
    /// By the fields of the request.
    pub fn of(fields: &[Field<'_>]) -> Self {
        let text = |wanted: &str| {
            let is_wanted = |(name, _): &&Field<'_>| name.eq_ignore_ascii_case(wanted.as_bytes());
            let found = fields.iter().find(is_wanted);
            found.and_then(|(_, value)| std::str::from_utf8(value).ok())
        };
        Self {
            is_json: text("accept").is_some_and(wants_json),
            is_german: text("accept-language").is_some_and(prefers_german),
        }
    }
}

/// A whole answer of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub status: u16,
    /// Its fields, as lines.
    pub fields: Vec<u8>,
    pub body: Bytes,
    /// Whether nothing that follows on the connection can be trusted.
    pub ends_connection: bool,
}

impl Reply {
    /// One without a body.
    pub fn empty(status: u16, field: (&str, &str)) -> Self {
        let mut fields = Vec::new();
        line(&mut fields, field.0.as_bytes(), field.1.as_bytes());
        Self {
            status,
            fields,
            body: Bytes::new(),
            ends_connection: false,
        }
    }
}

impl Page {
    /// The page for what `grammar` refuses.
    pub const fn of_refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed => Self::BadRequest,
            Refusal::UriTooLong => Self::UriTooLong,
            Refusal::HeadTooLong => Self::HeadTooLong,
            Refusal::Version => Self::Version,
        }
    }

    /// The page as an answer.
    pub fn reply(self, tastes: Tastes) -> Reply {
        let text = self.text();
        let (body, kind) = if tastes.is_json {
            let json = serde_json::json!({ "code": text.code, "message": text.english.1 });
            (json.to_string(), "application/json")
        } else {
            (html(&text, tastes.is_german), "text/html; charset=utf-8")
        };
        let mut fields = Vec::with_capacity(128);
        line(&mut fields, b"content-type", kind.as_bytes());
        line(&mut fields, b"cache-control", b"no-store");
        if text.status == StatusCode::SERVICE_UNAVAILABLE {
            line(&mut fields, b"retry-after", RETRY_AFTER_S);
        }
        Reply {
            status: text.status.as_u16(),
            fields,
            body: body.into(),
            ends_connection: self.ends_connection(),
        }
    }

    /// Whether nothing that follows on the connection can be trusted.
    const fn ends_connection(self) -> bool {
        matches!(
            self,
            Self::BadRequest
                | Self::Stalled
                | Self::BodyTooLarge
                | Self::UriTooLong
                | Self::HeadTooLong
                | Self::MethodNotAllowed
                | Self::Version
        )
    }

    #[rustfmt::skip]
    const fn text(self) -> Text {
        match self {
            Self::BadRequest => Text { status: StatusCode::BAD_REQUEST, code: "bad-request",
                english: ("Bad request", "The request is not well-formed."),
                german: ("Fehlerhafte Anfrage", "Die Anfrage ist nicht wohlgeformt.") },
            Self::Stalled => Text { status: StatusCode::REQUEST_TIMEOUT, code: "request-timeout",
                english: ("Request timed out", "The request stopped before its end."),
                german: ("Zeitüberschreitung", "Die Anfrage brach vor ihrem Ende ab.") },
            Self::BodyTooLarge => Text { status: StatusCode::PAYLOAD_TOO_LARGE, code: "body-too-large",
                english: ("Too large", "The request is larger than this server accepts."),
                german: ("Zu groß", "Die Anfrage ist größer, als dieser Server annimmt.") },
            Self::UriTooLong => Text { status: StatusCode::URI_TOO_LONG, code: "uri-too-long",
                english: ("Address too long", "The address is longer than this server accepts."),
                german: ("Adresse zu lang", "Die Adresse ist länger, als dieser Server annimmt.") },
            Self::HeadTooLong => Text { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, code: "head-too-long",
                english: ("Request too long", "The request's header fields are too long. Deleting this site's cookies may help."),
                german: ("Anfrage zu lang", "Die Kopfzeilen der Anfrage sind zu lang. Oft hilft es, die Cookies dieser Website zu löschen.") },
            Self::MethodNotAllowed => Text { status: StatusCode::METHOD_NOT_ALLOWED, code: "method-not-allowed",
                english: ("Not allowed", "This method is not allowed here."),
                german: ("Nicht erlaubt", "Diese Methode ist hier nicht erlaubt.") },
            Self::NoSite => Text { status: StatusCode::NOT_FOUND, code: "no-site",
                english: ("No site here", "There is no site under this name."),
                german: ("Keine Website", "Unter diesem Namen gibt es hier keine Website.") },
            Self::Suspended => Text { status: StatusCode::FORBIDDEN, code: "suspended",
                english: ("Site suspended", "This site is suspended. If it is yours, please contact your provider."),
                german: ("Website gesperrt", "Diese Website ist gesperrt. Wenn es Ihre ist, wenden Sie sich bitte an Ihren Anbieter.") },
            Self::NoAnswer => Text { status: StatusCode::BAD_GATEWAY, code: "no-answer",
                english: ("No answer", "The site's web server did not answer. Please try again."),
                german: ("Keine Antwort", "Der Webserver dieser Website hat nicht geantwortet. Bitte versuchen Sie es noch einmal.") },
            Self::Lost => Text { status: StatusCode::BAD_GATEWAY, code: "interrupted",
                english: ("Interrupted", "The site was interrupted while it worked on your request. It may or may not have been carried out: please check before you send it again."),
                german: ("Unterbrochen", "Die Website wurde unterbrochen, während sie Ihre Anfrage bearbeitete. Sie wurde vielleicht ausgeführt, vielleicht nicht: Bitte prüfen Sie das, bevor Sie sie noch einmal senden.") },
            Self::TooSlow => Text { status: StatusCode::GATEWAY_TIMEOUT, code: "too-slow",
                english: ("No answer in time", "The site took too long to answer."),
                german: ("Keine Antwort in der Zeit", "Die Website hat zu lange für ihre Antwort gebraucht.") },
            Self::NotNow => Text { status: StatusCode::SERVICE_UNAVAILABLE, code: "not-now",
                english: ("One moment, please", "The site is on its way to another server. Please try again in a few seconds."),
                german: ("Einen Augenblick, bitte", "Die Website zieht gerade auf einen anderen Server um. Bitte versuchen Sie es in einigen Sekunden noch einmal.") },
            Self::Busy => Text { status: StatusCode::SERVICE_UNAVAILABLE, code: "busy",
                english: ("Too many visitors", "Many visitors are waiting for this site. Please try again in a few seconds."),
                german: ("Viele Besucher", "Auf diese Website warten gerade viele Besucher. Bitte versuchen Sie es in einigen Sekunden noch einmal.") },
            Self::Loop => Text { status: StatusCode::LOOP_DETECTED, code: "loop",
                english: ("Going in circles", "The request went in a circle between servers."),
                german: ("Im Kreis", "Die Anfrage lief zwischen Servern im Kreis.") },
            Self::Version => Text { status: StatusCode::HTTP_VERSION_NOT_SUPPORTED, code: "version",
                english: ("Unknown version", "This server speaks HTTP/1.1, and HTTP/2 over TLS."),
                german: ("Unbekannte Version", "Dieser Server spricht HTTP/1.1 und, über TLS, HTTP/2.") },
            Self::PanelDown => Text { status: StatusCode::SERVICE_UNAVAILABLE, code: "panel-starting",
                english: ("The panel is starting", "The control panel of this server does not answer at the moment. Please try again in a few seconds, or use another server's."),
                german: ("Das Panel startet", "Das Verwaltungspanel dieses Servers antwortet gerade nicht. Bitte versuchen Sie es in einigen Sekunden noch einmal oder nehmen Sie das eines anderen Servers.") },
        }
    }
}

fn html(text: &Text, is_german: bool) -> String {
    let (language, (title, sentence)) = if is_german {
        ("de", text.german)
    } else {
        ("en", text.english)
    };
    let status = text.status.as_u16();
    format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n<style>\n\
         :root {{ color-scheme: light dark; }}\n\
         body {{ margin: 0; min-height: 100vh; display: grid; place-items: center;\n\
           font: 1.05rem/1.6 system-ui, sans-serif; }}\n\
         main {{ max-width: 32rem; padding: 2rem; }}\n\
         h1 {{ font-size: 1.6rem; line-height: 1.25; }}\nsmall {{ opacity: .75; }}\n\
         </style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{sentence}</p>\n\
         <p><small>{status}</small></p>\n</main>\n</body>\n</html>\n"
    )
}

fn wants_json(accept: &str) -> bool {
    accept.contains("application/json") && !accept.contains("text/html")
}

/// The first of the two languages that the browser names; browsers name the preferred one first.
fn prefers_german(languages: &str) -> bool {
    languages
        .split(',')
        .map(|language| {
            language
                .trim()
                .get(..2)
                .unwrap_or_default()
                .to_ascii_lowercase()
        })
        .find(|language| language == "de" || language == "en")
        .is_some_and(|language| language == "de")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(page: Page, fields: &[(&str, &str)]) -> (u16, String, String) {
        let fields: Vec<Field<'_>> = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let reply = page.reply(Tastes::of(&fields));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        (reply.status, text(&reply.fields), text(&reply.body))
    }

    #[test]
    fn a_busy_site_says_when_to_come_back() {
        let (status, fields, html) = reply(Page::NotNow, &[]);
        assert_eq!(status, 503);
        assert!(fields.contains("retry-after: 5\r\n"), "{fields}");
        assert!(html.contains("<html lang=\"en\">") && !html.contains("http"));
    }

    #[test]
    fn pages_speak_the_visitors_language_and_json_to_programs() {
        let german = [("Accept-Language", "fr, de-AT;q=0.9, en;q=0.8")];
        assert!(reply(Page::NoSite, &german).2.contains("Keine Website"));
        let (_, _, english) = reply(Page::NoSite, &[("accept-language", "fr")]);
        assert!(english.contains("No site here"));
        let (_, _, json) = reply(Page::NoSite, &[("Accept", "application/json")]);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["code"], "no-site");
    }
}
