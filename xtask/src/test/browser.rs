//! The journeys in `e2e/`: a real server, a real Chromium, Node's own test runner.

use super::report;
use super::{Outcome, steps};
use crate::build::Profile;
use crate::process::{self, Tool};
use crate::tools;
use crate::workspace::Workspace;
use crate::{debian, run, setup, sources};
use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a Chromium may be: a name on `PATH`, or a path.
const CHROMIUMS: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The step `e2e`.
pub(super) fn test(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    tools::check_node()?;
    let directory = workspace.root.join("e2e");
    install_packages(&directory, log)?;
    let chromium = chromium(log)?;
    run::build_server(workspace, Profile::Dev)?;
    run::build_double(workspace, Profile::Dev)?;
    // Named one by one: what a directory means to `node --test` differs between 20 and 22.
    let files: Vec<PathBuf> = sources::list(&workspace.root, "e2e/tests")?
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    ensure!(!files.is_empty(), "e2e/tests holds no *.test.mjs");
    let mut node = Tool::Node.command();
    node.args(["--test", "--test-concurrency=1", "--test-reporter=tap"])
        .args(&files)
        .current_dir(&workspace.root)
        .env("CHROMIUM", chromium)
        .env("BANTER_SERVER", run::server_program(workspace, Profile::Dev))
        .env("VAPI_DOUBLE", run::double_program(workspace, Profile::Dev));
    let ran = process::logged(&mut node, log);
    steps::counted(ran, report::node_test(&fs::read_to_string(log)?))
}

/// `npm ci`, unless these very packages are installed already.
fn install_packages(directory: &Path, log: &Path) -> Result<()> {
    let lock = directory.join("package-lock.json");
    let text = fs::read(&lock).with_context(|| format!("reading {}", lock.display()))?;
    let hash = tools::hex(&Sha256::digest(text));
    let stamp = directory.join("node_modules/.banter-lock");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == hash) {
        return Ok(());
    }
    setup::npm_ci(directory, log)?;
    fs::write(&stamp, hash).with_context(|| format!("writing {}", stamp.display()))
}

/// A Chromium: the one that `CHROMIUM` names, one that is installed, or Debian's.
fn chromium(log: &Path) -> Result<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        let path = PathBuf::from(named);
        ensure!(path.is_file(), "CHROMIUM names {}, which is no file", path.display());
        return Ok(path);
    }
    if let Some(found) = installed_chromium() {
        return Ok(found);
    }
    let advice = "no Chromium was found and apt-get could not install one: install Chromium or \
                  Chrome and name it in the environment variable CHROMIUM";
    debian::install("chromium", log, advice)?;
    installed_chromium().context(advice)
}

fn installed_chromium() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = env::split_paths(&path).collect();
    CHROMIUMS.into_iter().find_map(|name| find(name, &directories))
}

/// The program `name` in one of `directories`; an absolute name stands for itself.
fn find(name: &str, directories: &[PathBuf]) -> Option<PathBuf> {
    directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::find;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_program_is_found_where_it_is() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directories = [PathBuf::from("/nowhere"), here.to_owned()];
        assert_eq!(find("Cargo.toml", &directories), Some(here.join("Cargo.toml")));
        assert_eq!(find("src", &directories), None, "a directory is no program");
        assert_eq!(find("no-such-thing", &directories), None);
    }
}
