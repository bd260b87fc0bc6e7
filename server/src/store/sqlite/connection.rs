//! Opening connections, and bringing a database's schema up to date.

use super::super::migrations::MIGRATIONS;
use super::super::sql::{Dialect, lower};
use super::super::{Result, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Opens the connection that writes.
pub(super) fn open_writer(file: &Path) -> Result<Connection> {
    make_private(file)?;
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Commits are flushed, and by us: see `log`.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    configure(&connection)?;
    Ok(connection)
}

/// Makes the file, if it is missing, readable by its owner only: the folder may be everybody's. SQLite
/// gives what lies beside it the same permissions.
fn make_private(file: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(StoreError::Unopened(format!("{}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

/// Opens a connection that only reads.
pub(super) fn open_reader(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<()> {
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // A plan follows from the statement, not from what is bound to it, or some are made anew each
    // time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    lower_every_letter(connection)
}

/// SQLite's own `lower` knows 26 letters; visitors write in more.
fn lower_every_letter(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("lower", 1, flags, |context| {
        Ok(context.get::<Option<String>>(0)?.map(|text| lower(&text)))
    })?;
    Ok(())
}

/// Applies the migrations a database has not had, each in a transaction of its own. `PRAGMA
/// user_version` counts how many it had.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let done: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = done as usize;
    if done > MIGRATIONS.len() {
        return Err(StoreError::Unopened(format!(
            "its schema is version {done} and this server knows {}: use the newer server",
            MIGRATIONS.len()
        )));
    }
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(&migration.sql(Dialect::Sqlite))?;
        transaction.pragma_update(None, "user_version", (number + 1) as u64)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, migrate, open_writer};

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_database_whoever_may_read_the_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let mut connection = open_writer(&folder.path().join("a.db")).unwrap();
        migrate(&mut connection).unwrap();
        for name in ["a.db", "a.db-wal", "a.db-shm"] {
            let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn migrating_twice_is_migrating_once_and_a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = open_writer(&folder.path().join("a.db")).unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        connection.pragma_update(None, "user_version", (MIGRATIONS.len() + 1) as u64).unwrap();
        let refusal = migrate(&mut connection).unwrap_err().to_string();
        assert!(refusal.contains("newer server"), "{refusal}");
    }
}
