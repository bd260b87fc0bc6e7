//! esbuild: the frame's module with wasm-bindgen's glue inside, the loader, the stylesheet.

use super::read;
use crate::process;
use crate::tools::NodeTools;
use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the server replaces by the widget's configuration in `/embed/{widget}.js`.
const CONFIG_TOKEN: &str = "__BANTER_CONFIG__";

/// How the glue names its WebAssembly file when nobody tells it another.
const GLUE_DEFAULT: &str = "banter_widget_bg.wasm";

/// Names that the module must know of its neighbours in `/assets/`.
pub(super) struct Names<'name> {
    pub(super) wasm: &'name str,
    pub(super) stylesheet: &'name str,
}

/// esbuild with what all our uses of it have in common.
pub(super) struct Bundler<'build> {
    pub(super) tools: &'build NodeTools,
    pub(super) log: &'build Path,
    pub(super) minify: bool,
}

impl Bundler<'_> {
    /// The frame's ES module. `frame.js` imports the glue as `banter-widget-glue`, whose default
    /// address becomes the real one, and finds the stylesheet's name in `__BANTER_STYLESHEET__`.
    pub(super) fn module(
        &self,
        entry: &Path,
        glue: &Path,
        names: &Names<'_>,
        scratch: &Path,
    ) -> Result<String> {
        let named = scratch.join("glue").join("named.js");
        fs::write(&named, name_wasm(&read(glue)?, names.wasm)?)?;
        let out = scratch.join("widget.js");
        let mut esbuild = self.esbuild(entry);
        esbuild
            .args(["--bundle", "--format=esm", "--target=es2022"])
            .arg(format!("--alias:banter-widget-glue={}", named.display()))
            .arg(format!("--define:__BANTER_STYLESHEET__={}", quoted(names.stylesheet)));
        self.write(&mut esbuild, &out)
    }

    /// The classic script that a host page's tag fetches; it keeps its names to itself already.
    pub(super) fn loader(&self, entry: &Path, out: &Path) -> Result<String> {
        let mut esbuild = self.esbuild(entry);
        esbuild.args(["--bundle", "--format=esm", "--target=es2022"]);
        let script = self.write(&mut esbuild, out)?;
        let tokens = script.matches(CONFIG_TOKEN).count();
        ensure!(tokens == 1, "the loader must name {CONFIG_TOKEN} once, it does {tokens} times");
        Ok(script)
    }

    /// The stylesheet, as browsers with nesting and `:has` read it.
    pub(super) fn stylesheet(&self, entry: &Path, out: &Path) -> Result<String> {
        Ok(self.write(&mut self.esbuild(entry), out)?.trim_end().to_owned())
    }

    fn esbuild(&self, entry: &Path) -> Command {
        let mut command = self.tools.esbuild();
        command.arg(entry).args(["--legal-comments=none", "--charset=utf8", "--log-level=warning"]);
        if self.minify {
            command.arg("--minify");
        }
        command
    }

    fn write(&self, esbuild: &mut Command, out: &Path) -> Result<String> {
        process::logged(esbuild.arg(format!("--outfile={}", out.display())), self.log)?;
        read(out)
    }
}

/// Makes the glue's default address the module's real name, so that `init()` without an argument
/// finds it.
fn name_wasm(glue: &str, wasm: &str) -> Result<String> {
    ensure!(glue.contains(GLUE_DEFAULT), "wasm-bindgen's glue no longer names {GLUE_DEFAULT}");
    Ok(glue.replace(GLUE_DEFAULT, wasm))
}

/// A JavaScript string literal. Asset names need no escapes.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::{name_wasm, quoted};

    #[test]
    fn the_glue_gets_the_module_s_real_name() {
        let glue = "u = new URL('banter_widget_bg.wasm', import.meta.url);";
        let named = name_wasm(glue, "widget-01234567.wasm").unwrap();
        assert_eq!(named, "u = new URL('widget-01234567.wasm', import.meta.url);");
        assert!(name_wasm("u = 1;", "x").is_err());
    }

    #[test]
    fn names_become_literals() {
        assert_eq!(quoted("a.wasm"), r#""a.wasm""#);
    }
}
