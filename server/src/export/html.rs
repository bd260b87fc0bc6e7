//! One HTML file with everything in it: no script, nothing fetched, made to be printed.

use super::table::{author, sources, status};
use super::txt::{facts, harmless};
use super::{BOM, Local, Options, Render};
use banter_shared::message::{Message, MessageStatus};
use banter_shared::owner::log::Log;
use std::io::{Result, Write};

/// Everything before the first transcript. The policy forbids what escaping already prevents.
const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chat logs</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 0 auto; padding: 1rem; }
article { margin: 0 0 3rem; border-top: 2px solid; }
h2 { font-size: 1rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; font-size: .875rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
section { margin: 1rem 0; padding: .5rem .75rem; border: 1px solid; border-radius: .5rem; break-inside: avoid; }
section.visitor { margin-inline-start: 3rem; }
section.assistant { margin-inline-end: 3rem; }
h3 { margin: 0; font-size: .75rem; font-weight: 600; }
p, footer { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: .5rem; font-size: .75rem; }
@media print { body { max-width: none; padding: 0; } article + article { break-before: page; } }
</style>
</head>
<body>
<h1>Chat logs</h1>
"#;

/// Transcripts, one below the other.
pub(super) struct Page<W> {
    out: W,
    local: Local,
    open: bool,
}

impl<W: Write> Page<W> {
    pub(super) fn new(options: Options, mut out: W) -> Result<Self> {
        if options.bom {
            out.write_all(BOM)?;
        }
        out.write_all(HEAD.as_bytes())?;
        Ok(Self { out, local: Local::new(options.time_zone), open: false })
    }

    fn end(&mut self) -> Result<()> {
        if std::mem::take(&mut self.open) {
            self.out.write_all(b"</article>\n")?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Render for Page<W> {
    fn log(&mut self, log: &Log) -> Result<()> {
        self.end()?;
        self.open = true;
        writeln!(self.out, "<article>\n<h2>Log {}</h2>\n<dl>", escape(log.id.as_str()))?;
        for (name, value) in facts(log, &self.local) {
            writeln!(self.out, "<dt>{name}</dt><dd dir=\"auto\">{}</dd>", escape(&value))?;
        }
        writeln!(self.out, "</dl>")
    }

    fn message(&mut self, message: &Message) -> Result<()> {
        let author = author(message.role);
        let at = self.local.plain(message.created_at);
        let exact = self.local.exact(message.created_at);
        write!(
            self.out,
            "<section class=\"{author}\"><h3>{author} · <time datetime=\"{exact}\">{at}</time>"
        )?;
        if message.status != MessageStatus::Complete {
            write!(self.out, " · {}", status(message.status))?;
        }
        write!(self.out, "</h3><p dir=\"auto\">{}</p>", escape(&message.text))?;
        if let Some(sources) = sources(message) {
            write!(self.out, "<footer dir=\"auto\">Sources:\n{}</footer>", escape(&sources))?;
        }
        writeln!(self.out, "</section>")
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.end()?;
        self.out.write_all(b"</body>\n</html>\n")?;
        self.out.flush()
    }
}

/// Text that is nothing but text wherever it stands in HTML, also in a quoted attribute.
fn escape(text: &str) -> String {
    let text = harmless(text);
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
