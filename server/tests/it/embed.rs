//! What a host page fetches. Needs the built front end (`cargo xtask build`).

use crate::support::{SHOP, Server, client};
use reqwest::Response;

async fn get(server: &Server, path: &str) -> Response {
    client().get(server.url(path)).send().await.unwrap()
}

/// As a browser asks.
async fn packed(server: &Server, path: &str) -> Response {
    client().get(server.url(path)).header("accept-encoding", "br, gzip").send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn the_loader_carries_its_configuration_and_is_asked_for_once() {
    let server = Server::start().await;
    let plain = get(&server, "/embed/test.js").await;
    assert_eq!(plain.status(), 200, "run `cargo xtask build` first");
    assert_eq!(header(&plain, "content-type"), "text/javascript; charset=utf-8");
    assert!(header(&plain, "cache-control").starts_with("public, max-age=300"));
    let etag = header(&plain, "etag").to_owned();
    let script = plain.text().await.unwrap();
    assert!(!script.contains("__BANTER_CONFIG__"));
    assert!(script.contains(r#""panel":"Test & Co""#), "{script}");
    // Nothing that is the owner's alone.
    for secret in ["sk-canary", "You are", "shop.example", "scripted"] {
        assert!(!script.contains(secret), "{secret}");
    }
    let small = packed(&server, "/embed/test.js").await;
    assert_eq!(header(&small, "content-encoding"), "br");
    assert_eq!(header(&small, "vary"), "accept-encoding");
    let again = client()
        .get(server.url("/embed/test.js"))
        .header("if-none-match", &etag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(get(&server, "/embed/off.js").await.status(), 409);
}

#[tokio::test]
async fn the_frame_is_for_listed_pages_only_and_runs_nothing_foreign() {
    let server = Server::start().await;
    let page = get(&server, &format!("/frame/test?host={SHOP}")).await;
    assert_eq!(page.status(), 200, "run `cargo xtask build` first");
    let policy = header(&page, "content-security-policy").to_owned();
    assert!(
        policy.starts_with(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'sha256-"
        ),
        "{policy}"
    );
    let ancestors = policy.split("frame-ancestors ").nth(1).unwrap();
    assert_eq!(ancestors, format!("'self' {SHOP} https://{}", server.address));
    let html = page.text().await.unwrap();
    assert!(html.contains("Test &amp; Co") && html.contains(SHOP), "{html}");
    assert!(!html.contains("__CONFIG__") && !html.contains("sk-canary"), "{html}");
    let small = packed(&server, &format!("/frame/test?host={SHOP}")).await;
    assert_eq!(header(&small, "content-encoding"), "br");
    for host in ["", "https://evil.example", "null", "https://shop.example.evil.example"] {
        let refused = get(&server, &format!("/frame/test?host={host}")).await;
        assert_eq!(refused.status(), 403, "{host}");
    }
}

#[tokio::test]
async fn versioned_files_are_packed_and_kept_for_ever() {
    let server = Server::start().await;
    let html = get(&server, &format!("/frame/test?host={SHOP}")).await.text().await.unwrap();
    let names: std::collections::BTreeSet<_> = html
        .split("/assets/")
        .skip(1)
        .filter_map(|rest| rest.split(['"', '\'', '>', ' ']).next())
        .collect();
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        let file = get(&server, &format!("/assets/{name}")).await;
        assert_eq!(file.status(), 200, "{name}");
        assert_eq!(header(&file, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header(&file, "x-content-type-options"), "nosniff");
        assert_eq!(header(&file, "access-control-allow-origin"), "*");
        if name.ends_with(".wasm") {
            assert_eq!(header(&file, "content-type"), "application/wasm");
        }
        assert_eq!(header(&file, "content-encoding"), "");
        let small = packed(&server, &format!("/assets/{name}")).await;
        assert_eq!(header(&small, "content-encoding"), "br");
    }
}

#[tokio::test]
async fn the_demo_shop_stands_under_the_tightest_policy() {
    let server = Server::start().await;
    let shop = get(&server, "/").await;
    assert_eq!(shop.url().path(), "/demo/");
    let policy = header(&shop, "content-security-policy");
    assert!(policy.contains("connect-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(shop.text().await.unwrap().contains("/embed/demo.js"));
    let hosted = get(&server, "/chat/demo").await;
    assert_eq!(hosted.status(), 200, "run `cargo xtask build` first");
    assert!(header(&hosted, "content-security-policy").ends_with("frame-ancestors 'none'"));
}
