//! One hash over everything `dist/` is made from, so that a start with nothing changed takes no
//! longer than reading the sources.

use super::Profile;
use crate::process::{self, Tool};
use crate::sources;
use crate::tools::WASM_BINDGEN;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;

/// What the front end is made from, and what it is made by.
const INPUTS: [&str; 7] =
    ["widget", "shared", "assets", "Cargo.toml", "Cargo.lock", "xtask/src/build", "xtask/tools"];

/// Below `assets`, but served as it is: a change of it needs no build.
const SERVED_AS_IT_IS: &str = "assets/demo";

/// The fingerprint of the sources as they are now, with this profile and these tools.
pub(super) fn of(workspace: &Workspace, profile: Profile) -> Result<String> {
    let compiler = process::output(Tool::Rustc.command().arg("--version"))?;
    let mut hash = Sha256::new();
    hash.update(format!("{profile:?} {} {compiler}", WASM_BINDGEN.version));
    for input in INPUTS {
        for file in sources::list(&workspace.root, input)? {
            if !file.starts_with(SERVED_AS_IT_IS) {
                add(&mut hash, &workspace.root, &file)?;
            }
        }
    }
    Ok(crate::tools::hex(&hash.finalize()))
}

/// Adds name, length and content, so that no two lists of files look the same.
fn add(hash: &mut Sha256, root: &Path, file: &Path) -> Result<()> {
    let content =
        fs::read(root.join(file)).with_context(|| format!("reading {}", file.display()))?;
    hash.update(format!("\n{} {}\n", file.display(), content.len()));
    hash.update(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::add;
    use sha2::{Digest as _, Sha256};
    use std::path::Path;

    #[test]
    fn a_file_s_name_and_content_both_count() {
        let root = std::env::temp_dir().join(format!("xtask-fingerprint-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let of = |name: &str, content: &str| {
            std::fs::write(root.join(name), content).unwrap();
            let mut hash = Sha256::new();
            add(&mut hash, &root, Path::new(name)).unwrap();
            hash.finalize()
        };
        assert_eq!(of("a", "1"), of("a", "1"));
        assert_ne!(of("a", "1"), of("b", "1"));
        assert_ne!(of("a", "1"), of("a", "2"));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
