//! Questions: each stored once, whatever happens.
//!
//! Every visitor waits for this transaction, so it reads what there is in two queries, a session
//! and what was said in it, decides, and writes no more rows and indexes than it must.

use super::super::{AnswerOrder, Appended, Durable, Question, Result};
use super::assistants::Assistants;
use super::lifecycle::{Counted, happen_and_count};
use super::nodes::is_alive;
use super::rows::{SESSION_WIDTH, is_elsewhere, lock_session_and, said, session};
use super::sessions::{ASSISTANT, earlier};
use super::{Transaction, args, outbox};
use crate::domain::assistant::Assistant;
use crate::domain::conversation::{Repeat, repeat};
use crate::domain::session::{Happening, SessionRecord};
use banter_shared::ids::{MessageId, SessionId};
use banter_shared::message::{Message, MessageStatus, Role, answer_id};
use serde_json::json;
use std::sync::{Arc, LazyLock};

/// A session that takes a question: everything the decision needs.
struct Asked {
    session: SessionRecord,
    questions: u32,
    assistant: Option<String>,
    /// What was said, oldest first, each with the server that writes it.
    said: Vec<(Message, Option<String>)>,
}

impl Asked {
    fn find(&self, id: &MessageId) -> Option<&(Message, Option<String>)> {
        self.said.iter().find(|(message, _)| message.id == *id)
    }
}

/// Stores a question once and prepares its answer; everything is decided inside the transaction.
pub(super) fn append(
    tx: &mut dyn Transaction,
    question: &Question,
    node: &str,
    assistants: &Assistants,
) -> Result<Appended> {
    let Some(mut asked) = ask(tx, &question.session)? else { return Ok(Appended::NoSession) };
    let answer_id = answer_id(&question.id);
    let (attempt, asked_at) = if let Some((stored, _)) = asked.find(&question.id) {
        // Whoever guesses an id of ours, e.g. the first message's, has found no question.
        let Some((answer, writer)) = asked.find(&answer_id) else {
            return Ok(Appended::Conflict);
        };
        let elsewhere = writer.as_ref().filter(|writer| *writer != node);
        let elsewhere = elsewhere.filter(|_| answer.status == MessageStatus::Streaming);
        let orphaned = match elsewhere {
            Some(writer) => !is_alive(tx, writer, question.now)?,
            None => false,
        };
        let (asked_at, answer) = (stored.created_at, answer.clone());
        // A dead server's answer is asked for anew without anybody having to say so.
        match repeat(&stored.text, &answer, &question.text, question.retry || orphaned) {
            Repeat::Conflict => return Ok(Appended::Conflict),
            _ if elsewhere.is_some() && !orphaned => {
                return Ok(Appended::Elsewhere { answer, asked_at });
            }
            Repeat::Resume => return Ok(Appended::Existing { answer, asked_at }),
            Repeat::Retry => {}
        }
        if asked.session.end_at(question.now).is_some() {
            return Ok(Appended::Ended);
        }
        spoke(tx, &mut asked.session, 0, question.now)?;
        tx.execute(
            "UPDATE messages SET text = '', status = 'streaming', sources = '[]', error = NULL,
                    attempt = attempt + 1, writer = $3
             WHERE session_id = $1 AND id = $2",
            args![question.session.as_str(), answer_id.as_str(), node],
        )?;
        (answer.attempt + 1, asked_at)
    } else {
        if asked.session.end_at(question.now).is_some() {
            return Ok(Appended::Ended);
        }
        if let Some(refusal) = refuse_new(tx, &mut asked, question, node)? {
            return Ok(refusal);
        }
        spoke(tx, &mut asked.session, 1, question.now)?;
        insert_pair(tx, &mut asked, question, &answer_id, node)?;
        (1, question.now)
    };
    let assistant = assistants.read(asked.assistant.as_deref().unwrap_or_default())?;
    let order = order(tx, asked, assistant, answer_id, attempt, asked_at)?;
    Ok(Appended::Write(Box::new(order), Durable::default()))
}

