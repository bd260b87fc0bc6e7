//! What follows from a change of a session: its row, its timeline, what others are told.

use super::super::{Notice, Result};
use super::{Transaction, Value, args, outbox, timeline};
use crate::domain::session::{Change, Happening, Phase, SessionRecord};
use banter_shared::session::EndReason;
use serde_json::json;

/// What was said with what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// New questions.
    pub(super) questions: u32,
    /// Complete answers.
    pub(super) answers: u32,
}

/// Applies what happened to a session whose row this transaction has locked, and writes it down.
pub(super) fn happen(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    happening: Happening,
    now: u64,
) -> Result<Change> {
    happen_and_count(tx, session, happening, Counted::default(), now)
}

/// The same where something was said.
pub(super) fn happen_and_count(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    happening: Happening,
    counted: Counted,
    now: u64,
) -> Result<Change> {
    let before = session.clone();
    let closing = if happening == Happening::ProviderUntold { "not_told" } else { "closed" };
    let change = session.apply(happening, now);
    if *session == before && counted == Counted::default() {
        return Ok(change);
    }
    save(tx, &before, session, counted, now)?;
    let id = &session.id;
    if let (Some(leaving), true) = (session.leaving, session.leaving != before.leaving) {
        let detail = json!({ "reason": leaving.reason.name(), "dueAt": leaving.due_at });
        timeline::note_coming_or_going(tx, id, now, "left", &detail)?;
    }
    if before.leaving.is_some() && session.leaving.is_none() && session.ended.is_none() {
        timeline::note_coming_or_going(tx, id, now, "returned", &json!({}))?;
    }
    if change == Change::Activated {
        outbox::emit(tx, &session.organization, "session.started", id, now, |_| {
            Ok(json!({
                "sessionId": id, "widgetId": session.widget_id,
                "provider": session.provider.name(),
                "createdAt": session.created_at, "startedAt": now,
            }))
        })?;
    }
    if let (Change::Ended, Some((at, reason))) = (change, session.ended) {
        ended(tx, session, at, reason, now)?;
    }
    let is_closed = session.phase == Phase::Ended && before.phase != Phase::Ended;
    if is_closed && session.provider_session.is_some() {
        timeline::note(tx, id, now, closing, &json!({}))?;
    }
    Ok(change)
}

/// Moves the end of a session whose row this transaction has locked, if it was the provider's end of its
/// session `id`, said to be at `before` until now and now to be `at`. What others were told of it stays.
pub(super) fn move_end(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    id: &str,
    before: u64,
    at: u64,
) -> Result<()> {
    let was = session.clone();
    if session.move_end(id, before, at)
        && let (Some((from, _)), Some((to, _))) = (was.ended, session.ended)
    {
        save(tx, &was, session, Counted::default(), to)?;
        timeline::move_end(tx, &session.id, from, to)?;
    }
    Ok(())
}

fn ended(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    at: u64,
    reason: EndReason,
    now: u64,
) -> Result<()> {
    timeline::note(tx, &session.id, at, "ended", &json!({ "reason": reason.name() }))?;
    let data = json!({
        "sessionId": session.id, "widgetId": session.widget_id,
        "provider": session.provider.name(), "createdAt": session.created_at,
        "startedAt": session.active_at, "endedAt": at, "endReason": reason.name(),
        "durationMs": at.saturating_sub(session.created_at),
    });
    let key = session.id.as_str();
    outbox::emit(tx, &session.organization, "session.ended", key, now, |_| Ok(data))?;
    tx.notify(Notice::Ended(session.id.clone()))
}

/// Writes when to look again at a session that the clock has not ended now: at its deadline, or never
/// if it is over, as an older server says that without knowing this column.
pub(super) fn look_later(tx: &mut dyn Transaction, session: &SessionRecord) -> Result<()> {
    tx.execute(
        "UPDATE sessions SET due_at = $2 WHERE id = $1",
        args![session.id.as_str(), due_at(session)],
    )?;
    Ok(())
}

/// When the clock ends a session, unless it is over.
fn due_at(session: &SessionRecord) -> Option<u64> {
    session.ended.is_none().then(|| session.deadline().0)
}

/// Writes what changed of a session's row, and only that: an index is written anew when a column of
/// its is named, and each is a page that every visitor waits for.
fn save(
    tx: &mut dyn Transaction,
    before: &SessionRecord,
    session: &SessionRecord,
    counted: Counted,
    now: u64,
) -> Result<()> {
    let mut row = Columns::of(session.id.as_str());
    let is_opened = session.provider_session != before.provider_session;
    if session.phase != before.phase {
        row.set("status", session.phase.name());
    }
    if session.phase != before.phase || (is_opened && session.phase == Phase::Ending) {
        // What failed while the provider was to be told says nothing about what is next.
        row.set("attempts", 0_u32);
        if needs_attention(session) || needs_attention(before) {
            row.set("attend_at", needs_attention(session).then_some(now));
        }
    }
    if session.active_at != before.active_at {
        row.set("active_at", session.active_at);
    }
    if session.last_activity_at != before.last_activity_at {
        row.set("last_activity_at", session.last_activity_at);
    }
    if session.leaving != before.leaving {
        row.set("leave_at", session.leaving.map(|leaving| leaving.due_at));
        row.set("leave_reason", session.leaving.map(|leaving| leaving.reason.name()));
    }
    if session.ended != before.ended {
        row.set("ended_at", session.ended.map(|(at, _)| at));
        row.set("end_reason", session.ended.map(|(_, reason)| reason.name()));
    }
    if is_opened {
        row.set("provider_session", session.provider_session.as_ref());
    }
    // A deadline that moves on is not written: with every message it does, and what is looked at too
    // early is looked at again (see `look_later`).
    let (due, was_due) = (due_at(session), due_at(before));
    if due.is_none() != was_due.is_none() || due < was_due {
        row.set("due_at", due);
    }
    for (column, count) in
        [("visitor_messages", counted.questions), ("assistant_messages", counted.answers)]
    {
        if count > 0 {
            row.add(column, count);
        }
    }
    row.update(tx)
}

/// Ending is a state to get out of: somebody has to tell the provider. An ended session has to be
/// finalised.
fn needs_attention(session: &SessionRecord) -> bool {
    match session.phase {
        Phase::Ending => true,
        Phase::Ended => session.finalized_at.is_none(),
        Phase::Pending | Phase::Active => false,
    }
}

/// The columns of a session's row that are to be written.
struct Columns<'a> {
    sql: String,
    values: Vec<Value<'a>>,
}

impl<'a> Columns<'a> {
    fn of(session: &'a str) -> Self {
        // Room for what a question or an answer changes.
        let mut values = Vec::with_capacity(8);
        values.push(session.into());
        Self { sql: String::with_capacity(160), values }
    }

    fn set(&mut self, column: &str, value: impl Into<Value<'a>>) {
        self.values.push(value.into());
        let separator = if self.sql.is_empty() { "UPDATE sessions SET " } else { ", " };
        let number = self.values.len().to_string();
        self.sql.extend([separator, column, " = $", &number]);
    }

    fn add(&mut self, column: &str, count: u32) {
        self.set(column, count);
        self.sql.extend([" + ", column]);
    }

    fn update(mut self, tx: &mut dyn Transaction) -> Result<()> {
        if !self.sql.is_empty() {
            self.sql.push_str(" WHERE id = $1");
            tx.execute(&self.sql, &self.values)?;
        }
        Ok(())
    }
}
