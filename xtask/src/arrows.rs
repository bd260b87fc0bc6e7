//! `cargo xtask arrows`: who may name whom, and what no file may hold. See ARCHITECTURE.md.
//!
//! Three kinds of rule, each a pure function from text to a list of violations:
//! [`crates`] reads cargo's view of the workspace, [`rooms`] reads the paths written in the source,
//! [`files`] reads every file that git would take.

mod crates;
mod files;
mod rooms;
mod tokens;

use crate::process::{self, Tool};
use crate::sources;
use crate::tools::WASM_TARGET;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, bail};
use std::fs;

/// `cargo xtask arrows`.
///
/// # Errors
/// When a rule is broken, with every place where one is.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    let violations = check(workspace)?;
    if violations.is_empty() {
        println!("arrows: every one points the right way");
        return Ok(());
    }
    bail!("{} broken rules\n{}", violations.len(), violations.join("\n"));
}

/// Every violation, one line each.
///
/// # Errors
/// When cargo or a file cannot be read.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let mut violations = crates::check_metadata(&cargo(
        workspace,
        &["metadata", "--locked", "--format-version=1", "--no-deps"],
    )?)?;
    for (package, target) in [("banter-shared", None), ("banter-widget", Some(WASM_TARGET))] {
        let mut arguments = vec!["tree", "-p", package, "-e", "normal", "--prefix", "none"];
        arguments.extend(["--format", "{p}"]);
        arguments.extend(target.map(|target| ["--target", target]).into_iter().flatten());
        violations.extend(crates::check_tree(package, &cargo(workspace, &arguments)?));
    }
    for path in sources::list(&workspace.root, ".")? {
        let path = path.strip_prefix(".").unwrap_or(&path);
        let full = workspace.root.join(path);
        let bytes = fs::read(&full).with_context(|| format!("reading {}", full.display()))?;
        // Pictures and sounds hold no text to check.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let name = path.to_string_lossy();
        violations.extend(files::check(&name, &text));
        violations.extend(rooms::check(&name, &text));
    }
    Ok(violations)
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<String> {
    process::output(Tool::Cargo.command().args(arguments).current_dir(&workspace.root))
}
