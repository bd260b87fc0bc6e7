//! `cargo xtask size`: what a visitor downloads, held against what we promised and what peers weigh.

use crate::build::{self, Profile, Sizes};
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// The loader with its configuration, brotli: every page view of every customer pays it.
const LOADER_BUDGET: u64 = 4_096;
/// Everything up to a panel that can be typed in, brotli. 80 decimal kilobytes.
const TOTAL_BUDGET: u64 = 80_000;
/// To a usable panel, in brotli kilobytes, measured by us with the same setting.
const PEERS: &str = "peers to a usable panel: Vapi 158 KB, ElevenLabs 161 KB, deep-chat 92 KB";

/// A configuration like an owner's, as the loader carries it; a test checks it against the type.
const LOADER_CONFIG: &str = include_str!("../samples/loader-config.json");
/// The same for the panel.
const WIDGET_CONFIG: &str = include_str!("../samples/widget-config.json");

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: &'static str,
    sizes: Sizes,
    /// Part of another line, so not part of the sum.
    inside: bool,
}

/// `cargo xtask size`.
///
/// # Errors
/// When there is no release build in `dist/`, or with `check` when a budget is exceeded.
pub(crate) fn command(workspace: &Workspace, check: bool) -> Result<()> {
    let rows = measure(workspace)?;
    print!("{}", table(&rows));
    println!("{PEERS}");
    let over = over_budget(&rows);
    if check && !over.is_empty() {
        bail!("over budget: {}", over.join("; "));
    }
    Ok(())
}

fn measure(workspace: &Workspace) -> Result<Vec<Row>> {
    let dist = workspace.dist();
    let read = |name: &str| {
        fs::read_to_string(dist.join(name))
            .with_context(|| format!("no dist/{name}: run `cargo xtask build`"))
    };
    let manifest: Value = serde_json::from_str(&read("manifest.json")?)?;
    let name = |key: &str| {
        manifest[key].as_str().with_context(|| format!("dist/manifest.json has no {key}"))
    };
    let (script, wasm, stylesheet) = (name("script")?, name("wasm")?, name("stylesheet")?);

    let scratch = workspace.scratch().join("size");
    fs::create_dir_all(&scratch)?;
    let rendered = |file: &str, content: String| -> Result<PathBuf> {
        let path = scratch.join(file);
        fs::write(&path, content)?;
        Ok(path)
    };
    let copied = |asset: &str| -> Result<PathBuf> {
        let path = scratch.join(asset);
        fs::copy(dist.join("assets").join(asset), &path)
            .with_context(|| format!("copying dist/assets/{asset}"))?;
        Ok(path)
    };
    let files = [
        rendered("loader.js", loader(&read("loader.js")?, script)?)?,
        rendered("frame.html", page(&read("frame.html")?)?)?,
        copied(stylesheet)?,
        copied(script)?,
        copied(wasm)?,
    ];
    let sizes = build::compress(workspace, Profile::Release, &files)?;
    let lines = [
        ("loader, with configuration", false),
        ("frame page, with configuration", false),
        ("  of it the stylesheet", true),
        ("module (glue and frame.js)", false),
        ("wasm", false),
    ];
    Ok(lines
        .into_iter()
        .zip(sizes)
        .map(|((name, inside), sizes)| Row { name, sizes, inside })
        .collect())
}

/// The loader as the server sends it.
fn loader(template: &str, script: &str) -> Result<String> {
    let mut config: Value = serde_json::from_str(LOADER_CONFIG)?;
    config["module"] = script.into();
    Ok(build::fill(template, &[("__BANTER_CONFIG__", &config.to_string())]))
}

/// The frame page as the server sends it.
fn page(template: &str) -> Result<String> {
    let config: Value = serde_json::from_str(WIDGET_CONFIG)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let strings = &config["strings"];
    Ok(build::fill(
        template,
        &[
            ("__LANG__", "en"),
            ("__DIR__", "ltr"),
            ("__TITLE__", &text(&config["title"])),
            ("__HOST__", "https://shop.example"),
            ("__PLACEHOLDER__", &text(&strings["placeholder"])),
            ("__MESSAGE__", &text(&strings["message"])),
            ("__SEND__", &text(&strings["send"])),
            ("__CONFIG__", &config.to_string()),
        ],
    ))
}

