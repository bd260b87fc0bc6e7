//! Where things are: the repository, cargo's target directory, the user's cache.

use crate::process::{self, Tool};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};

/// The directories every chore works in.
pub(crate) struct Workspace {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, wherever the user keeps it.
    pub(crate) target: PathBuf,
    /// Ours in the user's cache: survives `cargo clean` and is shared by all clones.
    pub(crate) cache: PathBuf,
}

impl Workspace {
    /// Asks cargo and the environment.
    ///
    /// # Errors
    /// When cargo cannot read the workspace, or the user has neither `XDG_CACHE_HOME` nor `HOME`.
    pub(crate) fn find() -> Result<Self> {
        // `cargo xtask` sets the variable; the built-in value serves a binary started by hand.
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir.parent().context("xtask has no parent directory")?.to_owned();
        let text = process::output(Tool::Cargo.command().current_dir(&root).args([
            "metadata",
            "--format-version=1",
            "--no-deps",
        ]))?;
        let metadata: Value = serde_json::from_str(&text).context("reading cargo metadata")?;
        let target = metadata["target_directory"].as_str().context("no target_directory")?;
        Ok(Self { target: PathBuf::from(target), cache: cache()?, root })
    }

    /// Where our own intermediate files go.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// The log of one step.
    pub(crate) fn log(&self, step: &str) -> PathBuf {
        self.scratch().join("logs").join(format!("{step}.log"))
    }

    /// What the server embeds.
    pub(crate) fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// A path for people: relative to the repository where it can be.
    pub(crate) fn short<'path>(&self, path: &'path Path) -> &'path Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        // The XDG specification: a relative path is invalid and must be ignored.
        Some(path) if path.is_absolute() => path,
        _ => PathBuf::from(env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    Ok(base.join("banter"))
}
