//! Just enough of the WebAssembly binary format to rename imports, drop exports and empty functions.
//!
//! Source: WebAssembly core specification 2.0, section 5 (binary format) and 7.4.1 (name section).
//! Everything else is passed through untouched.

use anyhow::{Context as _, Result, bail, ensure};
use std::collections::{BTreeMap, HashMap};

/// Magic and version.
const HEADER: usize = 8;

const CUSTOM: u8 = 0;
const IMPORT: u8 = 2;
const EXPORT: u8 = 7;
const CODE: u8 = 10;

/// No locals, `unreachable`, `end`.
const TRAP: [u8; 3] = [0x00, 0x00, 0x0b];

/// A module as its sections.
pub(super) struct Module {
    header: Vec<u8>,
    sections: Vec<(u8, Vec<u8>)>,
}

/// One import: module, name, and the rest as it is.
struct Import<'wasm> {
    module: &'wasm [u8],
    name: &'wasm str,
    kind: u8,
    description: &'wasm [u8],
}

impl Module {
    pub(super) fn parse(wasm: &[u8]) -> Result<Self> {
        ensure!(wasm.starts_with(b"\0asm"), "not a WebAssembly module");
        let header = wasm.get(..HEADER).context("a module that ends in its header")?.to_vec();
        let mut reader = Reader { bytes: wasm, at: HEADER };
        let mut sections = Vec::new();
        while !reader.is_empty() {
            sections.push((reader.byte()?, reader.sized()?.to_vec()));
        }
        Ok(Self { header, sections })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = self.header.clone();
        for (id, content) in &self.sections {
            out.push(*id);
            put_sized(&mut out, content);
        }
        out
    }

    /// The names of all imports, in order.
    pub(super) fn imports(&self) -> Result<Vec<String>> {
        Ok(imports(self.section(IMPORT))?.iter().map(|import| import.name.to_owned()).collect())
    }

    pub(super) fn rename_imports(&mut self, names: &BTreeMap<String, String>) -> Result<()> {
        let list = imports(self.section(IMPORT))?;
        let mut out = Vec::new();
        put_number(&mut out, list.len());
        for import in list {
            put_sized(&mut out, import.module);
            let name = names.get(import.name).map_or(import.name, String::as_str);
            put_sized(&mut out, name.as_bytes());
            out.push(import.kind);
            out.extend(import.description);
        }
        self.replace(IMPORT, out);
        Ok(())
    }

    /// Drops the exports whose name is not to be kept.
    pub(super) fn keep_exports(&mut self, keep: impl Fn(&str) -> bool) -> Result<()> {
        let mut reader = Reader { bytes: self.section(EXPORT), at: 0 };
        let mut kept = Vec::new();
        for _ in 0..reader.number()? {
            let start = reader.at;
            let name = reader.text()?;
            reader.byte()?;
            reader.number()?;
            if keep(name) {
                kept.push(&reader.bytes[start..reader.at]);
            }
        }
        let mut out = Vec::new();
        put_number(&mut out, kept.len());
        out.extend(kept.concat());
        self.replace(EXPORT, out);
        Ok(())
    }

    /// Empties every function whose name says so: calling it traps.
    pub(super) fn trap(&mut self, is_dead: impl Fn(&str) -> bool) -> Result<()> {
        let imported = imports(self.section(IMPORT))?.iter().filter(|i| i.kind == 0).count();
        let names = self.function_names()?;
        let mut reader = Reader { bytes: self.section(CODE), at: 0 };
        let count = reader.number()?;
        let mut out = Vec::new();
        put_number(&mut out, count);
        for index in 0..count {
            let body = reader.sized()?;
            let dead = names.get(&(imported + index)).is_some_and(|name| is_dead(name));
            put_sized(&mut out, if dead { &TRAP } else { body });
        }
        self.replace(CODE, out);
        Ok(())
    }

    fn function_names(&self) -> Result<HashMap<usize, &str>> {
        let mut names = HashMap::new();
        for (_, content) in self.sections.iter().filter(|(id, _)| *id == CUSTOM) {
            let mut reader = Reader { bytes: content, at: 0 };
            if reader.text()? != "name" {
                continue;
            }
            while !reader.is_empty() {
                let (kind, content) = (reader.byte()?, reader.sized()?);
                let mut reader = Reader { bytes: content, at: 0 };
                // Subsection 1 names functions.
                if kind == 1 {
                    for _ in 0..reader.number()? {
                        names.insert(reader.number()?, reader.text()?);
                    }
                }
            }
        }
        Ok(names)
    }

