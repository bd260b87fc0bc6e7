//! Where a list is read on that is ordered by when its items were made, and then by their ids: opaque
//! to others.

use super::Refusal;

/// After the item that was made at that instant and has this id.
pub(super) fn after(created_at: u64, id: &str) -> String {
    format!("{created_at}.{id}")
}

/// Reads what [`after`] made.
pub(super) fn read(cursor: &str) -> Result<(u64, String), Refusal> {
    let read = cursor.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
    // PostgreSQL has no NUL in a text, and no id has one.
    read.filter(|(_, id): &(u64, String)| !id.contains('\0')).ok_or_else(|| Refusal::Invalid {
        field: Some("cursor".into()),
        sentence: "the cursor is not one that was given".into(),
    })
}
