//! Which crate may depend on which, as cargo sees it.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Each crate of the workspace and the crates of the workspace that it may use.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("banter-shared", &[]),
    ("banter-engine", &["banter-shared"]),
    ("banter-server", &["banter-engine", "banter-shared", "vapi-double"]),
    ("banter-widget", &["banter-shared"]),
    // For its templates and its HTTP client.
    ("vapi-double", &["banter-engine"]),
    // For checking its samples against the real types.
    ("xtask", &["banter-shared"]),
];

/// Crates that only tests may use: what they do must not get into a program.
const FOR_TESTS: [&str; 1] = ["vapi-double"];

/// What must not be reachable from a crate, and why.
const FORBIDDEN: [(&str, &[&str], &str); 2] = [
    (
        "banter-shared",
        &["tokio", "axum", "sqlx", "rusqlite", "reqwest", "hyper", "web-sys", "js-sys", "leptos"],
        "shared is wire types: no I/O, no framework",
    ),
    (
        "banter-widget",
        &["tokio", "axum", "sqlx", "rusqlite", "reqwest", "hyper"],
        "the widget runs in a browser",
    ),
];

/// What the widget may not call itself, though leptos names it: the linker drops what nobody calls,
/// and each of these costs a visitor 4 to 178 KB.
const TOO_LARGE: [&str; 7] =
    ["regex", "url", "serde_json", "chrono", "pulldown-cmark", "leptos-use", "gloo-net"];

/// Checks the output of `cargo metadata`: which crate of the workspace names which.
pub(super) fn check_metadata(json: &str) -> Result<Vec<String>> {
    let metadata: Value = serde_json::from_str(json).context("reading cargo metadata")?;
    let mut violations = Vec::new();
    for package in array(&metadata["packages"]) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            violations.push(format!("{name}: a crate without a rule; add it to arrows/crates.rs"));
            continue;
        };
        for dependency in array(&package["dependencies"]) {
            let used = dependency["name"].as_str().unwrap_or_default();
            // A path means that the dependency is of this workspace.
            if dependency["path"].is_string() && !allowed.contains(&used) {
                violations.push(format!("{name} depends on {used}"));
            }
            if FOR_TESTS.contains(&used) && dependency["kind"] != "dev" {
                violations.push(format!("{name} depends on {used} outside its tests"));
            }
            let shipped = dependency["kind"] != "dev" && name == "banter-widget";
            if shipped && TOO_LARGE.contains(&used) {
                violations.push(format!("{name} depends on {used}: every visitor pays for it"));
            }
        }
    }
    Ok(violations)
}

/// Checks the output of `cargo tree --prefix none --format {p}` of one crate.
pub(super) fn check_tree(package: &str, tree: &str) -> Vec<String> {
    let Some((_, forbidden, why)) = FORBIDDEN.iter().find(|(known, ..)| *known == package) else {
        return Vec::new();
    };
    let mut found: Vec<_> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| forbidden.contains(name))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|name| format!("{package} pulls in {name}: {why}")).collect()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::{check_metadata, check_tree};
    use serde_json::json;

    #[test]
    fn a_large_crate_may_test_the_widget_but_not_be_shipped_in_it() {
        for (kind, good) in [(json!(null), false), (json!("dev"), true)] {
            let dependency = json!({"name": "serde_json", "kind": kind});
            let package = json!({"name": "banter-widget", "dependencies": [dependency]});
            let metadata = json!({"packages": [package]}).to_string();
            assert_eq!(check_metadata(&metadata).unwrap().is_empty(), good, "{kind}");
        }
    }

    #[test]
    fn a_double_is_for_tests() {
        for (kind, good) in [(json!(null), false), (json!("dev"), true)] {
            let dependency = json!({"name": "vapi-double", "kind": kind, "path": "x"});
            let package = json!({"name": "banter-server", "dependencies": [dependency]});
            let metadata = json!({"packages": [package]}).to_string();
            assert_eq!(check_metadata(&metadata).unwrap().is_empty(), good, "{kind}");
        }
    }

    fn violations(package: &str, dependency: &str) -> Vec<String> {
        let metadata = json!({"packages": [{
            "name": package,
            "dependencies": [{"name": dependency, "path": "somewhere"}, {"name": "serde"}],
        }]});
        check_metadata(&metadata.to_string()).unwrap()
    }

    #[test]
    fn arrows_between_crates_point_one_way() {
        for (package, dependency, good) in [
            ("banter-server", "banter-engine", true),
            ("banter-server", "banter-shared", true),
            ("banter-widget", "banter-shared", true),
            ("banter-shared", "banter-engine", false),
            ("banter-engine", "banter-server", false),
            ("banter-widget", "banter-engine", false),
            ("banter-server", "xtask", false),
            ("newcomer", "banter-shared", false),
        ] {
            assert_eq!(
                violations(package, dependency).is_empty(),
                good,
                "{package} → {dependency}"
            );
        }
    }

    #[test]
    fn what_a_browser_must_not_get_is_found_once() {
        let tree = "banter-widget v0.1.0 (x)\ntokio v1.0.0\nserde v1.0.0\ntokio v1.0.0 (*)\n";
        assert_eq!(check_tree("banter-widget", tree).len(), 1);
        assert!(check_tree("banter-widget", "banter-widget v0\ntokio-like v1\n").is_empty());
        assert_eq!(check_tree("banter-shared", "web-sys v0.3\nserde v1\n").len(), 1);
        assert!(check_tree("banter-widget", "web-sys v0.3\n").is_empty());
    }
}
