//! Organizations, assistants and widgets in SQLite.

use super::super::{Declaration, Result, Seeded, WidgetRepository};
use super::SqliteStore;
use super::rows::{from_json, to_json};
use crate::domain::widget::Widget;
use async_trait::async_trait;
use banter_engine::assistant::Assistant;
use banter_shared::ids::WidgetId;
use rusqlite::{Connection, OptionalExtension, params};

/// Until owners make organizations of their own there is exactly one.
const ORGANIZATION: &str = "default";

#[async_trait]
impl WidgetRepository for SqliteStore {
    async fn declare(&self, declaration: Declaration) -> Result<Seeded> {
        self.writer.write(move |transaction| declare(transaction, &declaration)).await
    }

    async fn widget(&self, id: &WidgetId) -> Result<Option<(Widget, Assistant)>> {
        let id = id.clone();
        self.readers
            .read(move |connection| {
                let found: Option<(String, String)> = connection
                    .prepare_cached(
                        "SELECT widgets.settings, assistants.definition FROM widgets
                         JOIN assistants ON assistants.id = widgets.assistant_id
                         WHERE widgets.id = $1",
                    )?
                    .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                let Some((settings, definition)) = found else { return Ok(None) };
                let settings = from_json("widget's settings", &settings)?;
                Ok(Some((Widget { id, settings }, from_json("assistant", &definition)?)))
            })
            .await
    }

    async fn has_api_key(&self, digest: &str) -> Result<bool> {
        let digest = digest.to_owned();
        self.readers
            .read(move |connection| {
                Ok(connection
                    .prepare_cached("SELECT 1 FROM api_keys WHERE digest = $1")?
                    .exists([digest])?)
            })
            .await
    }
}

fn declare(transaction: &Connection, declaration: &Declaration) -> Result<Seeded> {
    let (name, key_digest) = &declaration.organization;
    let made = transaction.execute(
        "INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        params![ORGANIZATION, name, declaration.now],
    )?;
    if made > 0 {
        transaction.execute(
            "INSERT INTO api_keys (digest, organization_id, created_at) VALUES ($1, $2, $3)",
            params![key_digest, ORGANIZATION, declaration.now],
        )?;
    }
    for (id, assistant) in &declaration.assistants {
        transaction.execute(
            "INSERT INTO assistants (id, organization_id, definition) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET definition = excluded.definition",
            params![id, ORGANIZATION, to_json(assistant)?],
        )?;
    }
    for widget in &declaration.widgets {
        transaction.execute(
            "INSERT INTO widgets (id, organization_id, assistant_id, settings) VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE
             SET assistant_id = excluded.assistant_id, settings = excluded.settings",
            params![
                widget.id.as_str(),
                ORGANIZATION,
                widget.settings.assistant,
                to_json(&widget.settings)?
            ],
        )?;
    }
    Ok(if made > 0 { Seeded::First } else { Seeded::Before })
}
