//! From the widget's Rust to an optimised WebAssembly module and its JavaScript glue.

use super::{Profile, squeeze};
use crate::process::{self, Tool};
use crate::tools::{NodeTools, WASM_BINDGEN, WASM_TARGET};
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `-Oz` is worth about a quarter of the compressed size. The features are those that rustc uses on
/// this target by default; wasm-opt refuses a module that uses one it was not told of.
const WASM_OPT_FLAGS: [&str; 13] = [
    "-Oz",
    "-ocimfs",
    "30",
    "--converge",
    "--closed-world",
    "--strip-debug",
    "--strip-producers",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// The standard library is compiled with the widget, and a panic becomes a trap: 10 KB brotli less
/// than the ready-made one, which carries the text of every panic and the code that writes it. The
/// flags are unstable, which `RUSTC_BOOTSTRAP` lets a stable compiler take; `frame.js` tells the host
/// page of a trap and offers to start anew.
const SMALL_STD: [&str; 2] =
    ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];
const SMALL_STD_FLAGS: &str =
    "-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none";

/// What wasm-bindgen names its files after.
const NAME: &str = "banter_widget";

/// The compiled widget.
pub(super) struct Module {
    pub(super) wasm: PathBuf,
    pub(super) glue: PathBuf,
}

/// Compiles, binds and (for release) optimises the widget.
pub(super) fn compile(
    workspace: &Workspace,
    node_tools: &NodeTools,
    profile: Profile,
    scratch: &Path,
    log: &Path,
) -> Result<Module> {
    let (cargo_profile, directory) = match profile {
        Profile::Release => ("wasm", "wasm"),
        Profile::Dev => ("dev", "debug"),
    };
    let mut cargo = Tool::Cargo.command();
    cargo
        .args(["build", "-p", "banter-widget", "--target", WASM_TARGET, "--profile", cargo_profile])
        .current_dir(&workspace.root);
    if profile == Profile::Release {
        cargo
            .args(SMALL_STD)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", SMALL_STD_FLAGS)
            .env("RUSTC_BOOTSTRAP", "1");
    }
    process::logged(&mut cargo, log)?;

    let compiled = workspace.target.join(WASM_TARGET).join(directory).join(format!("{NAME}.wasm"));
    let glue_directory = scratch.join("glue");
    let mut bindgen = Command::new(WASM_BINDGEN.program(workspace)?);
    bindgen.args(["--target", "web", "--no-typescript", "--out-name", NAME]);
    if profile == Profile::Dev {
        bindgen.arg("--debug");
    }
    process::logged(bindgen.arg("--out-dir").arg(&glue_directory).arg(&compiled), log)?;

    let glue = glue_directory.join(format!("{NAME}.js"));
    let bound = glue_directory.join(format!("{NAME}_bg.wasm"));
    if profile == Profile::Dev {
        return Ok(Module { wasm: bound, glue });
    }
    squeeze::in_place(&bound, &glue)?;
    let optimised = scratch.join(format!("{NAME}.wasm"));
    let mut wasm_opt = node_tools.wasm_opt();
    process::logged(wasm_opt.args(WASM_OPT_FLAGS).arg(&bound).arg("-o").arg(&optimised), log)?;
    Ok(Module { wasm: optimised, glue })
}
