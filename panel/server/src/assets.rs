//! The browser's half: its files, named with the hash of their content so that browsers may keep
//! them for good; compressed when they were built.

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::{HeaderValue, header};
use hwc_panel_app::shell::Assets;
use std::hash::Hasher;
use std::path::Path;
use tower_http::services::ServeDir;

/// The name that `tools/build-panel.sh` gives to the browser's half.
const NAME: &str = "hwc";

/// Finds the browser's half, and names it by its content.
pub fn find(site_root: &Path) -> anyhow::Result<Assets> {
    let packages = site_root.join("pkg");
    let versioned = |file: String| {
        let path = packages.join(&file);
        let content = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        anyhow::Ok(format!("/pkg/{file}?v={:016x}", fingerprint(&content)))
    };
    Ok(Assets {
        style: versioned(format!("{NAME}.css"))?,
        script: versioned(format!("{NAME}.js"))?,
        module: versioned(format!("{NAME}_bg.wasm"))?,
    })
}

/// Tells contents apart; no protection against anyone. The same in every build of this program
/// (FNV-1a), so that all nodes of a release name their files alike.
fn fingerprint(content: &[u8]) -> u64 {
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(content);
    hasher.finish()
}

/// The routes to the files below the site's root.
pub fn routes(site_root: &Path, assets: &Assets) -> Router {
    let serve = |path: &str| {
        ServeDir::new(site_root.join(path))
            .precompressed_br()
            .precompressed_gzip()
    };
    let current: Vec<String> = [&assets.style, &assets.script, &assets.module]
        .into_iter()
        .cloned()
        .collect();
    let packages = Router::new()
        .nest_service("/pkg", serve("pkg"))
        .layer(from_fn(move |request: Request, next: Next| {
            let is_current = request
                .uri()
                .path_and_query()
                .is_some_and(|asked| current.iter().any(|file| file == asked.as_str()));
            keep(request, next, if is_current { FOR_GOOD } else { ASK_AGAIN })
        }));
    let fonts = Router::new()
        .nest_service("/fonts", serve("fonts"))
        .layer(from_fn(|request: Request, next: Next| {
            keep(request, next, FOR_GOOD)
        }));
    let images = ["favicon.svg", "logo.svg", "chevron.svg", "robots.txt"]
        .into_iter()
        .fold(Router::new(), |router, file| {
            router.route_service(
                &format!("/{file}"),
                tower_http::services::ServeFile::new(site_root.join(file)),
            )
        })
        .layer(from_fn(|request: Request, next: Next| {
            keep(request, next, A_DAY)
        }));
    packages.merge(fonts).merge(images)
}

/// The name says what is in it.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// The name stays, the content rarely changes.
const A_DAY: &str = "public, max-age=86400";
/// Another version was asked for than this node has, as while nodes are being updated.
const ASK_AGAIN: &str = "no-cache";

async fn keep(request: Request, next: Next, how_long: &'static str) -> Response {
    let mut response = next.run(request).await;
    let how_long = if response.status().is_success() || response.status().as_u16() == 304 {
        how_long
    } else {
        "no-store"
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(how_long));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use tower::ServiceExt;

    #[test]
    fn fingerprints_are_those_of_fnv_1a() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    async fn cache_control(router: &Router, path: &str) -> (u16, String) {
        let request = Request::builder()
            .uri(path)
            .body(Body::empty())
            .expect("a request");
        let response = router.clone().oneshot(request).await.expect("infallible");
        let kept = response.headers().get(header::CACHE_CONTROL);
        let kept = kept.and_then(|value| value.to_str().ok()).unwrap_or("-");
        (response.status().as_u16(), kept.to_owned())
    }

    #[tokio::test]
    async fn files_are_kept_as_long_as_their_name_allows() {
        let folder = tempfile::tempdir().expect("a folder");
        let packages = folder.path().join("pkg");
        std::fs::create_dir(&packages).expect("made");
        for file in ["hwc.css", "hwc.js", "hwc_bg.wasm"] {
            std::fs::write(packages.join(file), file).expect("written");
        }
        std::fs::write(folder.path().join("favicon.svg"), "<svg/>").expect("written");
        let assets = find(folder.path()).expect("found");
        let router = routes(folder.path(), &assets);

        assert_eq!(
            cache_control(&router, &assets.script).await,
            (200, FOR_GOOD.to_owned())
        );
        assert_eq!(
            cache_control(&router, "/pkg/hwc.js?v=0").await,
            (200, ASK_AGAIN.to_owned())
        );
        assert_eq!(
            cache_control(&router, "/favicon.svg").await,
            (200, A_DAY.to_owned())
        );
        assert_eq!(
            cache_control(&router, "/pkg/../hwc.js").await,
            (404, "no-store".to_owned())
        );
    }
}
