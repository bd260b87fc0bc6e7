//! Whether a database is sound: what its own tools say of it, and that rows which are written together
//! are there together.

use super::database;
use std::path::Path;

/// Rows that no transaction leaves behind, however it ends; each query counts some.
const IMPOSSIBLE: [(&str, &str); 5] = [
    (
        "messages that are there twice",
        "SELECT count(*) FROM (SELECT 1 FROM messages GROUP BY session_id, id
         HAVING count(*) > 1) AS doubled",
    ),
    (
        "messages of no session",
        "SELECT count(*) FROM messages WHERE NOT EXISTS
         (SELECT 1 FROM sessions WHERE sessions.id = session_id)",
    ),
    (
        "events of no session",
        "SELECT count(*) FROM session_events WHERE NOT EXISTS
         (SELECT 1 FROM sessions WHERE sessions.id = session_id)",
    ),
    (
        "sessions that count other questions than they have",
        "SELECT count(*) FROM sessions WHERE visitor_messages <> (SELECT count(*) FROM messages
         WHERE session_id = sessions.id AND role = 'visitor')",
    ),
    (
        "sessions that count other answers than they have",
        "SELECT count(*) FROM sessions WHERE assistant_messages <> (SELECT count(*) FROM messages
         WHERE session_id = sessions.id AND id LIKE '%.a' AND status = 'complete')",
    ),
];

/// Checks the database of the server whose settings and data are in `folder`.
///
/// # Panics
/// When it is not sound.
pub(crate) fn check(folder: &Path) {
    let url = database::named_in(folder);
    let file = folder.join("data/banter.db");
    let numbers = |sql: &str| database::numbers(&url, &file, sql);
    for (what, count) in IMPOSSIBLE {
        assert_eq!(numbers(count), [0], "{what}");
    }
    if url.is_empty() {
        let file = rusqlite::Connection::open(&file).unwrap();
        let said: String =
            file.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(said, "ok");
        assert_eq!(numbers("SELECT count(*) FROM pragma_foreign_key_check"), [0]);
    } else {
        check_postgres(&url, numbers);
    }
}

/// What `pg_amcheck` asks: every index against its table, every page of every table. The extension comes
/// with PostgreSQL, on some systems in a package of its own (`postgresql-contrib`).
fn check_postgres(url: &str, numbers: impl Fn(&str) -> Vec<i64>) {
    let here = numbers("SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'");
    assert_eq!(here, [1], "PostgreSQL's extension amcheck has to be installed");
    database::run(
        url,
        Path::new(""),
        "CREATE EXTENSION IF NOT EXISTS amcheck;
         SELECT bt_index_check(pg_index.indexrelid, true)
         FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indexrelid
         JOIN pg_am ON pg_am.oid = pg_class.relam
         WHERE pg_am.amname = 'btree' AND pg_class.relnamespace = 'public'::regnamespace",
    );
    // PostgreSQL 13 cannot look at its tables yet.
    if numbers("SELECT count(*) FROM pg_proc WHERE proname = 'verify_heapam'") == [1] {
        let faults = "SELECT count(*) FROM pg_class, LATERAL verify_heapam(pg_class.oid)
                      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        assert_eq!(numbers(faults), [0]);
    }
}
