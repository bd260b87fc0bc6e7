//! Questions: each stored once, whatever happens.
//!
//! Every visitor waits for this transaction, so it reads what there is in two queries, a session
//! and what a model is told of it, decides, and writes no more rows and indexes than it must.

use super::super::{AnswerOrder, Appended, Durable, Question, Result, StoreError};
use super::assistants::Assistants;
use super::lifecycle::{Counted, happen, happen_and_count};
use super::nodes::is_alive;
use super::rows::{SESSION_WIDTH, find_message, from_name, lock_session_and, session};
use super::sessions::{ASSISTANT, earlier};
use super::{Row, Transaction, args, outbox};
use crate::domain::assistant::Assistant;
use crate::domain::conversation::{Repeat, repeat, turn};
use crate::domain::session::{Happening, SessionRecord};
use banter_engine::turn::Turn;
use banter_shared::ids::MessageId;
use banter_shared::message::{MessageStatus, Role, answer_id};
use banter_shared::session::EndReason;
use serde_json::json;
use std::sync::{Arc, LazyLock};

/// How often one question is asked at most. Every attempt may cost its owner money.
const MAX_ATTEMPTS: u32 = 20;

/// A session that takes a question: everything the decision needs.
struct Asked {
    session: SessionRecord,
    questions: u32,
    answers: u32,
    assistant: Option<String>,
    said: Said,
}

/// What was said in it, as far as it matters.
#[derive(Default)]
struct Said {
    /// Whether the question was stored before.
    has_question: bool,
    /// Where its answer stands, if it has one.
    answer_at: Option<i64>,
    /// Another server that is writing an answer, or was when it stopped.
    elsewhere: Option<String>,
    /// What a model may be told, each with its place.
    turns: Vec<(i64, Turn)>,
}

/// Stores a question once and prepares its answer; everything is decided inside the transaction.
pub(super) fn append(
    tx: &mut dyn Transaction,
    question: &Question,
    node: &str,
    assistants: &Assistants,
) -> Result<Appended> {
    let answer_id = answer_id(&question.id);
    let Some(mut asked) = ask(tx, question, &answer_id, node)? else {
        return Ok(Appended::NoSession);
    };
    let is_over = asked.session.end_at(question.now).is_some();
    let (attempt, asked_at, assistant) = if asked.said.has_question {
        let stored = find_message(tx, &question.session, &question.id)?;
        // Whoever guesses an id of ours, e.g. the first message's, has found no question.
        let Some(((stored, _), (answer, writer))) =
            stored.zip(find_message(tx, &question.session, &answer_id)?)
        else {
            return Ok(Appended::Conflict);
        };
        let elsewhere = writer.filter(|by| answer.status == MessageStatus::Streaming && by != node);
        let orphaned = match &elsewhere {
            Some(writer) => !is_alive(tx, writer, question.now)?,
            None => false,
        };
        let asked_at = stored.created_at;
        // A dead server's answer is asked for anew without anybody having to say so.
        match repeat(&stored.text, &answer, &question.text, question.retry || orphaned) {
            Repeat::Conflict => return Ok(Appended::Conflict),
            _ if elsewhere.is_some() && !orphaned => {
                return Ok(Appended::Elsewhere { answer, asked_at });
            }
            Repeat::Resume => return Ok(Appended::Existing { answer, asked_at, is_over }),
            Repeat::Retry if answer.attempt >= MAX_ATTEMPTS && !orphaned => {
                return Ok(Appended::Full);
            }
            Repeat::Retry => {}
        }
        if is_over {
            return Ok(Appended::Ended);
        }
        let Some(assistant) = answering(tx, &mut asked, assistants, question.now)? else {
            return Ok(Appended::Ended);
        };
        spoke(tx, &mut asked.session, 0, question.now)?;
        tx.execute(
            "UPDATE messages SET text = '', status = 'streaming', sources = '[]', error = NULL,
                    attempt = attempt + 1, writer = $3
             WHERE session_id = $1 AND id = $2",
            args![question.session.as_str(), answer_id.as_str(), node],
        )?;
        (answer.attempt + 1, asked_at, assistant)
    } else {
        if is_over {
            return Ok(Appended::Ended);
        }
        if let Some(refusal) = refuse_new(tx, &asked, question)? {
            return Ok(refusal);
        }
        let Some(assistant) = answering(tx, &mut asked, assistants, question.now)? else {
            return Ok(Appended::Ended);
        };
        spoke(tx, &mut asked.session, 1, question.now)?;
        insert_pair(tx, &mut asked, question, &answer_id, node)?;
        (1, question.now, assistant)
    };
    let order = order(tx, asked, assistant, answer_id, attempt, asked_at)?;
    Ok(Appended::Write(Box::new(order), Durable::default()))
}

