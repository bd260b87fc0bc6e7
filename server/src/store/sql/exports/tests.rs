//! Whose turn it is when many wait.

use super::super::{SqlStore, Transaction, args};
use super::erase;
use crate::domain::owner::Tenant;
use crate::store::exports::{ExportRepository as _, Lease, NewExport};
use banter_shared::owner::export::{CreateExport, ExportFormat, LogFilters};

fn tenant(account: Option<&str>) -> Tenant {
    Tenant { organization: "o".into(), account: account.map(Into::into) }
}

async fn put(store: &SqlStore, account: Option<&str>, id: &str, now: u64) {
    let request = CreateExport {
        format: ExportFormat::Csv,
        filters: LogFilters::default(),
        time_zone: None,
        bom: false,
    };
    let export = NewExport {
        id: id.into(),
        tenant: tenant(account),
        request,
        file_name: "a.csv".into(),
        now,
        max_open: 20,
    };
    assert!(store.create_export(export).await.unwrap().is_some());
}

/// What becomes of a file when it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Kept,
    Deleted,
    /// With everything that may hold something of a log that was deleted.
    Erased,
}

#[tokio::test]
async fn accounts_take_turns_whatever_becomes_of_what_was_made() {
    for then in [Then::Kept, Then::Deleted, Then::Erased] {
        let (store, _folder) = SqlStore::fresh().await;
        let organization = "INSERT INTO organizations (id, name, created_at) VALUES ('o', 'O', 0)";
        store.write(move |tx| tx.execute(organization, args![])).await.unwrap();
        for (now, id) in ["a1", "a2", "a3", "b1", "a4", "o1", "b2"].into_iter().enumerate() {
            let account = if id.starts_with('o') { None } else { Some(&id[..1]) };
            put(&store, account, id, now as u64).await;
        }
        let mut made = String::new();
        for now in (1_000..).step_by(10) {
            let claimed = store.claim_export("me", now, now + 60_000).await.unwrap();
            let Some(claimed) = claimed else { break };
            made += &claimed.id;
            let lease = Lease { export: claimed.id, holder: "me".into(), until: now + 60_000 };
            assert!(store.finish_export(lease.clone(), now + 5, None).await.unwrap());
            if then == Then::Erased {
                let account = claimed.tenant.account.clone();
                let erased = move |tx: &mut dyn Transaction| erase(tx, "o", account.as_deref(), 0);
                store.write(erased).await.unwrap();
            }
            if then != Then::Kept {
                store.delete_export(&claimed.tenant, &lease.export, 1).await.unwrap();
            }
        }
        assert_eq!(made, "a1b1o1a2b2a3a4", "{then:?}");
    }
}

#[tokio::test]
async fn whoever_has_one_that_is_being_made_waits_for_those_who_have_none() {
    let (store, _folder) = SqlStore::fresh().await;
    let organization = "INSERT INTO organizations (id, name, created_at) VALUES ('o', 'O', 0)";
    store.write(move |tx| tx.execute(organization, args![])).await.unwrap();
    put(&store, Some("a"), "a1", 1).await;
    let claim = async |now| {
        let claimed = store.claim_export("me", now, now + 100).await.unwrap();
        claimed.map(|claimed| claimed.id).unwrap_or_default()
    };
    assert_eq!(claim(2).await, "a1");
    put(&store, Some("a"), "a2", 3).await;
    put(&store, Some("b"), "b1", 4).await;
    assert_eq!(claim(5).await, "b1");
    assert_eq!(claim(6).await, "a2");
    assert_eq!(claim(7).await, "");
    // Its server died.
    assert_eq!(claim(103).await, "a1");
}
