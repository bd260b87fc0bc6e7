//! A hundred hostile cells, exported and opened in LibreOffice: it must find no formula. Skipped, with a
//! line that says so, where there is no LibreOffice.

use banter_server::export::{Options, renderer, time_zone};
use banter_shared::message::{Message, MessageStatus, Role};
use banter_shared::owner::export::ExportFormat;
use banter_shared::owner::log::{Log, LogStatus};
use std::path::Path;
use std::process::Command;

/// Cells that some spreadsheet program has computed, fetched or run.
#[cfg(test)]
fn hostile() -> Vec<String> {
    let bodies = [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1,1)",
        "=HYPERLINK(\"http://x.example\",\"y\")",
        "=cmd|' /C calc'!A0",
        "=WEBSERVICE(\"http://x.example\")",
        "=SUM(A1:A9)",
        "{=1+1}",
        "=DDE(\"cmd\";\"/C calc\";\"x\")",
    ];
    let before = ["", "\t", "\r", "\n", "\0", "＝", "＋", " ", "\"", "',"];
    bodies.iter().flat_map(|body| before.iter().map(move |b| format!("{b}{body}"))).collect()
}

/// One session for each cell, with the cell in every text that comes from outside.
#[cfg(test)]
fn export(format: ExportFormat) -> Vec<u8> {
    let mut file = Vec::new();
    let options = Options { time_zone: time_zone("UTC").unwrap(), bom: true };
    let mut renderer = renderer(format, options, &mut file).unwrap();
    for text in hostile() {
        let log = Log {
            id: text.as_str().into(),
            status: LogStatus::Active,
            end_reason: None,
            channel: "chat".into(),
            provider: "engine".into(),
            provider_session: Some(text.clone()),
            account_id: None,
            campaign_id: None,
            campaign: Some(text.clone()),
            widget_id: None,
            page_origin: Some(text.clone()),
            language: Some(text.clone()),
            continues: None,
            created_at: 1_795_000_000_000,
            active_at: None,
            ended_at: None,
            duration_ms: None,
            visitor_messages: 1,
            assistant_messages: 0,
            cost: Some(text.clone()),
            cost_source: Some(text.clone()),
            finalized_at: None,
            usage: None,
            webhook_missing: false,
        };
        renderer.log(&log).unwrap();
        let message = Message {
            id: text.as_str().into(),
            role: Role::Visitor,
            text,
            status: MessageStatus::Complete,
            created_at: 1_795_000_000_000,
            attempt: 0,
            sources: Vec::new(),
            error: None,
        };
        renderer.message(&message).unwrap();
    }
    renderer.finish().unwrap();
    file
}

/// What LibreOffice makes of a file: its own format, as one XML document.
#[cfg(test)]
fn opened(folder: &Path, name: &str, content: &[u8]) -> String {
    std::fs::write(folder.join(name), content).unwrap();
    let profile = format!("-env:UserInstallation=file://{}", folder.join("profile").display());
    let ran = Command::new("soffice")
        .args([&profile, "--headless", "--convert-to", "fods", "--outdir"])
        .arg(folder)
        .arg(folder.join(name))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let stem = name.split('.').next().unwrap();
    std::fs::read_to_string(folder.join(format!("{stem}.fods"))).unwrap()
}

#[test]
fn libreoffice_finds_no_formula() {
    if Command::new("soffice").arg("--version").output().is_err() {
        println!("skipped: LibreOffice is not installed (Debian: libreoffice-calc-nogui)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("book.xlsx", ExportFormat::Xlsx),
        ("logs.csv", ExportFormat::Csv),
        ("messages.csv", ExportFormat::CsvMessages),
    ] {
        let seen = opened(folder.path(), name, &export(format));
        assert!(seen.contains("WEBSERVICE"), "{name}: the cells are there");
        let formulas: Vec<String> = seen
            .split("table:formula=")
            .skip(1)
            .map(|after| after.chars().take(80).collect())
            .collect();
        assert!(formulas.is_empty(), "{name}: {formulas:#?}");
    }
    // What is looked for would be found.
    let seen = opened(folder.path(), "bad.csv", b"\"=1+1\"\r\n=1+1\r\n");
    assert!(seen.matches("table:formula=").count() > 0);
}
