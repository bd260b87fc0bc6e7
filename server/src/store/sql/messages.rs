//! Questions: each stored once, whatever happens.

use super::super::{AnswerOrder, Appended, Question, Result};
use super::lifecycle::happen;
use super::nodes::is_alive;
use super::rows::{find_message, from_json, insert_message, lock_session, messages};
use super::sessions::{assistant_of, earlier};
use super::{Transaction, args, outbox};
use crate::domain::conversation::{Repeat, repeat};
use crate::domain::session::{Happening, SessionRecord};
use banter_shared::ids::MessageId;
use banter_shared::message::{Message, MessageStatus, Role, answer_id};
use serde_json::json;

/// Stores a question once and prepares its answer; everything is decided inside the transaction.
pub(super) fn append(
    tx: &mut dyn Transaction,
    question: &Question,
    node: &str,
) -> Result<Appended> {
    let Some(mut session) = lock_session(tx, &question.session)? else {
        return Ok(Appended::NoSession);
    };
    let answer_id = answer_id(&question.id);
    let stored = find_message(tx, &question.session, &question.id)?;
    let (attempt, asked_at) = if let Some((stored, _)) = stored {
        // Whoever guesses an id of ours, e.g. the first message's, has found no question.
        let Some((answer, writer)) = find_message(tx, &question.session, &answer_id)? else {
            return Ok(Appended::Conflict);
        };
        let elsewhere = writer.filter(|writer| writer != node);
        let elsewhere = elsewhere.filter(|_| answer.status == MessageStatus::Streaming);
        let orphaned = match &elsewhere {
            Some(writer) => !is_alive(tx, writer, question.now)?,
            None => false,
        };
        // A dead server's answer is asked for anew without anybody having to say so.
        match repeat(&stored.text, &answer, &question.text, question.retry || orphaned) {
            Repeat::Conflict => return Ok(Appended::Conflict),
            _ if elsewhere.is_some() && !orphaned => {
                return Ok(Appended::Elsewhere { answer, asked_at: stored.created_at });
            }
            Repeat::Resume => {
                return Ok(Appended::Existing { answer, asked_at: stored.created_at });
            }
            Repeat::Retry => {}
        }
        if session.end_at(question.now).is_some() {
            return Ok(Appended::Ended);
        }
        happen(tx, &mut session, Happening::Spoke, question.now)?;
        tx.execute(
            "UPDATE messages SET text = '', status = 'streaming', sources = '[]', error = NULL,
                    attempt = attempt + 1, writer = $3
             WHERE session_id = $1 AND id = $2",
            args![question.session.as_str(), answer_id.as_str(), node],
        )?;
        (answer.attempt + 1, stored.created_at)
    } else {
        if session.end_at(question.now).is_some() {
            return Ok(Appended::Ended);
        }
        if let Some(refusal) = refuse_new(tx, question, node)? {
            return Ok(refusal);
        }
        happen(tx, &mut session, Happening::Spoke, question.now)?;
        insert_pair(tx, &session, question, &answer_id, node)?;
        (1, question.now)
    };
    order(tx, session, answer_id, attempt, asked_at).map(|order| Appended::Write(Box::new(order)))
}

/// Why a question that was not stored before is not taken, if it is not.
fn refuse_new(
    tx: &mut dyn Transaction,
    question: &Question,
    node: &str,
) -> Result<Option<Appended>> {
    let session = question.session.as_str();
    let row = tx.first(
        "SELECT (SELECT visitor_messages FROM sessions WHERE id = $1),
                (SELECT min(writer) FROM messages
                 WHERE session_id = $1 AND status = 'streaming' AND writer <> $2)",
        args![session, node],
    )?;
    let Some(row) = row else { return Ok(Some(Appended::NoSession)) };
    if row.small(0)? >= question.max_questions {
        return Ok(Some(Appended::Full));
    }
    match row.optional_text(1)? {
        Some(writer) if is_alive(tx, &writer, question.now)? => Ok(Some(Appended::Busy)),
        Some(_) => {
            tx.execute(
                "UPDATE messages SET status = 'interrupted'
                 WHERE session_id = $1 AND status = 'streaming'",
                args![session],
            )?;
            Ok(None)
        }
        None => Ok(None),
    }
}

fn order(
    tx: &mut dyn Transaction,
    session: SessionRecord,
    answer_id: MessageId,
    attempt: u32,
    asked_at: u64,
) -> Result<AnswerOrder> {
    let said = messages(tx, &session.id)?;
    let is_first = !said.iter().any(|message| {
        message.role == Role::Assistant
            && message.attempt > 0
            && message.id.as_str() != "first"
            && message.status == MessageStatus::Complete
    });
    // A retry may come after later questions; what they and their answers say is not part of it.
    let mut history = earlier(tx, &session)?;
    history.extend(said.into_iter().take_while(|message| message.id != answer_id));
    let definition = assistant_of(tx, session.id.as_str())?.unwrap_or_default();
    let assistant = from_json("assistant", &definition)?;
    Ok(AnswerOrder { session, history, is_first, assistant, answer_id, attempt, asked_at })
}

/// The question, and its answer's place right behind it.
fn insert_pair(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    question: &Question,
    answer_id: &MessageId,
    node: &str,
) -> Result<()> {
    let asked = Message {
        id: question.id.clone(),
        role: Role::Visitor,
        text: question.text.clone(),
        status: MessageStatus::Complete,
        created_at: question.now,
        attempt: 0,
        sources: Vec::new(),
        error: None,
    };
    let answer = Message {
        id: answer_id.clone(),
        role: Role::Assistant,
        text: String::new(),
        status: MessageStatus::Streaming,
        attempt: 1,
        ..asked.clone()
    };
    insert_message(tx, &question.session, &asked, None)?;
    insert_message(tx, &question.session, &answer, Some(node))?;
    tx.execute(
        "UPDATE sessions SET visitor_messages = visitor_messages + 1 WHERE id = $1",
        args![question.session.as_str()],
    )?;
    created(tx, session, &asked, question.now)
}

/// Tells of a message that is there to stay.
pub(super) fn created(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    message: &Message,
    now: u64,
) -> Result<()> {
    let data = json!({
        "sessionId": session.id, "widgetId": session.widget_id, "message": message,
    });
    let key = format!("{}/{}/{}", session.id, message.id, message.attempt);
    outbox::emit(tx, &session.organization, "message.created", &key, now, &data)
}
