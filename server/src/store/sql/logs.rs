//! Logs: listed in pages, read whole, deleted.

use super::super::Result;
use super::super::logs::{Campaigns, Deleted, Expired, LogRepository, Most, Pace, Said, WholeLog};
use super::rows::{MESSAGE_COLUMNS, from_json, message, messages};
use super::{Dialect, Row, SqlStore, Transaction, Value, args, exports};
use crate::domain::log::{LogCursor, LogFilter, Order};
use crate::domain::owner::Tenant;
use async_trait::async_trait;
use banter_shared::ids::{SessionId, WidgetId};
use banter_shared::owner::log::{Log, LogStatus, TimelineEvent, Usage};
use banter_shared::session::EndReason;
use serde_json::json;

/// Sessions with what a log adds to them; [`log`] reads its columns.
const LOGS: &str = "SELECT sessions.id, sessions.status, sessions.end_reason, sessions.channel,
    sessions.provider, sessions.provider_session, sessions.account_id, sessions.campaign_id,
    campaigns.name, sessions.widget_id, sessions.page_origin, sessions.language,
    sessions.continues, sessions.created_at, sessions.active_at, sessions.ended_at,
    sessions.visitor_messages, sessions.assistant_messages, sessions.cost, sessions.cost_source,
    sessions.finalized_at, sessions.webhook_missing, usage_records.units, usage_records.unit,
    usage_records.rate, usage_records.rounding, usage_records.minutes, usage_records.cost,
    usage_records.billed, usage_records.created_at";
const FROM: &str = " FROM sessions
    LEFT JOIN campaigns ON campaigns.id = sessions.campaign_id
    LEFT JOIN usage_records ON usage_records.session_id = sessions.id";

/// How much of a timeline is shown.
const MOST_EVENTS: u32 = 500;

#[async_trait]
impl LogRepository for SqlStore {
    async fn logs(
        &self,
        tenant: &Tenant,
        filter: &LogFilter,
        order: Order,
        after: Option<&LogCursor>,
        limit: u32,
        pace: Pace,
    ) -> Result<Vec<Log>> {
        let (tenant, filter, after) = (tenant.clone(), filter.clone(), after.cloned());
        self.look(pace, Some(tenant.clone()), move |tx| {
            let mut query = Query::of(&tenant, &filter, tx.dialect());
            if let Some(cursor) = &after {
                let sign = if order == Order::Newest { '<' } else { '>' };
                let at = query.value(cursor.created_at);
                let id = query.value(&cursor.id);
                query.and(&format!("(sessions.created_at, sessions.id) {sign} ({at}, {id})"));
            }
            let limit = query.value(limit);
            let way = if order == Order::Newest { "DESC" } else { "ASC" };
            let sql = format!(
                "{LOGS}{FROM}{} ORDER BY sessions.created_at {way}, sessions.id {way} LIMIT {limit}",
                query.sql
            );
            tx.query(&sql, &query.values)?.iter().map(log).collect()
        })
        .await
    }

    async fn count_logs(
        &self,
        tenant: &Tenant,
        filter: &LogFilter,
        at_most: u32,
        pace: Pace,
    ) -> Result<u64> {
        let (tenant, filter) = (tenant.clone(), filter.clone());
        self.look(pace, Some(tenant.clone()), move |tx| {
            let mut query = Query::of(&tenant, &filter, tx.dialect());
            let limit = query.value(at_most);
            let counted = format!("SELECT 1{FROM}{} LIMIT {limit}", query.sql);
            let sql = format!("SELECT count(*) FROM ({counted}) AS counted");
            tx.first(&sql, &query.values)?.map_or(Ok(0), |row| row.number(0))
        })
        .await
    }

