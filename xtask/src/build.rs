//! `cargo xtask build`: the front end, from Rust, JavaScript, CSS and HTML to `dist/`.
//!
//! ```text
//! widget ─cargo─► .wasm ─wasm-bindgen─► .wasm ─wasm-opt─► assets/widget-<hash>.wasm
//!                                  └──► glue ┐
//! assets/frame.js ──────────────────esbuild──┴──► assets/widget-<hash>.js
//! assets/widget.css ────────────────esbuild─────► assets/widget-<hash>.css ┐
//! assets/frame.html ───────────────────────────────────────────────────────┴► frame.html
//! assets/loader.js ─────────────────esbuild─────► loader.js
//! ```
//!
//! An asset's name holds the hash of its content, so the server may let browsers keep it for ever.

mod bundle;
mod fingerprint;
mod page;
mod squeeze;
mod wasm;

use crate::process;
use crate::progress::Progress;
use crate::setup;
use crate::tools::{self, NodeTools};
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use bundle::Bundler;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use page::fill;

/// Remembers what `dist/` was made from.
const STAMP: &str = ".stamp";

/// For visitors or for ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As small as it gets.
    Release,
    /// As soon as it gets.
    Dev,
}

impl Profile {
    /// Cargo's profile of programs that xtask runs, and the folder it puts them in.
    pub(crate) fn of_programs(self) -> (&'static str, &'static str) {
        match self {
            Self::Release => ("demo", "demo"),
            Self::Dev => ("dev", "debug"),
        }
    }
}

/// `cargo xtask build`.
///
/// # Errors
/// When a tool cannot be installed or a source does not build.
pub(crate) fn command(workspace: &Workspace, profile: Profile) -> Result<()> {
    let mut progress = Progress::new(setup::FRONT_END_STEPS + 1);
    setup::for_front_end(workspace, &mut progress)?;
    progress.step("front end", || front_end(workspace, profile))?;
    Ok(())
}

/// Makes `dist/`, unless it is there and was made from the same sources by the same tools.
///
/// # Errors
/// When a source does not build.
pub(crate) fn front_end(workspace: &Workspace, profile: Profile) -> Result<String> {
    // Two builds at once would take each other's files away; the second finds the work done.
    fs::create_dir_all(workspace.scratch())?;
    let lock = fs::File::create(workspace.scratch().join("front-end.lock"))?;
    lock.lock()?;
    let fingerprint = fingerprint::of(workspace, profile)?;
    let dist = workspace.dist();
    if fs::read_to_string(dist.join(STAMP)).is_ok_and(|stamp| stamp == fingerprint) {
        return Ok("unchanged".to_owned());
    }
    let fresh = workspace.root.join("dist.tmp");
    remove(&fresh)?;
    fs::create_dir_all(fresh.join("assets"))?;
    assemble(workspace, profile, &fresh)?;
    fs::write(fresh.join(STAMP), fingerprint)?;
    replace(&fresh, &dist)?;
    Ok(String::new())
}

fn assemble(workspace: &Workspace, profile: Profile, dist: &Path) -> Result<()> {
    let node_tools = NodeTools::of(workspace)?;
    let log = workspace.log("front-end");
    process::start_log(&log)?;
    let scratch = workspace.scratch().join("front-end");
    remove(&scratch)?;
    fs::create_dir_all(&scratch)?;
    let assets = workspace.root.join("assets");

    let module = wasm::compile(workspace, &node_tools, profile, &scratch, &log)?;
    let wasm = publish(dist, "wasm", &fs::read(&module.wasm)?)?;

    let bundler = Bundler { tools: &node_tools, log: &log, minify: profile == Profile::Release };
    let css = bundler.stylesheet(&assets.join("widget.css"), &scratch.join("widget.css"))?;
    let stylesheet = publish(dist, "css", css.as_bytes())?;
    let names = bundle::Names { wasm: &wasm.name, stylesheet: &stylesheet.name };
    let script = bundler.module(&assets.join("frame.js"), &module.glue, &names, &scratch)?;
    let script = publish(dist, "js", script.as_bytes())?;
    let loader = bundler.loader(&assets.join("loader.js"), &scratch.join("loader.js"))?;
    fs::write(dist.join("loader.js"), loader)?;

    let template = read(&assets.join("frame.html"))?;
    let page = page::make(&template, &css, &script.name, &wasm.name)?;
    fs::write(dist.join("frame.html"), &page.html)?;
    let manifest = json!({
        "script": script.name,
        "wasm": wasm.name,
        "stylesheet": stylesheet.name,
        "styleHash": page.style_hash,
    });
    fs::write(dist.join("manifest.json"), format!("{manifest:#}\n"))?;
    compress(workspace, profile, &[script.path, wasm.path, stylesheet.path])?;
    Ok(())
}

