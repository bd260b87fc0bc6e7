//! Answers while they are written, and how they ended.

use super::super::{
    AnswerEnd, AnswerKey, Appended, Elsewhere, Finished, MessageRepository, Notice, Question,
    Result,
};
use super::lifecycle::{Counted, happen, happen_and_count};
use super::messages::{append, created};
use super::nodes::is_alive;
use super::rows::{find_message, find_session, lock_session, status_name, to_json};
use super::{SqlStore, Transaction, args, timeline};
use crate::domain::session::{Happening, SessionRecord, after_answer};
use async_trait::async_trait;
use banter_shared::ids::{MessageId, SessionId};
use banter_shared::message::MessageStatus;
use serde_json::json;

#[async_trait]
impl MessageRepository for SqlStore {
    async fn append_question(&self, question: Question) -> Result<Appended> {
        let (node, assistants) = (self.node.clone(), self.assistants.clone());
        let append = move |tx: &mut dyn Transaction| append(tx, &question, &node, &assistants);
        let (mut decided, durable) = self.decide(append).await?;
        match &mut decided {
            Appended::Write(_, until) => *until = durable,
            _ => durable.wait().await?,
        }
        Ok(decided)
    }

    async fn checkpoint_answer(&self, answer: AnswerKey, text: String) -> Result<bool> {
        let node = self.node.clone();
        self.write(move |tx| {
            let written = tx.execute(
                "UPDATE messages SET text = $5
                 WHERE session_id = $1 AND id = $2 AND attempt = $3 AND writer = $4
                   AND EXISTS (SELECT 1 FROM sessions WHERE id = $1 AND ended_at IS NULL)",
                args![answer.session.as_str(), answer.id.as_str(), answer.attempt, &node, &text],
            )?;
            tx.notify(Notice::Wrote(answer.session.clone()))?;
            Ok(written > 0)
        })
        .await
    }

    async fn hold_answers(&self, answers: Vec<AnswerKey>, now: u64) -> Result<Vec<bool>> {
        let node = self.node.clone();
        self.write(move |tx| answers.iter().map(|answer| hold(tx, answer, &node, now)).collect())
            .await
    }

    async fn finish_answer(&self, answer: AnswerKey, end: AnswerEnd) -> Result<Finished> {
        let node = self.node.clone();
        self.write_soon(move |tx| finish(tx, &answer, &end, &node)).await
    }

    async fn answer_elsewhere(
        &self,
        session: &SessionId,
        answer: &MessageId,
        now: u64,
    ) -> Result<Option<Elsewhere>> {
        let (session, answer) = (session.clone(), answer.clone());
        self.read(move |tx| {
            let (found, session) =
                (find_message(tx, &session, &answer)?, find_session(tx, &session)?);
            let Some(((answer, writer), session)) = found.zip(session) else { return Ok(None) };
            let is_alive = match writer {
                Some(writer) if answer.status == MessageStatus::Streaming => {
                    is_alive(tx, &writer, now)?
                }
                _ => true,
            };
            let is_over = session.end_at(now).is_some();
            Ok(Some(Elsewhere { answer, is_alive, is_over }))
        })
        .await
    }
}

/// One of [`MessageRepository::hold_answers`].
fn hold(tx: &mut dyn Transaction, answer: &AnswerKey, node: &str, now: u64) -> Result<bool> {
    let Some(mut session) = lock_session(tx, &answer.session)? else { return Ok(false) };
    let ours = tx.first(
        "SELECT id FROM messages
         WHERE session_id = $1 AND id = $2 AND attempt = $3 AND writer = $4",
        args![answer.session.as_str(), answer.id.as_str(), answer.attempt, node],
    )?;
    if ours.is_none() {
        return Ok(false);
    }
    happen(tx, &mut session, Happening::Answering, now)?;
    Ok(session.ended.is_none())
}

fn finish(
    tx: &mut dyn Transaction,
    answer: &AnswerKey,
    end: &AnswerEnd,
    node: &str,
) -> Result<Finished> {
    let Some(mut session) = lock_session(tx, &answer.session)? else { return Ok(Finished::Lost) };
    let error = end.error.as_ref().map(to_json).transpose()?;
    let written = tx.execute(
        "UPDATE messages SET text = $5, status = $6, sources = $7, error = $8
         WHERE session_id = $1 AND id = $2 AND attempt = $3 AND writer = $4",
        args![
            answer.session.as_str(),
            answer.id.as_str(),
            answer.attempt,
            node,
            &end.text,
            status_name(end.status),
            to_json(&end.sources)?,
            error,
        ],
    )?;
    if written == 0 {
        return Ok(Finished::Lost);
    }
    let is_complete = end.status == MessageStatus::Complete;
    let counted = Counted { questions: 0, answers: is_complete.into() };
    let happening = match end.status {
        MessageStatus::Failed => failed(tx, &session, end)?,
        _ => Happening::Answered,
    };
    happen_and_count(tx, &mut session, happening, counted, end.now)?;
    if is_complete {
        created(tx, &session, &answer.id, answer.attempt, end.now)?;
    }
    tx.notify(Notice::Wrote(answer.session.clone()))?;
    Ok(Finished::Stored { is_over: session.ended.is_some() })
}

/// Tells the owner why an answer failed; says what that does to its session.
fn failed(tx: &mut dyn Transaction, session: &SessionRecord, end: &AnswerEnd) -> Result<Happening> {
    let code = end.error.as_ref().map(|error| error.code.as_str());
    let detail = json!({ "code": code, "cause": end.cause });
    timeline::note(tx, &session.id, end.now, "answer_failed", &detail)?;
    let sql = "SELECT assistant_messages FROM sessions WHERE id = $1";
    let row = tx.first(sql, args![session.id.as_str()])?;
    let answers = row.map_or(Ok(0), |row| row.small(0))?;
    let for_good = end.error.as_ref().is_some_and(|error| !error.retryable);
    Ok(after_answer(for_good, answers))
}