    async fn log(&self, tenant: &Tenant, id: &SessionId) -> Result<Option<WholeLog>> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.read(move |tx| {
            let all = LogFilter::default();
            let mut query = Query::of(&tenant, &all, tx.dialect());
            let wanted = query.value(id.as_str());
            query.and(&format!("sessions.id = {wanted}"));
            let sql = format!("{LOGS}{FROM}{}", query.sql);
            let Some(row) = tx.first(&sql, &query.values)? else { return Ok(None) };
            let log = log(&row)?;
            let messages = messages(tx, &id)?;
            let (timeline, timeline_cut) = timeline(tx, &log)?;
            Ok(Some(WholeLog { log, messages, timeline, timeline_cut }))
        })
        .await
    }

    async fn log_messages(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        after: i64,
        most: Most,
        pace: Pace,
    ) -> Result<Said> {
        let id = id.clone();
        let whose = Some(tenant.clone());
        self.look(pace, whose, move |tx| some_messages(tx, &id, after, most)).await
    }

    async fn delete_log(&self, tenant: &Tenant, id: &SessionId) -> Result<Deleted> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |tx| {
            let sql = "SELECT status, finalized_at, account_id, created_at FROM sessions
                 WHERE id = $1 AND organization_id = $2 AND ($3 = '' OR account_id = $3) FOR UPDATE";
            let account = tenant.account.as_deref().unwrap_or_default();
            let row = tx.first(sql, args![id.as_str(), &tenant.organization, account])?;
            let Some(row) = row else { return Ok(Deleted::Missing) };
            // What is not in the ledger yet could never be billed.
            let settled = row.optional_number(1)?.is_some();
            if !settled || LogStatus::named(&row.text(0)?) != LogStatus::Ended {
                return Ok(Deleted::InUse);
            }
            remove(tx, id.as_str())?;
            let account = row.optional_text(2)?;
            exports::erase(tx, &tenant.organization, account.as_deref(), row.number(3)?)?;
            Ok(Deleted::Gone)
        })
        .await
    }

    async fn delete_expired_logs(&self, expired: &Expired, limit: u32) -> Result<(usize, usize)> {
        let expired = expired.clone();
        // Found beside everything else: all logs may have to be looked at.
        let ids = self.look(Pace::Job, None, move |tx| find_expired(tx, &expired, limit)).await?;
        if ids.is_empty() {
            return Ok((0, 0));
        }
        self.write(move |tx| {
            let mut deleted = 0;
            for id in &ids {
                deleted += remove(tx, id)?;
            }
            Ok((ids.len(), deleted as usize))
        })
        .await
    }
}

/// See `LogRepository::log_messages`. How long they are is known without reading them.
fn some_messages(tx: &mut dyn Transaction, id: &SessionId, after: i64, most: Most) -> Result<Said> {
    const HERE: &str = "FROM messages WHERE session_id = $1 AND position > $2
         ORDER BY position LIMIT $3";
    let sql = format!("SELECT octet_length(text) + octet_length(sources) {HERE}");
    let (mut bytes, mut count) = (0, 0_u32);
    tx.each(&sql, args![id.as_str(), after, most.messages], &mut |row| {
        if count == 0 || bytes < most.bytes {
            count += 1;
        }
        bytes += row.number(0)?;
        Ok(())
    })?;
    let sql = format!("SELECT {MESSAGE_COLUMNS}, position {HERE}");
    let rows = tx.query(&sql, args![id.as_str(), after, count])?;
    Ok(Said {
        messages: rows.iter().map(message).collect::<Result<_>>()?,
        last: rows.last().map_or(Ok(after), |row| row.int(8))?,
        more: bytes >= most.bytes || count == most.messages,
    })
}

/// Ids of logs that are kept no longer. An ended session stays ended, so nothing has to be locked.
fn find_expired(tx: &mut dyn Transaction, expired: &Expired, limit: u32) -> Result<Vec<String>> {
    let mut query = Query::default();
    let before = query.value(expired.before);
    query.and(&format!("status = 'ended' AND finalized_at IS NOT NULL AND ended_at < {before}"));
    match &expired.campaigns {
        Campaigns::One(campaign) => query.equal("campaign_id", Some(campaign)),
        Campaigns::AllBut(others) => {
            for other in others {
                let other = query.value(other);
                query.and(&format!("coalesce(campaign_id, '') <> {other}"));
            }
        }
    }
    let limit = query.value(limit);
    let sql = format!("SELECT id FROM sessions{} LIMIT {limit}", query.sql);
    tx.query(&sql, &query.values)?.iter().map(|row| row.text(0)).collect()
}