/// One file of `dist/assets`.
struct Asset {
    name: String,
    path: PathBuf,
}

fn publish(dist: &Path, extension: &str, content: &[u8]) -> Result<Asset> {
    let name = asset_name(extension, content);
    let path = dist.join("assets").join(&name);
    fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    Ok(Asset { name, path })
}

/// `widget-<first 8 hexadecimal digits of the content's SHA-256>.<extension>`.
fn asset_name(extension: &str, content: &[u8]) -> String {
    let hash = tools::hex(&Sha256::digest(content));
    format!("widget-{}.{extension}", &hash[..8])
}

/// Raw, gzip and brotli size of one file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) raw: u64,
    pub(crate) gzip: u64,
    pub(crate) brotli: u64,
}

/// Writes `.br` and `.gz` beside each file and says how large all three are, in order.
///
/// # Errors
/// When Node cannot read or write a file.
pub(crate) fn compress(
    workspace: &Workspace,
    profile: Profile,
    files: &[PathBuf],
) -> Result<Vec<Sizes>> {
    let effort = if profile == Profile::Release { "best" } else { "fast" };
    let mut command = process::Tool::Node.command();
    command.arg(tools::source(workspace).join("compress.mjs")).arg(effort).args(files);
    let text = process::output(&mut command)?;
    let sizes: Vec<_> = text.lines().map_while(parse_sizes).collect();
    anyhow::ensure!(sizes.len() == files.len(), "compress.mjs said something else:\n{text}");
    Ok(sizes)
}

fn parse_sizes(line: &str) -> Option<Sizes> {
    let mut numbers = line.split(' ').map(|word| word.parse::<u64>());
    let mut next = || numbers.next()?.ok();
    Some(Sizes { raw: next()?, gzip: next()?, brotli: next()? })
}

/// Puts `fresh` in the place of `old`; between the two renames `old` is missing, never half made.
fn replace(fresh: &Path, old: &Path) -> Result<()> {
    let aside = old.with_extension("old");
    remove(&aside)?;
    if old.exists() {
        fs::rename(old, &aside)?;
    }
    fs::rename(fresh, old).with_context(|| format!("moving into {}", old.display()))?;
    remove(&aside)
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", directory.display()))
        }
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{Sizes, asset_name, parse_sizes, replace};
    use std::fs;

    #[test]
    fn a_name_holds_the_hash_of_the_content() {
        // The SHA-256 of nothing, FIPS 180-4.
        assert_eq!(asset_name("js", b""), "widget-e3b0c442.js");
        assert_ne!(asset_name("js", b"a"), asset_name("js", b"b"));
    }

    #[test]
    fn sizes_are_read_from_the_script_s_lines() {
        let sizes = Sizes { raw: 10, gzip: 5, brotli: 4 };
        assert_eq!(parse_sizes("10 5 4 a file with spaces"), Some(sizes));
        assert_eq!(parse_sizes("10 5"), None);
        assert_eq!(parse_sizes("ten 5 4 x"), None);
    }

    #[test]
    fn a_directory_is_replaced_whole() {
        let base = std::env::temp_dir().join(format!("xtask-replace-{}", std::process::id()));
        let (fresh, old) = (base.join("dist.tmp"), base.join("dist"));
        for round in ["first", "second"] {
            fs::create_dir_all(&fresh).unwrap();
            fs::write(fresh.join(round), "").unwrap();
            replace(&fresh, &old).unwrap();
        }
        let left: Vec<_> = fs::read_dir(&base).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["dist"]);
        assert!(old.join("second").exists() && !old.join("first").exists());
        fs::remove_dir_all(&base).unwrap();
    }
}
