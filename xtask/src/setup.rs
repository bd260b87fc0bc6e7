//! `cargo xtask setup`: installs what is missing, into the user's cache, and nothing else. Whatever
//! builds the server gets `make` besides, from Debian's packages, should that be missing.
//!
//! cargo's tools are compiled without optimisation: they work on a few hundred kilobytes, and
//! `opt-level=0` compiles them in half the time.

use crate::debian;
use crate::process::{self, Tool};
use crate::progress::Progress;
use crate::tools::{self, CARGO_DENY, CargoTool, NodeTools, TRUNK, WASM_BINDGEN, WASM_TARGET};
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many steps [`for_front_end`] takes.
pub(crate) const FRONT_END_STEPS: usize = 3;

const ALREADY_THERE: &str = "already there";

/// Installs everything that `run`, `build` and `trunk serve` need.
///
/// # Errors
/// When something cannot be installed, with what to do about it.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    let mut progress = Progress::new(FRONT_END_STEPS + 1);
    for_front_end(workspace, &mut progress)?;
    cargo_tool(workspace, &mut progress, TRUNK)?;
    println!(
        "setup complete in {:.0} s; tools in {}",
        progress.seconds(),
        workspace.cache.display()
    );
    Ok(())
}

/// Installs what `build` needs, in [`FRONT_END_STEPS`] steps.
///
/// # Errors
/// As [`command`].
pub(crate) fn for_front_end(workspace: &Workspace, progress: &mut Progress) -> Result<()> {
    progress.step(&format!("Rust target {WASM_TARGET} and library source"), || {
        wasm_target(workspace)
    })?;
    cargo_tool(workspace, progress, WASM_BINDGEN)?;
    progress.step("wasm-opt and esbuild from npm", || node_tools(workspace))?;
    Ok(())
}

/// Installs what `build` needs without saying so: `test` has progress lines of its own.
///
/// # Errors
/// As [`command`].
pub(crate) fn quietly(workspace: &Workspace) -> Result<()> {
    wasm_target(workspace)?;
    install(workspace, WASM_BINDGEN)?;
    node_tools(workspace)?;
    Ok(())
}

/// Installs `make`, with which the server's allocator is compiled, where not even that is.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn make(workspace: &Workspace) -> Result<()> {
    if process::output(Command::new("make").arg("--version")).is_ok() {
        return Ok(());
    }
    let advice = "no make was found and apt-get could not install one: install it";
    let log = workspace.log("make");
    process::start_log(&log)?;
    debian::install("make", &log, advice)
}

/// Installs cargo-deny, which only `test` needs.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<String> {
    install(workspace, CARGO_DENY)
}

/// Installs trunk.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn trunk_tool(workspace: &Workspace) -> Result<String> {
    install(workspace, TRUNK)
}

/// Runs the pinned trunk. It finds the pinned wasm-bindgen on `PATH` and so downloads nothing.
///
/// # Errors
/// When a tool cannot be installed or trunk fails.
pub(crate) fn trunk(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if [WASM_BINDGEN, TRUNK].iter().any(|tool| tool.find(workspace).is_none()) {
        command(workspace)?;
    }
    let ours = [WASM_BINDGEN, TRUNK].map(|tool| tool.directory(workspace).join("bin"));
    let inherited = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(ours.into_iter().chain(env::split_paths(&inherited)))
        .context("a directory in PATH holds a colon")?;
    let status = Command::new(TRUNK.program(workspace)?)
        .args(arguments)
        .current_dir(&workspace.root)
        .env("PATH", path)
        .status()?;
    if !status.success() {
        bail!("trunk: {status}");
    }
    Ok(())
}

fn cargo_tool(workspace: &Workspace, progress: &mut Progress, tool: CargoTool) -> Result<()> {
    let wait = if tool.find(workspace).is_some() {
        String::new()
    } else {
        format!(" (about {} s on two cores)", tool.seconds)
    };
    let name = format!("{} {}{wait}", tool.package, tool.version);
    progress.step(&name, || install(workspace, tool))?;
    Ok(())
}

/// The target, for everyday builds, and the standard library's source, for the small one that
/// visitors get.
fn wasm_target(workspace: &Workspace) -> Result<String> {
    let ask = |arguments: &[&str]| -> Result<PathBuf> {
        let mut question = Tool::Rustc.command();
        Ok(PathBuf::from(process::output(question.args(arguments))?.trim()))
    };
    let library = ask(&["--print", "target-libdir", "--target", WASM_TARGET])?;
    let source = ask(&["--print", "sysroot"])?.join("lib/rustlib/src/rust/library/Cargo.toml");
    let log = workspace.log("rust-target");
    process::start_log(&log)?;
    let mut result = ALREADY_THERE;
    for (there, arguments) in [
        (library.is_dir(), ["target", "add", WASM_TARGET]),
        (source.is_file(), ["component", "add", "rust-src"]),
    ] {
        if there {
            continue;
        }
        result = "";
        process::logged(Command::new("rustup").args(arguments), &log).with_context(|| {
            format!(
                "the Rust toolchain lacks something and rustup could not add it. With rustup: `rustup {}`. \
                 With Debian's Rust: `apt-get install libstd-rust-dev-wasm32 rust-src`",
                arguments.join(" ")
            )
        })?;
    }
    Ok(result.to_owned())
}

fn install(workspace: &Workspace, tool: CargoTool) -> Result<String> {
    if tool.find(workspace).is_some() {
        return Ok(ALREADY_THERE.to_owned());
    }
    fs::create_dir_all(&workspace.cache)
        .with_context(|| format!("creating {}", workspace.cache.display()))?;
    let log = workspace.log(tool.package);
    process::start_log(&log)?;
    // Kept until it succeeds, so that an interrupted installation goes on where it stopped.
    let build = workspace.cache.join(format!("compiling-{}", tool.package));
    let mut install = Tool::Cargo.command();
    install
        .args(["install", "--locked", "--quiet", tool.package])
        .args(["--version", tool.version, "--bin", tool.binary])
        .arg("--root")
        .arg(tool.directory(workspace))
        .arg("--target-dir")
        .arg(&build)
        .current_dir(&workspace.cache)
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    process::logged(&mut install, &log)?;
    fs::remove_dir_all(&build).with_context(|| format!("removing {}", build.display()))?;
    tool.program(workspace)?;
    Ok(String::new())
}

fn node_tools(workspace: &Workspace) -> Result<String> {
    tools::check_node()?;
    let tools = NodeTools::of(workspace)?;
    if tools.installed() {
        return Ok(ALREADY_THERE.to_owned());
    }
    let fresh = tools.directory.with_extension(format!("new-{}", std::process::id()));
    fs::create_dir_all(&fresh).with_context(|| format!("creating {}", fresh.display()))?;
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        fs::copy(tools::source(workspace).join(file), fresh.join(file))?;
    }
    let log = workspace.log("npm-tools");
    process::start_log(&log)?;
    npm_ci(&fresh, &log)?;
    match fs::rename(&fresh, &tools.directory) {
        // Another clone was faster: same lock file, same tools.
        Err(_) if tools.installed() => fs::remove_dir_all(&fresh)?,
        outcome => outcome.context("moving the npm tools into place")?,
    }
    Ok(String::new())
}

/// Installs exactly what the lock file in `directory` says; no package runs a script.
///
/// # Errors
/// When npm fails, e.g. for lack of network.
pub(crate) fn npm_ci(directory: &Path, log: &Path) -> Result<()> {
    let mut install = Tool::Npm.command();
    install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(directory);
    process::logged(&mut install, log)
}