fn ask(
    tx: &mut dyn Transaction,
    question: &Question,
    answer: &MessageId,
    node: &str,
) -> Result<Option<Asked>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        lock_session_and(&format!(", visitor_messages, assistant_messages, {ASSISTANT}"))
    });
    let Some(row) = tx.first(&SQL, args![question.session.as_str()])? else { return Ok(None) };
    let mut said = Said::default();
    // Put in order later: the databases would copy every message once more for that.
    tx.each(
        "SELECT position, id, role, text, CASE WHEN status = 'streaming' THEN writer END
         FROM messages WHERE session_id = $1",
        args![question.session.as_str()],
        &mut |row| said.see(row, &question.id, answer, node),
    )?;
    Ok(Some(Asked {
        session: session(&row)?,
        questions: row.small(SESSION_WIDTH)?,
        answers: row.small(SESSION_WIDTH + 1)?,
        assistant: row.optional_text(SESSION_WIDTH + 2)?,
        said,
    }))
}

impl Said {
    fn see(
        &mut self,
        row: &Row,
        question: &MessageId,
        answer: &MessageId,
        node: &str,
    ) -> Result<()> {
        let (position, id) = (row.int(0)?, row.str(1)?);
        self.has_question |= id == question.as_str();
        if id == answer.as_str() {
            self.answer_at = Some(position);
        }
        let told = turn(from_name("role", row.str(2)?)?, row.str(3)?);
        self.turns.extend(told.map(|turn| (position, turn)));
        if let Some(writer) = row.optional_text(4)?.filter(|writer| writer != node) {
            self.elsewhere = Some(writer);
        }
        Ok(())
    }

    /// What was said before the answer, oldest first: a retry may come after later questions, and what
    /// they and their answers say is not part of it.
    fn before_answer(mut self) -> impl Iterator<Item = Turn> {
        let end = self.answer_at;
        self.turns.retain(|(position, _)| end.is_none_or(|end| *position < end));
        self.turns.sort_unstable_by_key(|(position, _)| *position);
        self.turns.into_iter().map(|(_, turn)| turn)
    }
}

/// Who answers. Nobody where the widget has another provider's assistant by now, who knows nothing of
/// what was said: the session ends then.
fn answering(
    tx: &mut dyn Transaction,
    asked: &mut Asked,
    assistants: &Assistants,
    now: u64,
) -> Result<Option<Arc<Assistant>>> {
    let assistant = assistants.read(asked.assistant.as_deref().unwrap_or_default())?;
    if assistant.provider() == asked.session.provider {
        return Ok(Some(assistant));
    }
    happen(tx, &mut asked.session, Happening::End(EndReason::OwnerEnded), now)?;
    Ok(None)
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
    asked: &Asked,
    question: &Question,
) -> Result<Option<Appended>> {
    if asked.questions >= question.max_questions {
        return Ok(Some(Appended::Full));
    }
    // What this server writes itself has been refused before it came here.
    let Some(writer) = &asked.said.elsewhere else { return Ok(None) };
    if is_alive(tx, writer, question.now)? {
        return Ok(Some(Appended::Busy));
    }
    tx.execute(
        "UPDATE messages SET status = 'interrupted' WHERE session_id = $1 AND status = 'streaming'",
        args![question.session.as_str()],
    )?;
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
    let Asked { session, answers, said, .. } = asked;
    let mut history = Vec::new();
    for message in earlier(tx, &session)? {
        history.extend(turn(message.role, &message.text));
    }
    history.extend(said.before_answer());
    let is_first = answers == 0;
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
    created(tx, &asked.session, &question.id, 0, question.now)?;
    let last = turn(Role::Visitor, &question.text).map(|turn| (i64::MAX, turn));
    asked.said.turns.extend(last);
    Ok(())
}

/// Tells of a message that is there to stay; it is read only when somebody wants to know.
pub(super) fn created(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    message: &MessageId,
    attempt: u32,
    now: u64,
) -> Result<()> {
    let key = format_args!("{}/{message}/{attempt}", session.id);
    outbox::emit(tx, &session.organization, "message.created", key, now, |tx| {
        let stored = find_message(tx, &session.id, message)?;
        let (message, _) = stored.ok_or(StoreError::Column(0))?;
        Ok(json!({
            "sessionId": session.id, "widgetId": session.widget_id, "message": message,
        }))
    })
}