/// The conditions of a query and their values.
#[derive(Default)]
struct Query<'a> {
    sql: String,
    values: Vec<Value<'a>>,
}

impl<'a> Query<'a> {
    /// The tenant's logs that the filter lets through.
    fn of(tenant: &'a Tenant, filter: &'a LogFilter, dialect: Dialect) -> Self {
        let mut query = Self::default();
        query.equal("sessions.organization_id", Some(&tenant.organization));
        query.equal("sessions.account_id", tenant.account.as_ref());
        query.equal("sessions.campaign_id", filter.campaign.as_ref());
        query.equal("sessions.widget_id", filter.widget.as_ref());
        query.equal("sessions.provider", filter.provider.as_ref());
        query.equal("sessions.status", filter.status.map(LogStatus::name));
        query.equal("sessions.end_reason", filter.end_reason.map(EndReason::name));
        if let Some(from) = filter.from {
            let from = query.value(from);
            query.and(&format!("sessions.created_at >= {from}"));
        }
        if let Some(to) = filter.to {
            let to = query.value(to);
            query.and(&format!("sessions.created_at < {to}"));
        }
        if let Some(billed) = filter.billed {
            let billed = query.value(billed);
            query.and(&format!("coalesce(usage_records.billed, 0) = {billed}"));
        }
        if let Some(text) = &filter.q {
            let found = match dialect {
                Dialect::Sqlite => {
                    let pattern = query.value(like(text));
                    format!("lower(messages.text) LIKE {pattern} ESCAPE '\\'")
                }
                // `lower` knows the letters of the database's locale only, which may be C.
                Dialect::Postgres => format!("messages.text ~ {}", query.value(regex(text))),
            };
            query.and(&format!(
                "EXISTS (SELECT 1 FROM messages
                         WHERE messages.session_id = sessions.id AND {found})"
            ));
        }
        query
    }

    /// Adds a value; returns its name in the statement.
    fn value(&mut self, value: impl Into<Value<'a>>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn and(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }

    fn equal(&mut self, column: &str, wanted: Option<impl Into<Value<'a>>>) {
        if let Some(wanted) = wanted {
            let wanted = self.value(wanted);
            self.and(&format!("{column} = {wanted}"));
        }
    }
}

