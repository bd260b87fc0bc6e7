//! Organizations and what the configuration declares in them.

use super::super::{Declaration, Result, Seeded, WidgetRepository};
use super::rows::{from_json, to_json};
use super::{Row, SqlStore, Transaction, args};
use crate::domain::assistant::Assistant;
use crate::domain::owner::Tenant;
use crate::domain::widget::Widget;
use async_trait::async_trait;
use banter_shared::ids::WidgetId;
use serde_json::{Map, Value as Json};

/// Until owners make organizations of their own there is exactly one.
const ORGANIZATION: &str = "default";

#[async_trait]
impl WidgetRepository for SqlStore {
    async fn declare(&self, declaration: Declaration) -> Result<Seeded> {
        self.write(move |tx| declare(tx, &declaration)).await
    }

    async fn widgets(&self, tenant: &Tenant) -> Result<Vec<(Widget, Option<String>)>> {
        let tenant = tenant.clone();
        self.read(move |tx| {
            let account = tenant.account.as_deref().unwrap_or_default();
            let rows = tx.query(
                "SELECT widgets.id, widgets.settings, widgets.webhook_path FROM widgets
                 LEFT JOIN campaigns ON campaigns.id = widgets.campaign_id
                 WHERE widgets.organization_id = $1 AND ($2 = '' OR campaigns.account_id = $2)
                 ORDER BY widgets.id",
                args![&tenant.organization, account],
            )?;
            let widget = |row: &Row| {
                let settings = from_json("widget's settings", &row.text(1)?)?;
                Ok((Widget { id: WidgetId(row.text(0)?), settings }, row.optional_text(2)?))
            };
            rows.iter().map(widget).collect()
        })
        .await
    }

    async fn widget(&self, id: &WidgetId) -> Result<Option<(Widget, Assistant)>> {
        let id = id.clone();
        self.read(move |tx| {
            let row = tx.first(
                "SELECT widgets.settings, assistants.definition FROM widgets
                 JOIN assistants
                 ON assistants.id = coalesce(widgets.chat_assistant_id, widgets.assistant_id)
                 WHERE widgets.id = $1",
                args![id.as_str()],
            )?;
            let Some(row) = row else { return Ok(None) };
            let settings = from_json("widget's settings", &row.text(0)?)?;
            let assistant = from_json("assistant", &row.text(1)?)?;
            Ok(Some((Widget { id: id.clone(), settings }, assistant)))
        })
        .await
    }
}

fn declare(tx: &mut dyn Transaction, declaration: &Declaration) -> Result<Seeded> {
    let (new, now) = (&declaration.organization, declaration.now);
    tx.execute(
        "INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
        args![ORGANIZATION, &new.name, now],
    )?;
    tx.execute(
        "UPDATE organizations SET webhook_path = $2
         WHERE id = $1 AND (webhook_path IS NULL OR $3 = 1)",
        args![ORGANIZATION, &new.webhook_path, i64::from(new.webhook_path_is_set)],
    )?;
    // Whoever revoked the last key would be locked out for good; starting the server is the owner's.
    let key = tx.first(
        "SELECT 1 FROM api_keys
         WHERE organization_id = $1 AND account_id IS NULL AND revoked_at IS NULL",
        args![ORGANIZATION],
    )?;
    if key.is_none() {
        tx.execute(
            "INSERT INTO api_keys (digest, organization_id, created_at, id, name)
             VALUES ($1, $2, $3, $4, 'first')",
            args![&new.key_digest, ORGANIZATION, now, &new.key_id],
        )?;
    }
    for (id, name, permissions) in &declaration.accounts {
        tx.execute(
            "INSERT INTO accounts (id, organization_id, name, permissions) VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE
             SET name = excluded.name, permissions = excluded.permissions",
            args![id, ORGANIZATION, name, to_json(permissions)?],
        )?;
    }
    for (id, name, account) in &declaration.campaigns {
        tx.execute(
            "INSERT INTO campaigns (id, organization_id, account_id, name) VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE
             SET name = excluded.name, account_id = excluded.account_id",
            args![id, ORGANIZATION, account.as_ref(), name],
        )?;
    }
    for (id, assistant) in &declaration.assistants {
        tx.execute(
            "INSERT INTO assistants (id, organization_id, definition) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET definition = excluded.definition",
            args![id, ORGANIZATION, to_json(assistant)?],
        )?;
    }
    for (widget, webhook_path) in &declaration.widgets {
        declare_widget(tx, widget, webhook_path)?;
    }
    close_others(tx, declaration)?;
    Ok(if key.is_none() { Seeded::Key } else { Seeded::Before })
}

/// Whatever was declared once and is not any more: widgets take no new sessions, keys of accounts open
/// nothing. Nothing is deleted, so that logs stay whose they were and a later declaration, also that of
/// a server that is started with other settings, has everything back.
fn close_others(tx: &mut dyn Transaction, declaration: &Declaration) -> Result<()> {
    let declared = |id: &str| declaration.accounts.iter().any(|(known, ..)| known == id);
    mark(tx, "accounts", "permissions", declared, "closed", true)?;
    let declared = |id: &str| declaration.widgets.iter().any(|(known, _)| known.id.as_str() == id);
    mark(tx, "widgets", "settings", declared, "enabled", false)
}

/// Sets a field of a JSON column in the rows that are not declared.
fn mark(
    tx: &mut dyn Transaction,
    table: &str,
    column: &str,
    declared: impl Fn(&str) -> bool,
    field: &str,
    value: bool,
) -> Result<()> {
    let sql = format!(
        "SELECT id, {column} FROM {table} WHERE organization_id = $1 ORDER BY id FOR UPDATE"
    );
    for row in tx.query(&sql, args![ORGANIZATION])? {
        let mut document: Map<String, Json> = from_json("declared document", row.str(1)?)?;
        if declared(row.str(0)?) || document.get(field) == Some(&value.into()) {
            continue;
        }
        document.insert(field.to_owned(), value.into());
        let sql = format!("UPDATE {table} SET {column} = $2 WHERE id = $1");
        tx.execute(&sql, args![row.str(0)?, to_json(&document)?])?;
    }
    Ok(())
}

fn declare_widget(tx: &mut dyn Transaction, widget: &Widget, webhook_path: &str) -> Result<()> {
    let settings = &widget.settings;
    tx.execute(
        "INSERT INTO widgets (id, organization_id, assistant_id, chat_assistant_id, campaign_id,
                settings, webhook_path)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE
         SET assistant_id = excluded.assistant_id, settings = excluded.settings,
             chat_assistant_id = excluded.chat_assistant_id, campaign_id = excluded.campaign_id,
             webhook_path = coalesce(widgets.webhook_path, excluded.webhook_path)",
        args![
            widget.id.as_str(),
            ORGANIZATION,
            &settings.assistant,
            settings.chat_assistant.as_ref(),
            settings.campaign.as_ref(),
            to_json(settings)?,
            webhook_path,
        ],
    )?;
    Ok(())
}