    /// A section's content; an absent one is an empty list.
    fn section(&self, id: u8) -> &[u8] {
        self.sections
            .iter()
            .find(|(section, _)| *section == id)
            .map_or(&[0], |(_, content)| content)
    }

    fn replace(&mut self, id: u8, content: Vec<u8>) {
        if let Some(section) = self.sections.iter_mut().find(|(section, _)| *section == id) {
            section.1 = content;
        }
    }
}

fn imports(section: &[u8]) -> Result<Vec<Import<'_>>> {
    let mut reader = Reader { bytes: section, at: 0 };
    let count = reader.number()?;
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        let (module, name, kind) = (reader.sized()?, reader.text()?, reader.byte()?);
        let start = reader.at;
        match kind {
            // A function's type, or a tag's attribute and type.
            0 => _ = reader.number()?,
            // A table: element type and limits. A memory: limits.
            1 => {
                reader.byte()?;
                reader.limits()?;
            }
            2 => reader.limits()?,
            // A global: type and mutability.
            3 => {
                reader.byte()?;
                reader.byte()?;
            }
            other => bail!("an import of kind {other}, which this tool does not know"),
        }
        list.push(Import { module, name, kind, description: &section[start..reader.at] });
    }
    Ok(list)
}

/// Reads a section from front to back.
struct Reader<'wasm> {
    bytes: &'wasm [u8],
    at: usize,
}

impl<'wasm> Reader<'wasm> {
    fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).context("a section that ends too early")?;
        self.at += 1;
        Ok(byte)
    }

    /// An unsigned LEB128 of at most 32 bits.
    fn number(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("a number of more than 32 bits")
    }

    /// A length, and as many bytes.
    fn sized(&mut self) -> Result<&'wasm [u8]> {
        let length = self.number()?;
        let end = self.at + length;
        let bytes = self.bytes.get(self.at..end).context("a section that ends too early")?;
        self.at = end;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'wasm str> {
        Ok(std::str::from_utf8(self.sized()?)?)
    }

    fn limits(&mut self) -> Result<()> {
        let has_maximum = self.byte()? & 1 == 1;
        self.number()?;
        if has_maximum {
            self.number()?;
        }
        Ok(())
    }
}

fn put_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0x7f);
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::{Module, put_sized};
    use std::collections::BTreeMap;

    /// A module that imports `env.long_name`, defines two functions `alive` and `dead`, and exports both.
    fn module() -> Vec<u8> {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        let section = |wasm: &mut Vec<u8>, id, content: &[u8]| {
            wasm.push(id);
            put_sized(wasm, content);
        };
        section(&mut wasm, 1, b"\x01\x60\0\0");
        section(&mut wasm, 2, b"\x01\x03env\x09long_name\0\0");
        section(&mut wasm, 3, b"\x02\0\0");
        section(&mut wasm, 7, b"\x02\x05alive\0\x01\x04dead\0\x02");
        section(&mut wasm, 10, b"\x02\x04\0\x10\0\x0b\x04\0\x10\0\x0b");
        let mut names = Vec::new();
        put_sized(&mut names, b"name");
        names.push(1);
        put_sized(&mut names, b"\x02\x01\x05alive\x02\x04dead");
        section(&mut wasm, 0, &names);
        wasm
    }

    #[test]
    fn what_is_not_touched_stays_as_it_is() {
        assert_eq!(Module::parse(&module()).unwrap().write(), module());
    }

    #[test]
    fn imports_are_renamed_exports_dropped_and_functions_emptied() {
        let mut parsed = Module::parse(&module()).unwrap();
        assert_eq!(parsed.imports().unwrap(), ["long_name"]);
        parsed.trap(|name| name == "dead").unwrap();
        parsed.keep_exports(|name| name == "alive").unwrap();
        parsed.rename_imports(&BTreeMap::from([("long_name".into(), "a".into())])).unwrap();
        let text = parsed.write();
        let holds = |bytes: &[u8]| text.windows(bytes.len()).any(|window| window == bytes);
        assert!(holds(b"\x03env\x01a\0\0"));
        assert!(holds(b"\x01\x05alive\0\x01") && !holds(b"\x04dead\0\x02"));
        assert!(holds(b"\x02\x04\0\x10\0\x0b\x03\0\0\x0b"));
    }

    #[test]
    fn a_broken_module_is_an_error() {
        assert!(Module::parse(b"<html>").is_err());
        let wasm = module();
        assert!(Module::parse(&wasm[..wasm.len() - 3]).is_err());
    }
}
