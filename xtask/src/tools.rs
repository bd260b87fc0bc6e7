//! The tools of this repository, each with the one version that everybody uses, and where they are
//! once [`crate::setup`] has installed them.

use crate::process::{self, Tool};
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the widget is compiled to.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// The oldest Node whose `zlib`, `node:test` and `fetch` we use.
pub(crate) const OLDEST_NODE: u32 = 20;

/// A command-line program from crates.io, pinned.
#[derive(Clone, Copy)]
pub(crate) struct CargoTool {
    /// The crate.
    pub(crate) package: &'static str,
    /// The one program of it that we need.
    pub(crate) binary: &'static str,
    /// The one version that everybody uses.
    pub(crate) version: &'static str,
    /// Seconds to compile on two cores, so that people know what they wait for.
    pub(crate) seconds: u32,
}

/// Must be the very version of the `wasm-bindgen` crate in `Cargo.lock`; a test holds them together.
pub(crate) const WASM_BINDGEN: CargoTool = CargoTool {
    package: "wasm-bindgen-cli",
    binary: "wasm-bindgen",
    version: "0.2.126",
    seconds: 70,
};
/// What `trunk serve` needs, and nothing else.
pub(crate) const TRUNK: CargoTool =
    CargoTool { package: "trunk", binary: "trunk", version: "0.21.14", seconds: 135 };
/// What `cargo xtask test` needs.
pub(crate) const CARGO_DENY: CargoTool =
    CargoTool { package: "cargo-deny", binary: "cargo-deny", version: "0.20.2", seconds: 50 };

impl CargoTool {
    /// The directory it is installed into: a new version never overwrites an old one.
    pub(crate) fn directory(&self, workspace: &Workspace) -> PathBuf {
        workspace.cache.join(format!("tools-{}-{}", self.package, self.version))
    }

    /// The program, if it is installed by us or is on `PATH` in exactly this version.
    pub(crate) fn find(&self, workspace: &Workspace) -> Option<PathBuf> {
        let ours = self.directory(workspace).join("bin").join(self.binary);
        [ours, PathBuf::from(self.binary)].into_iter().find(|program| self.is_version_of(program))
    }

    /// The program.
    ///
    /// # Errors
    /// When it is not installed.
    pub(crate) fn program(&self, workspace: &Workspace) -> Result<PathBuf> {
        self.find(workspace).with_context(|| {
            format!("{} {} is not installed: run `cargo xtask setup`", self.binary, self.version)
        })
    }

    fn is_version_of(&self, program: &Path) -> bool {
        process::output(Command::new(program).arg("--version"))
            .is_ok_and(|text| text.split_whitespace().nth(1) == Some(self.version))
    }
}

/// The tools from npm: wasm-opt and esbuild. Their versions are in `xtask/tools/package.json`.
pub(crate) struct NodeTools {
    /// Holds `node_modules`; named after the lock file's hash.
    pub(crate) directory: PathBuf,
}

impl NodeTools {
    /// Where these tools are, or will be.
    ///
    /// # Errors
    /// When the lock file cannot be read.
    pub(crate) fn of(workspace: &Workspace) -> Result<Self> {
        let lock = source(workspace).join("package-lock.json");
        let text = fs::read(&lock).with_context(|| format!("reading {}", lock.display()))?;
        let name = format!("tools-npm-{}", &hex(&Sha256::digest(text))[..12]);
        Ok(Self { directory: workspace.cache.join(name) })
    }

    /// Whether they are installed.
    pub(crate) fn installed(&self) -> bool {
        // The directory appears by rename, when `npm ci` has succeeded.
        self.directory.join("node_modules").is_dir()
    }

    /// `wasm-opt` of binaryen.
    pub(crate) fn wasm_opt(&self) -> Command {
        Command::new(self.directory.join("node_modules/.bin/wasm-opt"))
    }

    /// esbuild.
    pub(crate) fn esbuild(&self) -> Command {
        Command::new(self.directory.join("node_modules/.bin/esbuild"))
    }
}

/// The directory of the npm tools' package.json, and of our own scripts for Node.
pub(crate) fn source(workspace: &Workspace) -> PathBuf {
    workspace.root.join("xtask/tools")
}

/// Checks that Node is there and new enough.
///
/// # Errors
/// When it is not, with what to install.
pub(crate) fn check_node() -> Result<String> {
    let version = process::output(Tool::Node.command().arg("--version"))?.trim().to_owned();
    let major = major(&version).with_context(|| format!("node says its version is {version}"))?;
    anyhow::ensure!(
        major >= OLDEST_NODE,
        "Node {OLDEST_NODE} or newer is needed, this is {version}"
    );
    process::output(Tool::Npm.command().arg("--version"))?;
    Ok(version)
}

/// The 20 of `v20.1.2`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{WASM_BINDGEN, hex, major};

    #[test]
    fn the_wasm_bindgen_tool_is_of_the_library_s_version() {
        let lock = include_str!("../../Cargo.lock");
        let entry = format!("name = \"wasm-bindgen\"\nversion = \"{}\"\n", WASM_BINDGEN.version);
        assert!(lock.contains(&entry), "pin the version of Cargo.lock in tools.rs");
    }

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("20.20.2"), None);
        assert_eq!(major("v"), None);
    }

    #[test]
    fn bytes_become_hexadecimal() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
