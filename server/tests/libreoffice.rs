//! A hundred hostile cells, exported and opened in LibreOffice: it must find no formula. `cargo xtask test`
//! installs LibreOffice for it.

use banter_server::export::{Options, renderer, time_zone};
use banter_shared::error::ErrorBody;
use banter_shared::message::{Message, MessageStatus, Role, Source};
use banter_shared::owner::export::ExportFormat;
use banter_shared::owner::log::{Log, LogStatus, Usage};
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

/// How many columns of sessions hold text from outside or what a provider or the store may have been made
/// to hold, and how many of messages.
const SESSION_COLUMNS: usize = 18;
const MESSAGE_COLUMNS: usize = 7;

/// As many rows as there are hostile cells; each of them stands in every column once, and never beside
/// itself, because LibreOffice writes equal neighbours as one.
#[cfg(test)]
fn export(format: ExportFormat) -> Vec<u8> {
    let mut file = Vec::new();
    let options = Options { time_zone: time_zone("UTC").unwrap(), bom: true };
    let mut renderer = renderer(format, options, &mut file).unwrap();
    let hostile = hostile();
    for row in 0..hostile.len() {
        let cell = |column: usize| hostile[(row + 11 * column) % hostile.len()].clone();
        let log = Log {
            id: cell(0).as_str().into(),
            status: LogStatus::Active,
            end_reason: None,
            channel: cell(1),
            provider: cell(2),
            provider_session: Some(cell(3)),
            account_id: Some(cell(4)),
            campaign_id: Some(cell(5)),
            campaign: Some(cell(6)),
            widget_id: Some(cell(7).as_str().into()),
            page_origin: Some(cell(8)),
            language: Some(cell(9)),
            continues: Some(cell(10).as_str().into()),
            created_at: 1_795_000_000_000,
            active_at: None,
            ended_at: None,
            duration_ms: None,
            visitor_messages: 1,
            assistant_messages: 0,
            cost: Some(cell(11)),
            cost_source: Some(cell(12)),
            finalized_at: None,
            usage: Some(Usage {
                minutes: cell(13),
                units: cell(14),
                unit: cell(15),
                rate: cell(16),
                rounding: cell(17),
                cost: None,
                billed: false,
                created_at: 1_795_000_000_000,
            }),
            webhook_missing: false,
        };
        renderer.log(&log).unwrap();
        let message = Message {
            id: cell(1).as_str().into(),
            role: Role::Visitor,
            text: cell(2),
            status: MessageStatus::Complete,
            created_at: 1_795_000_000_000,
            attempt: 0,
            sources: vec![Source { title: cell(3), url: None }],
            error: Some(ErrorBody {
                code: cell(4),
                message: String::new(),
                field: None,
                retryable: false,
                request_id: String::new(),
            }),
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
#[ignore = "needs LibreOffice: `cargo xtask test --only office` installs and uses it"]
fn libreoffice_finds_no_formula() {
    let different: std::collections::BTreeSet<String> = hostile().into_iter().collect();
    assert_eq!(different.len(), 100);
    let folder = tempfile::tempdir().unwrap();
    for (name, format, columns) in [
        ("book.xlsx", ExportFormat::Xlsx, SESSION_COLUMNS + MESSAGE_COLUMNS),
        ("logs.csv", ExportFormat::Csv, SESSION_COLUMNS),
        ("messages.csv", ExportFormat::CsvMessages, MESSAGE_COLUMNS),
    ] {
        let seen = opened(folder.path(), name, &export(format));
        // Ten of the hundred, in every column.
        let cells = seen.matches("WEBSERVICE").count();
        assert_eq!(cells, 10 * columns, "{name}: the cells are there");
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
