//! What every file must begin with, and what none may hold.

/// What only one machine knows. Written in two halves, so that this file does not hold them.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Where packages come from is the user's own configuration.
const REGISTRIES: [&str; 5] = [
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("\"resol", "ved\":"),
];

/// Every violation in one file; `path` is relative to the repository.
pub(super) fn check(path: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    if !opens_with_comment(path, text) {
        violations.push(format!("{path}:1: does not say what it is: open it with a comment"));
    }
    for (index, line) in text.lines().enumerate() {
        let registries = REGISTRIES.into_iter().filter(|word| line.contains(word));
        let paths = MACHINE_PATHS.into_iter().filter(|word| names_path(line, word));
        for word in registries.chain(paths) {
            violations.push(format!("{path}:{}: holds `{word}`", index + 1));
        }
    }
    violations
}

fn opens_with_comment(path: &str, text: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let first = text.trim_start_matches('\u{feff}');
    // A script may be started by its first line.
    let first = match first.strip_prefix("#!/") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, after)| after),
        None => first,
    };
    match extension {
        "rs" => first.starts_with("//!"),
        "js" | "mjs" => first.starts_with("//") || first.starts_with("/*"),
        _ => true,
    }
}

/// Whether `line` holds `path` as the beginning of a path: not `…/src/…` inside an address.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(index, _)| {
        let before = line[..index].chars().next_back();
        before
            .is_none_or(|character| !(character.is_alphanumeric() || "._-}>~".contains(character)))
    })
}

#[cfg(test)]
mod tests {
    use super::{MACHINE_PATHS, REGISTRIES, check};

    #[test]
    fn sources_say_what_they_are() {
        for (path, text, good) in [
            ("a.rs", "//! What.\n", true),
            ("a.rs", "// What.\n", false),
            ("a.rs", "use std::fs;\n//! Late.", false),
            ("a.rs", "", false),
            ("a.js", "// What.", true),
            ("a.mjs", "/* What. */", true),
            ("a.mjs", "#!/usr/bin/env node\n// What.", true),
            ("a.mjs", "import x;", false),
            ("a.json", "{}", true),
            ("LICENSE", "Text", true),
        ] {
            assert_eq!(check(path, text).is_empty(), good, "{path}: {text}");
        }
    }

    #[test]
    fn nothing_of_one_machine_is_kept() {
        for word in MACHINE_PATHS {
            assert_eq!(check("a.md", &format!("see `{word}x`")).len(), 1, "{word}");
            assert!(check("a.md", &format!("https://example.com{word}x")).is_empty(), "{word}");
        }
        for word in REGISTRIES {
            assert_eq!(check("a.json", &format!("\"https://{word}/x\"")).len(), 1, "{word}");
        }
    }
}
