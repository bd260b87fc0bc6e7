//! Takes out of the bound module what no visitor needs and no other tool removes. Measured on the
//! widget, in KB brotli: 4 for code of `wasm-streams`, 4 for the names of imports.
//!
//! - **Code that is exported and never called.** Leptos brings `wasm-streams`, whose classes
//!   wasm-bindgen exports; so the linker keeps them, and their vtables keep the rest. Nothing in
//!   `frame.js` can reach them. Their functions become a trap, and their classes leave the glue.
//! - **Names of imports.** wasm-bindgen gives each a hash of 16 digits, which no compressor can
//!   shorten, once in the module and once in the glue.

mod binary;

use anyhow::{Context as _, Result, ensure};
use binary::Module;
use std::collections::BTreeMap;

/// What the name of a function holds that only dead classes call.
const DEAD_CRATE: &str = "wasm_streams";

/// What the names of those classes begin with in the glue.
const DEAD_CLASS: &str = "IntoUnderlying";

/// The module and its glue, without what nobody needs.
pub(super) fn squeeze(wasm: &[u8], glue: &str) -> Result<(Vec<u8>, String)> {
    let mut module = Module::parse(wasm)?;
    let glue = without_dead_classes(glue);
    module.trap(|name| name.contains(DEAD_CRATE))?;
    // Less the exports that went with the classes: what the glue names, JavaScript may call.
    module.keep_exports(|name| names(&glue, name))?;
    let short = short_names(&module.imports()?);
    module.rename_imports(&short)?;
    let glue = renamed(&glue, &short);
    Ok((module.write(), glue))
}

/// Whether `text` holds `name` as a whole word.
fn names(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

/// A name of one or two letters for each, in order.
fn short_names(imports: &[String]) -> BTreeMap<String, String> {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let all = letters.chars().flat_map(|a| letters.chars().map(move |b| format!("{a}{b}")));
    imports.iter().cloned().zip(all).collect()
}

/// The glue with its imports renamed. Each stands in it once, as the key of an object.
fn renamed(glue: &str, short: &BTreeMap<String, String>) -> String {
    glue.lines()
        .map(|line| {
            let indent = line.len() - line.trim_start().len();
            let (indent, rest) = line.split_at(indent);
            match rest.split_once(':').and_then(|(key, value)| Some((short.get(key)?, value))) {
                Some((key, value)) => format!("{indent}{key}:{value}\n"),
                None => format!("{line}\n"),
            }
        })
        .collect()
}

/// The glue without the classes that nobody constructs: from `export class …` to its last brace, and
/// the single lines that are about one.
fn without_dead_classes(glue: &str) -> String {
    let mut out = String::with_capacity(glue.len());
    let mut skip_to = None;
    for line in glue.lines() {
        if let Some(end) = skip_to {
            if line.starts_with(end) {
                skip_to = None;
            }
            continue;
        }
        if line.starts_with(&format!("export class {DEAD_CLASS}")) {
            skip_to = Some("}");
        } else if line.starts_with(&format!("const {DEAD_CLASS}")) {
            skip_to = (!line.ends_with(';')).then_some("    :");
        } else if !line.starts_with(&format!("if (Symbol.dispose) {DEAD_CLASS}")) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The bound module and its glue on disk, squeezed in place.
pub(super) fn in_place(wasm: &std::path::Path, glue: &std::path::Path) -> Result<()> {
    let bytes = std::fs::read(wasm).with_context(|| format!("reading {}", wasm.display()))?;
    let text = super::read(glue)?;
    let (bytes, text) = squeeze(&bytes, &text)?;
    ensure!(!text.contains(DEAD_CLASS), "the glue still names {DEAD_CLASS}: wasm-bindgen changed");
    std::fs::write(wasm, bytes)?;
    std::fs::write(glue, text)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{names, renamed, short_names, without_dead_classes};

    #[test]
    fn a_name_counts_only_as_a_whole_word() {
        assert!(names("wasm.start_frame(1)", "start_frame"));
        assert!(!names("wasm.start_frames(1)", "start_frame"));
        assert!(!names("restart_frame()", "start_frame"));
        assert!(names("start_frames; start_frame", "start_frame"));
    }

    #[test]
    fn imports_are_renamed_where_they_are_keys() {
        let imports = ["__wbg_log_0123456789abcdef".to_owned(), "__wbg_x_1".to_owned()];
        let short = short_names(&imports);
        let glue = "    {\n        __wbg_log_0123456789abcdef: function(a) { f(a ? b : c); },\n";
        assert_eq!(renamed(glue, &short), "    {\n        aa: function(a) { f(a ? b : c); },\n");
        assert_eq!(short["__wbg_x_1"], "ab");
    }

    #[test]
    fn dead_classes_leave_the_glue_and_others_stay() {
        let glue = "export class Handle {\n    free() {\n    }\n}\n\
                    export class IntoUnderlyingSource {\n    pull() {\n    }\n}\n\
                    if (Symbol.dispose) IntoUnderlyingSource.prototype.x = 1;\n\
                    const HandleFinalization = (typeof F === 'undefined')\n    ? {}\n    : new F();\n\
                    const IntoUnderlyingSourceFinalization = (typeof F === 'undefined')\n    ? {}\n    : new F();\n\
                    let wasm;\n";
        assert_eq!(
            without_dead_classes(glue),
            "export class Handle {\n    free() {\n    }\n}\n\
             const HandleFinalization = (typeof F === 'undefined')\n    ? {}\n    : new F();\nlet wasm;\n"
        );
    }
}