fn total(rows: &[Row]) -> Sizes {
    rows.iter().filter(|row| !row.inside).fold(Sizes::default(), |sum, row| Sizes {
        raw: sum.raw + row.sizes.raw,
        gzip: sum.gzip + row.sizes.gzip,
        brotli: sum.brotli + row.sizes.brotli,
    })
}

fn over_budget(rows: &[Row]) -> Vec<String> {
    let loader = rows.first().map_or(0, |row| row.sizes.brotli);
    [("loader", loader, LOADER_BUDGET), ("total", total(rows).brotli, TOTAL_BUDGET)]
        .into_iter()
        .filter(|(_, size, budget)| size > budget)
        .map(|(name, size, budget)| format!("{name} {size} B of {budget} B brotli"))
        .collect()
}

fn table(rows: &[Row]) -> String {
    let line = |name: &str, sizes: Sizes, budget: &str| {
        let Sizes { raw, gzip, brotli } = sizes;
        format!("{name:<32}{raw:>10}{gzip:>10}{brotli:>10}{budget:>10}\n")
    };
    let mut text =
        format!("{:<32}{:>10}{:>10}{:>10}{:>10}\n", "bytes", "raw", "gzip", "brotli", "budget");
    for (index, row) in rows.iter().enumerate() {
        let budget = if index == 0 { LOADER_BUDGET.to_string() } else { String::new() };
        text += &line(row.name, row.sizes, &budget);
    }
    text + &line("total to a usable panel", total(rows), &TOTAL_BUDGET.to_string())
}

#[cfg(test)]
mod tests {
    use super::{
        LOADER_CONFIG, Row, Sizes, WIDGET_CONFIG, loader, over_budget, page, table, total,
    };
    use banter_shared::widget::{LoaderConfig, Strings, WidgetConfig};

    fn row(name: &'static str, brotli: u64, inside: bool) -> Row {
        Row { name, sizes: Sizes { raw: brotli * 3, gzip: brotli + 1, brotli }, inside }
    }

    #[test]
    fn what_is_inside_another_line_is_not_counted_twice() {
        let rows = [row("loader", 1, false), row("page", 10, false), row("css", 5, true)];
        assert_eq!(total(&rows), Sizes { raw: 33, gzip: 13, brotli: 11 });
        assert!(table(&rows).contains("total to a usable panel"));
    }

    #[test]
    fn a_budget_is_kept_up_to_its_last_byte() {
        for (loader, wasm, expected) in
            [(4096, 75_904, 0), (4097, 0, 1), (4096, 75_905, 1), (5000, 80_000, 2)]
        {
            let rows = [row("loader", loader, false), row("wasm", wasm, false)];
            assert_eq!(over_budget(&rows).len(), expected, "{loader} {wasm}");
        }
    }

    #[test]
    fn the_samples_are_what_the_server_sends() {
        let config: LoaderConfig = serde_json::from_str(LOADER_CONFIG).unwrap();
        let same: serde_json::Value = serde_json::from_str(LOADER_CONFIG).unwrap();
        assert_eq!(serde_json::to_value(&config).unwrap(), same);
        let config: WidgetConfig = serde_json::from_str(WIDGET_CONFIG).unwrap();
        let same: serde_json::Value = serde_json::from_str(WIDGET_CONFIG).unwrap();
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            same,
            "regenerate samples/widget-config.json"
        );
        assert_eq!(config.strings, Strings::english());
    }

    #[test]
    fn rendering_leaves_no_token() {
        let script = loader("f(__BANTER_CONFIG__)", "widget-01234567.js").unwrap();
        assert!(script.contains("widget-01234567.js") && !script.contains("__"), "{script}");
        let html = page(
            "__LANG__ __DIR__ __TITLE__ __HOST__ __PLACEHOLDER__ __MESSAGE__ __SEND__ __CONFIG__",
        );
        assert!(!html.unwrap().contains("__"));
    }
}
