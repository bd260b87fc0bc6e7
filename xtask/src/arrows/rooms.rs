//! Which room of a crate may name which, as written in the source.

use super::tokens::{self, Token};

/// The rooms of the server and what each may not name: `api, jobs → services → domain, store,
/// providers, export`.
const SERVER_ROOMS: [(&str, &[&str]); 7] = [
    ("domain", &["store", "providers", "export", "services", "jobs", "api"]),
    ("store", &["providers", "export", "services", "jobs", "api"]),
    ("providers", &["store", "export", "services", "jobs", "api"]),
    ("export", &["store", "providers", "services", "jobs", "api"]),
    ("services", &["jobs", "api"]),
    ("jobs", &["api"]),
    ("api", &["jobs"]),
];

/// A library and the only places under a source directory that may name it.
struct Keeper {
    library: &'static str,
    /// The rule is about files below this directory.
    below: &'static str,
    /// Rooms that may name it. A file beside the rooms (`serve.rs`) is the room `""`.
    rooms: &'static [&'static str],
}

const KEEPERS: [Keeper; 13] = [
    Keeper { library: "sqlx", below: "server/src/", rooms: &["store"] },
    Keeper { library: "rusqlite", below: "server/src/", rooms: &["store"] },
    Keeper { library: "tokio_postgres", below: "server/src/", rooms: &["store"] },
    Keeper { library: "axum", below: "server/src/", rooms: &["api", ""] },
    Keeper {
        library: "reqwest",
        below: "server/src/",
        rooms: &["providers", "services", "jobs", "api", ""],
    },
    Keeper { library: "axum", below: "engine/src/", rooms: &[] },
    Keeper { library: "sqlx", below: "engine/src/", rooms: &[] },
    Keeper { library: "rusqlite", below: "engine/src/", rooms: &[] },
    Keeper { library: "web_sys", below: "widget/src/state", rooms: &[] },
    Keeper { library: "leptos", below: "widget/src/state", rooms: &[] },
    Keeper { library: "web_sys", below: "widget/src/text", rooms: &[] },
    Keeper { library: "leptos", below: "widget/src/text", rooms: &[] },
    Keeper { library: "web_sys", below: "shared/src/", rooms: &[] },
];

/// Every violation in one file; `path` is relative to the repository, with forward slashes.
pub(super) fn check(path: &str, source: &str) -> Vec<String> {
    if !path.ends_with(".rs") {
        return Vec::new();
    }
    let keepers: Vec<_> = KEEPERS.iter().filter(|keeper| path.starts_with(keeper.below)).collect();
    let module = path.strip_prefix("server/src/").map(module_path);
    if keepers.is_empty() && module.is_none() {
        return Vec::new();
    }
    let tokens = tokens::read(source);
    let room = room_of(path);
    let mut violations = Vec::new();
    for keeper in keepers.iter().filter(|keeper| !keeper.rooms.contains(&room)) {
        violations.extend(
            tokens
                .iter()
                .filter(|token| token.text == keeper.library)
                .map(|token| format!("{path}:{}: names {}", token.line, keeper.library)),
        );
    }
    let rule = SERVER_ROOMS.iter().find(|(known, _)| *known == room);
    if let (Some(module), Some((room, forbidden))) = (module, rule) {
        violations.extend(
            named_from_the_root(&tokens, module.len())
                .into_iter()
                .filter(|token| forbidden.contains(&token.text))
                .map(|token| format!("{path}:{}: {room} names {}", token.line, token.text)),
        );
    }
    violations
}

/// `store` for `server/src/store.rs` and `server/src/store/…`; `""` for files that are in no room.
fn room_of(path: &str) -> &str {
    let inside = path.split_once("/src/").map_or(path, |(_, inside)| inside);
    let first = inside.split('/').next().unwrap_or(inside);
    let name = first.strip_suffix(".rs").unwrap_or(first);
    SERVER_ROOMS.iter().map(|(room, _)| *room).find(|room| *room == name).unwrap_or("")
}

/// `["store", "memory"]` for `store/memory.rs`.
fn module_path(file: &str) -> Vec<&str> {
    file.strip_suffix(".rs")
        .unwrap_or(file)
        .split('/')
        .filter(|part| !matches!(*part, "lib" | "main"))
        .collect()
}

/// The first word of every path that starts at the crate's root, in a module `depth` levels down:
/// after `crate::`, after as many `super::`, and each of a group `{a::b, c}` there. Inside an inline
/// module the same number of `super::` stays below the root, where no room lies: harmless.
fn named_from_the_root<'source>(tokens: &[Token<'source>], depth: usize) -> Vec<Token<'source>> {
    let mut named = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let start = at;
        at += 1;
        let after = match tokens[start].text {
            "crate" => separator(tokens, start + 1),
            "super" => {
                let mut next = separator(tokens, start + 1);
                let mut levels = 1;
                while let Some(index) = next.filter(|index| text(tokens, *index) == "super") {
                    levels += 1;
                    at = index + 1;
                    next = separator(tokens, index + 1);
                }
                next.filter(|_| levels == depth)
            }
            _ => None,
        };
        if let Some(index) = after {
            named.extend(heads(tokens, index));
        }
    }
    named
}