fn ask(tx: &mut dyn Transaction, id: &SessionId) -> Result<Option<Asked>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| lock_session_and(&format!(", visitor_messages, {ASSISTANT}")));
    let Some(row) = tx.first(&SQL, args![id.as_str()])? else { return Ok(None) };
    Ok(Some(Asked {
        session: session(&row)?,
        questions: row.small(SESSION_WIDTH)?,
        assistant: row.optional_text(SESSION_WIDTH + 1)?,
        said: said(tx, id)?,
    }))
}

fn spoke(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    questions: u32,
    now: u64,
) -> Result<()> {
    let counted = Counted { questions, answers: 0 };
    happen_and_count(tx, session, Happening::Spoke, counted, now).map(drop)
}

/// Why a question that was not stored before is not taken, if it is not.
fn refuse_new(
    tx: &mut dyn Transaction,
    asked: &mut Asked,
    question: &Question,
    node: &str,
) -> Result<Option<Appended>> {
    if asked.questions >= question.max_questions {
        return Ok(Some(Appended::Full));
    }
    // What this server writes itself has been refused before it came here.
    let Some((_, Some(writer))) = asked.said.iter().find(|said| is_elsewhere(said, node)) else {
        return Ok(None);
    };
    if is_alive(tx, writer, question.now)? {
        return Ok(Some(Appended::Busy));
    }
    tx.execute(
        "UPDATE messages SET status = 'interrupted' WHERE session_id = $1 AND status = 'streaming'",
        args![question.session.as_str()],
    )?;
    for (message, _) in &mut asked.said {
        if message.status == MessageStatus::Streaming {
            message.status = MessageStatus::Interrupted;
        }
    }
    Ok(None)
}

fn order(
    tx: &mut dyn Transaction,
    asked: Asked,
    assistant: Arc<Assistant>,
    answer_id: MessageId,
    attempt: u32,
    asked_at: u64,
) -> Result<AnswerOrder> {
    let Asked { session, said, .. } = asked;
    let is_first = !said.iter().any(|(message, _)| {
        message.role == Role::Assistant
            && message.attempt > 0
            && message.id.as_str() != "first"
            && message.status == MessageStatus::Complete
    });
    // A retry may come after later questions; what they and their answers say is not part of it.
    let said = said.into_iter().map(|(message, _)| message);
    let mut history = earlier(tx, &session)?;
    history.extend(said.take_while(|message| message.id != answer_id));
    Ok(AnswerOrder { session, history, is_first, assistant, answer_id, attempt, asked_at })
}

/// The question, and its answer's place right behind it.
fn insert_pair(
    tx: &mut dyn Transaction,
    asked: &mut Asked,
    question: &Question,
    answer_id: &MessageId,
    node: &str,
) -> Result<()> {
    let message = Message {
        id: question.id.clone(),
        role: Role::Visitor,
        text: question.text.clone(),
        status: MessageStatus::Complete,
        created_at: question.now,
        attempt: 0,
        sources: Vec::new(),
        error: None,
    };
    // One by one: a statement of several rows has to be able to undo the first of them, and SQLite
    // takes 64 KB for that each time.
    tx.execute(
        "INSERT INTO messages (session_id, id, role, text, status, attempt, created_at, sources)
         VALUES ($1, $2, 'visitor', $3, 'complete', 0, $4, '[]')",
        args![question.session.as_str(), question.id.as_str(), &question.text, question.now],
    )?;
    tx.execute(
        "INSERT INTO messages
                (session_id, id, role, text, status, attempt, created_at, sources, writer)
         VALUES ($1, $2, 'assistant', '', 'streaming', 1, $3, '[]', $4)",
        args![question.session.as_str(), answer_id.as_str(), question.now, node],
    )?;
    created(tx, &asked.session, &message.id, 0, question.now, |_| Ok(message.clone()))?;
    asked.said.push((message, None));
    Ok(())
}

/// Tells of a message that is there to stay; it is read only when somebody wants to know.
pub(super) fn created(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    message: &MessageId,
    attempt: u32,
    now: u64,
    read: impl FnOnce(&mut dyn Transaction) -> Result<Message>,
) -> Result<()> {
    let key = format_args!("{}/{message}/{attempt}", session.id);
    outbox::emit(tx, &session.organization, "message.created", key, now, |tx| {
        Ok(json!({
            "sessionId": session.id, "widgetId": session.widget_id, "message": read(tx)?,
        }))
    })
}
