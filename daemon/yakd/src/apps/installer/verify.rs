//! Does the new web site answer? Asked through Apache and PHP, as a visitor's request comes in.

use crate::apps::progress::Teller;
use crate::render::apache::LISTEN;
use hwc_api::names::DomainName;
use hwc_runtime::clock::Clock;
use std::time::Duration;

/// PHP starts with the first request, and fills its cache.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// Greatest page that is looked at.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// A page that should answer.
pub(super) struct Page<'a> {
    pub domain: &'a DomainName,
    pub path: &'a str,
    pub title: &'a str,
}

impl Page<'_> {
    /// Asks until the page answers as it should.
    pub(super) async fn check(&self, clock: &Clock, teller: &Teller) -> Result<(), String> {
        // Apache's own address, by plain HTTP: what is behind the front door.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| error.to_string())?;
        let began = clock.now();
        loop {
            let result = self.ask(&client).await;
            match result {
                Ok(()) => {
                    teller.log(&format!(
                        "https://{}{} answers with 200",
                        self.domain, self.path
                    ));
                    return Ok(());
                }
                Err(reason) if clock.now().since(began) > PATIENCE => return Err(reason),
                Err(reason) => {
                    tracing::debug!(domain = %self.domain, reason, "the new site does not answer yet");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask(&self, client: &reqwest::Client) -> Result<(), String> {
        let request = client
            .get(format!("http://{LISTEN}{}", self.path))
            .header("Host", self.domain.as_str())
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-For", "127.0.0.1");
        let mut answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let mut page = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| error.to_string())? {
            page.extend_from_slice(&piece);
            if page.len() > PAGE_BYTES_MAX {
                break;
            }
        }
        if status != 200 {
            return Err(format!("the page answers with status {status}"));
        }
        if has_title(&String::from_utf8_lossy(&page), self.title) {
            Ok(())
        } else {
            Err("the page does not have the site's title".to_owned())
        }
    }
}

/// Whether a page's title contains a text. Applications beautify quotes and dashes and write
/// entities; only letters and digits are compared.
fn has_title(page: &str, title: &str) -> bool {
    let Some((_, rest)) = page.split_once("<title>") else {
        return false;
    };
    let shown = rest.split("</title>").next().unwrap_or_default();
    letters(&without_entities(shown)).contains(&letters(title))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Removes `&amp;`, `&#8217;` and their like.
fn without_entities(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '#';
        match piece.split_once(';') {
            Some((name, rest)) if name.chars().all(is_name) => plain.push_str(rest),
            _no_entity => plain.push_str(piece),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_found_however_they_are_written() {
        let page =
            "<html><title>Mara&#8217;s Harbour &amp; S&ouml;hne &#8211; Just another</title>";
        assert!(has_title(page, "Mara's Harbour & S"));
        assert!(has_title("<title>Bücher</title>", "Bücher"));
        assert!(!has_title(page, "Other"));
        assert!(!has_title("Mara's Harbour", "Mara's Harbour"));
        assert!(has_title("<title>a & b; c</title>", "a & b"));
    }
}