/// Small letters, each by itself: a word's end decides nothing, or `ΟΔΟΣ` would not be found inside a
/// longer word.
pub(in crate::store) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A pattern of `LIKE` for lower-case texts that contain this one.
fn like(text: &str) -> String {
    let mut pattern = "%".to_owned();
    for c in lower(text).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// A regular expression for texts that contain this one, whatever the case: each letter stands for
/// itself in both cases, everything else for itself.
fn regex(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        let mut same = vec![c];
        for mut other in [c.to_lowercase().collect::<Vec<_>>(), c.to_uppercase().collect()] {
            // `ß` is written with two capitals: whoever searches for one does not mean the other.
            if other.len() == 1 {
                same.append(&mut other);
            }
        }
        same.sort_unstable();
        same.dedup();
        if same.len() > 1 {
            pattern.push('[');
            pattern.extend(same);
            pattern.push(']');
            continue;
        }
        if c.is_ascii() && !c.is_ascii_alphanumeric() && c != ' ' {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Removes everything that was said in a session and the session itself. The ledger stays; of what
/// its provider told us only the digests stay, so that a late repetition is still known as one. Says
/// how many sessions that were: one, or none if it is gone already.
fn remove(tx: &mut dyn Transaction, session: &str) -> Result<u64> {
    // Without its log an event belongs to nobody; it is kept a while, so that it is still known should
    // it come again.
    tx.execute(
        "UPDATE provider_events SET body = '{}', outcome = 'ignored'
         WHERE provider_session IS NOT NULL AND (provider, provider_session) IN
               (SELECT provider, id FROM provider_sessions WHERE session_id = $1
                UNION ALL SELECT provider, provider_session FROM sessions WHERE id = $1)",
        args![session],
    )?;
    tx.execute("DELETE FROM messages WHERE session_id = $1", args![session])?;
    tx.execute("DELETE FROM session_events WHERE session_id = $1", args![session])?;
    tx.execute("DELETE FROM sessions WHERE id = $1", args![session])
}

/// The latest of what happened to a session, in the order in which it was written down, and whether
/// there is more. That it became active is no event of its own: its row says it, and a visitor waits for
/// whatever is written then.
fn timeline(tx: &mut dyn Transaction, log: &Log) -> Result<(Vec<TimelineEvent>, bool)> {
    let mut rows = tx.query(
        "SELECT at, kind, detail FROM session_events
         WHERE session_id = $1 AND kind <> 'activated' ORDER BY position DESC LIMIT $2",
        args![log.id.as_str(), MOST_EVENTS + 1],
    )?;
    let more = rows.len() > MOST_EVENTS as usize;
    rows.truncate(MOST_EVENTS as usize);
    let mut events = rows
        .iter()
        .rev()
        .map(|row| {
            let detail = from_json("event of a timeline", &row.text(2)?)?;
            Ok(TimelineEvent { at: row.number(0)?, kind: row.text(1)?, detail })
        })
        .collect::<Result<Vec<_>>>()?;
    if let Some(at) = log.active_at {
        let place = events.iter().position(|event| event.at > at).unwrap_or(events.len());
        let activated = TimelineEvent { at, kind: "activated".to_owned(), detail: json!({}) };
        events.insert(place, activated);
    }
    Ok((events, more))
}

/// Reads a row of [`LOGS`].
fn log(row: &Row) -> Result<Log> {
    let (created_at, active_at, ended_at) =
        (row.number(13)?, row.optional_number(14)?, row.optional_number(15)?);
    let reason = row.optional_text(2)?;
    Ok(Log {
        id: SessionId(row.text(0)?),
        status: LogStatus::named(&row.text(1)?),
        end_reason: reason.map(|name| EndReason::named(&name).unwrap_or(EndReason::Unknown)),
        channel: row.text(3)?,
        provider: row.text(4)?,
        provider_session: row.optional_text(5)?,
        account_id: row.optional_text(6)?,
        campaign_id: row.optional_text(7)?,
        campaign: row.optional_text(8)?,
        widget_id: row.optional_text(9)?.map(WidgetId),
        page_origin: row.optional_text(10)?,
        language: row.optional_text(11)?,
        continues: row.optional_text(12)?.map(SessionId),
        created_at,
        active_at,
        ended_at,
        duration_ms: ended_at.map(|at| at.saturating_sub(created_at)),
        visitor_messages: row.number(16)?,
        assistant_messages: row.number(17)?,
        cost: row.optional_text(18)?,
        cost_source: row.optional_text(19)?,
        finalized_at: row.optional_number(20)?,
        webhook_missing: row.flag(21)?,
        usage: row.optional_text(22)?.map(|units| usage(row, units)).transpose()?,
    })
}

fn usage(row: &Row, units: String) -> Result<Usage> {
    Ok(Usage {
        units,
        unit: row.text(23)?,
        rate: row.text(24)?,
        rounding: row.text(25)?,
        minutes: row.text(26)?,
        cost: row.optional_text(27)?,
        billed: row.flag(28)?,
        created_at: row.number(29)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{like, regex};

    #[test]
    fn a_pattern_means_its_letters() {
        assert_eq!(like("50% of A_B\\É"), "%50\\% of a\\_b\\\\é%");
        assert_eq!(regex("5.* Äß]^"), "5\\.\\* [Ää]ß\\]\\^");
    }
}