/// The index after a `::` at `index`, if there is one.
fn separator(tokens: &[Token<'_>], index: usize) -> Option<usize> {
    (text(tokens, index) == "::").then_some(index + 1)
}

fn text<'source>(tokens: &[Token<'source>], index: usize) -> &'source str {
    tokens.get(index).map_or("", |token| token.text)
}

/// The word at `index`, or the first words of the group that opens there.
fn heads<'source>(tokens: &[Token<'source>], index: usize) -> Vec<Token<'source>> {
    if text(tokens, index) != "{" {
        return tokens.get(index).cloned().into_iter().collect();
    }
    let mut heads = Vec::new();
    let mut depth = 0_usize;
    for at in index..tokens.len() {
        match text(tokens, at) {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ if depth == 1 && matches!(text(tokens, at - 1), "{" | ",") => {
                heads.push(tokens[at].clone());
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::{check, module_path};

    #[test]
    fn rooms_name_only_what_is_below_them() {
        for (path, source, broken) in [
            ("server/src/domain/minutes.rs", "use crate::domain::text;", 0),
            ("server/src/domain/minutes.rs", "use crate::store::Store;", 1),
            ("server/src/domain.rs", "use crate::{clock, store, api::route};", 2),
            ("server/src/domain.rs", "use crate::{clock::{store}, domain};", 0),
            ("server/src/domain.rs", "// crate::store\nlet a = \"crate::store\";", 0),
            ("server/src/domain.rs", "fn f() -> super::store::Row {}", 1),
            ("server/src/domain/a.rs", "use super::super::api;", 1),
            ("server/src/domain/a.rs", "use super::api;", 0),
            ("server/src/store/memory.rs", "use crate::domain::Session;", 0),
            ("server/src/store/memory.rs", "use crate::providers::Provider;", 1),
            ("server/src/providers/vapi.rs", "use crate::store::Store;", 1),
            ("server/src/export/csv.rs", "use crate::{domain, store, services};", 2),
            ("server/src/services/exports.rs", "use crate::export::renderer;", 0),
            ("server/src/services/converse.rs", "use crate::{store, providers, domain};", 0),
            ("server/src/services/converse.rs", "crate::api::error(1)", 1),
            ("server/src/services/converse.rs", "crate::jobs::enqueue(1)", 1),
            ("server/src/api/visitor.rs", "use crate::services::open;", 0),
            ("server/src/app.rs", "use crate::{api, store, services};", 0),
            ("engine/src/domain.rs", "use crate::store;", 0),
        ] {
            assert_eq!(check(path, source).len(), broken, "{path}: {source}");
        }
    }

    #[test]
    fn libraries_have_keepers() {
        for (path, source, broken) in [
            ("server/src/store/sqlite.rs", "use rusqlite::Connection;", 0),
            ("server/src/services/a.rs", "fn f(c: rusqlite::Connection) {}", 1),
            ("server/src/domain/a.rs", "use sqlx; use axum::Router; use reqwest::Url;", 3),
            ("server/src/api/visitor.rs", "use axum::Json;", 0),
            ("server/src/serve.rs", "use axum::serve;", 0),
            ("server/src/services/a.rs", "use axum::Json;", 1),
            ("server/src/services/a.rs", "/// As `axum::Json`.\nstruct A;", 0),
            ("engine/src/http.rs", "use reqwest::Client;", 0),
            ("engine/src/http.rs", "use axum::Json;", 1),
            ("widget/src/state.rs", "use leptos::prelude::*;", 1),
            ("widget/src/state/transcript.rs", "fn f(w: web_sys::Window) {}", 1),
            ("widget/src/text/markdown.rs", "use leptos::view;", 1),
            ("widget/src/view/panel.rs", "use leptos::view; use web_sys::Event;", 0),
            ("shared/src/sse.rs", "use web_sys::Event;", 1),
            ("assets/frame.js", "axum", 0),
        ] {
            assert_eq!(check(path, source).len(), broken, "{path}: {source}");
        }
    }

    #[test]
    fn a_violation_says_where() {
        let found = check("server/src/domain/a.rs", "\n\nuse crate::api;");
        assert_eq!(found, ["server/src/domain/a.rs:3: domain names api"]);
    }

    #[test]
    fn files_are_modules() {
        assert_eq!(module_path("store/memory.rs"), ["store", "memory"]);
        assert_eq!(module_path("lib.rs"), Vec::<&str>::new());
    }
}
