//! What `cargo xtask help` prints.

/// The whole command line on one screen.
pub(crate) const TEXT: &str = "\
cargo xtask <command>

  run [--port 8787] [--open] [--dev] [--provider vapi-double] [-- server flags]
                   install what is missing, build everything, serve the demo on 127.0.0.1;
                   with a provider, its assistant is run by that stand-in
  setup            only install what is missing (wasm target, wasm-bindgen, wasm-opt, esbuild, trunk)
  build [--dev]    only the front end, into dist/
  trunk ARGS...    the pinned trunk with the pinned wasm-bindgen, e.g. `cargo xtask trunk serve`
  size [--check]   what a visitor downloads; --check fails over budget
  arrows           who may depend on whom, and what no file may hold
  test [--only STEP]
                   every check and test; the last line is `N passed, N failed`
                   steps: setup fmt arrows build clippy clippy-wasm doc deny advisories test
                   test-postgres crash office size e2e

Tools are kept in $XDG_CACHE_HOME/banter (or ~/.cache/banter); logs in target/xtask/logs.";
