//! The files that are ours: everything that `.gitignore` does not name.
//!
//! Reads the directory instead of asking git, because an unpacked archive has no git and a mounted
//! repository may belong to another user, which git refuses.

use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below `start` (a directory or one file) that is not ignored, sorted, relative to `root`.
///
/// # Errors
/// When a directory cannot be read.
pub(crate) fn list(root: &Path, start: &str) -> Result<Vec<PathBuf>> {
    let ignored = Ignored::parse(&fs::read_to_string(root.join(".gitignore"))?);
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::from(start)];
    while let Some(path) = waiting.pop() {
        let full = root.join(&path);
        if full.is_file() {
            found.push(path);
            continue;
        }
        let entries = fs::read_dir(&full).with_context(|| format!("reading {}", full.display()))?;
        for entry in entries {
            let child = path.join(entry?.file_name());
            // A symbolic link is not followed: it may lead out of the repository, or in circles.
            if !ignored.contains(&child) && !root.join(&child).is_symlink() {
                waiting.push(child);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The three simple forms of pattern that our `.gitignore` uses.
struct Ignored {
    /// `/path`: this path from the root.
    rooted: Vec<PathBuf>,
    /// `name`: a file or directory of this name anywhere.
    names: Vec<String>,
    /// `*.end`: a file that ends so.
    endings: Vec<String>,
}

impl Ignored {
    fn parse(text: &str) -> Self {
        let mut ignored =
            Self { rooted: Vec::new(), names: vec![".git".to_owned()], endings: Vec::new() };
        for line in text.lines().map(|line| line.trim().trim_end_matches('/')) {
            if let Some(path) = line.strip_prefix('/') {
                ignored.rooted.push(PathBuf::from(path));
            } else if let Some(ending) = line.strip_prefix('*') {
                ignored.endings.push(ending.to_owned());
            } else if !line.is_empty() && !line.starts_with('#') {
                ignored.names.push(line.to_owned());
            }
        }
        ignored
    }

    fn contains(&self, path: &Path) -> bool {
        let path = path.strip_prefix(".").unwrap_or(path);
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        self.rooted.iter().any(|rooted| rooted == path)
            || self.names.iter().any(|ignored| *ignored == name)
            || self.endings.iter().any(|ending| name.ends_with(ending.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ignored, list};
    use std::path::Path;

    #[test]
    fn the_three_forms_of_pattern_are_understood() {
        let ignored = Ignored::parse("# made\n/target\n/e2e/artifacts\nnode_modules/\n*.log\n");
        for (path, expected) in [
            ("target", true),
            ("./target", true),
            ("widget/target", false),
            ("e2e/artifacts", true),
            ("e2e/node_modules", true),
            ("x/y.log", true),
            (".git", true),
            (".gitignore", false),
            ("server/src/main.rs", false),
        ] {
            assert_eq!(ignored.contains(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn our_own_files_are_found_and_the_built_ones_are_not() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let files = list(&root, "xtask").unwrap();
        assert!(files.iter().any(|file| file.ends_with("src/sources.rs")));
        assert!(
            !files
                .iter()
                .any(|file| file.components().any(|part| part.as_os_str() == "node_modules"))
        );
        assert!(files.is_sorted());
    }
}
