//! A store for a test: on SQLite, or with the URL of a cluster in `TEST_POSTGRES` on PostgreSQL.

use super::super::test_database;
use super::SqlStore;
use tempfile::TempDir;

impl SqlStore {
    /// A new, empty store, and the folder it may lie in.
    pub(super) async fn fresh() -> (Self, TempDir) {
        let (folder, url) = (tempfile::tempdir().unwrap(), test_database::fresh());
        if url.is_empty() {
            let store = Self::open(&folder.path().join("banter.db"), "node".into());
            return (store.unwrap(), folder);
        }
        let connect = move || Self::connect(&url, 3, "node".into());
        (tokio::task::spawn_blocking(connect).await.unwrap().unwrap(), folder)
    }
}
