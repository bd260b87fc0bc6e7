//! Questions and answers in SQLite.

use super::super::{AnswerEnd, AnswerOrder, Appended, MessageRepository, Question, Result};
use super::SqliteStore;
use super::rows::{
    find_message, find_session, from_json, insert_message, messages, status_name, to_json,
};
use crate::domain::conversation::{Repeat, repeat};
use async_trait::async_trait;
use banter_engine::assistant::Assistant;
use banter_shared::ids::{MessageId, SessionId};
use banter_shared::message::{Message, MessageStatus, Role, answer_id};
use rusqlite::{Connection, params};

#[async_trait]
impl MessageRepository for SqliteStore {
    async fn append_question(&self, question: Question) -> Result<Appended> {
        self.writer.write(move |transaction| append(transaction, &question)).await
    }

    async fn checkpoint_answer(
        &self,
        session: &SessionId,
        answer: &MessageId,
        text: String,
    ) -> Result<()> {
        let (session, answer) = (session.clone(), answer.clone());
        self.writer
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "UPDATE messages SET text = $1 WHERE session_id = $2 AND id = $3",
                    )?
                    .execute(params![text, session.as_str(), answer.as_str()])?;
                Ok(())
            })
            .await
    }

    async fn finish_answer(
        &self,
        session: &SessionId,
        answer: &MessageId,
        end: AnswerEnd,
    ) -> Result<()> {
        let (session, answer) = (session.clone(), answer.clone());
        self.writer
            .write(move |transaction| {
                let error = end.error.as_ref().map(to_json).transpose()?;
                transaction
                    .prepare_cached(
                        "UPDATE messages SET text = $1, status = $2, sources = $3, error = $4
                         WHERE session_id = $5 AND id = $6",
                    )?
                    .execute(params![
                        end.text,
                        status_name(end.status),
                        to_json(&end.sources)?,
                        error,
                        session.as_str(),
                        answer.as_str()
                    ])?;
                Ok(())
            })
            .await
    }

    async fn interrupt_unfinished(&self) -> Result<usize> {
        self.writer
            .write(|transaction| {
                Ok(transaction.execute(
                    "UPDATE messages SET status = 'interrupted' WHERE status = 'streaming'",
                    [],
                )?)
            })
            .await
    }
}

/// Stores a question once and prepares its answer; everything is decided inside the transaction.
fn append(transaction: &Connection, question: &Question) -> Result<Appended> {
    let Some(session) = find_session(transaction, &question.session)? else {
        return Ok(Appended::NoSession);
    };
    let answer_id = answer_id(&question.id);
    let stored = find_message(transaction, &question.session, &question.id)?;
    let (attempt, asked_at) = if let Some(stored) = stored {
        // Whoever guesses an id of ours, e.g. the first message's, has found no question.
        let Some(answer) = find_message(transaction, &question.session, &answer_id)? else {
            return Ok(Appended::Conflict);
        };
        match repeat(&stored.text, &answer, &question.text, question.retry) {
            Repeat::Conflict => return Ok(Appended::Conflict),
            Repeat::Resume => {
                return Ok(Appended::Existing { answer, asked_at: stored.created_at });
            }
            Repeat::Retry if session.end_at(question.now).is_some() => return Ok(Appended::Ended),
            Repeat::Retry => {
                transaction
                    .prepare_cached(
                        "UPDATE messages SET text = '', status = 'streaming', sources = '[]',
                                error = NULL, attempt = attempt + 1
                         WHERE session_id = $1 AND id = $2",
                    )?
                    .execute([question.session.as_str(), answer_id.as_str()])?;
                (answer.attempt + 1, stored.created_at)
            }
        }
    } else {
        if session.end_at(question.now).is_some() {
            return Ok(Appended::Ended);
        }
        if count_questions(transaction, &question.session)? >= question.max_questions {
            return Ok(Appended::Full);
        }
        insert_pair(transaction, question, &answer_id)?;
        (1, question.now)
    };
    let history = messages(transaction, &question.session)?;
    // A retry may come after later questions; what they and their answers say is not part of it.
    let history = history.into_iter().take_while(|message| message.id != answer_id).collect();
    let assistant = find_assistant(transaction, &question.session)?;
    Ok(Appended::Write(Box::new(AnswerOrder { history, assistant, answer_id, attempt, asked_at })))
}

fn count_questions(transaction: &Connection, session: &SessionId) -> Result<u32> {
    Ok(transaction
        .prepare_cached("SELECT count(*) FROM messages WHERE session_id = $1 AND role = 'visitor'")?
        .query_row([session.as_str()], |row| row.get(0))?)
}

fn find_assistant(transaction: &Connection, session: &SessionId) -> Result<Assistant> {
    let definition: String = transaction
        .prepare_cached(
            "SELECT assistants.definition FROM sessions
             JOIN widgets ON widgets.id = sessions.widget_id
             JOIN assistants ON assistants.id = widgets.assistant_id
             WHERE sessions.id = $1",
        )?
        .query_row([session.as_str()], |row| row.get(0))?;
    from_json("assistant", &definition)
}

/// The question, and its answer's place right behind it.
fn insert_pair(transaction: &Connection, question: &Question, answer_id: &MessageId) -> Result<()> {
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
    insert_message(transaction, &question.session, &asked)?;
    insert_message(transaction, &question.session, &answer)?;
    transaction
        .prepare_cached("UPDATE sessions SET last_activity_at = $1 WHERE id = $2")?
        .execute(params![question.now, question.session.as_str()])?;
    Ok(())
}
