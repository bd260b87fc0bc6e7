//! Vapi's JSON: what we send, all of it, and what we read, as little of it as possible.
//!
//! Vapi refuses properties it does not know, and whatever is sent here the owner pays for: so every
//! body is one of these types, and nothing of a visitor's is in it but the text.

use crate::domain::assistant::VapiAssistant;
use crate::providers::{Ask, ModelError};
use banter_engine::turn::{Speaker, Turn};
use banter_engine::variables::Variables;
use banter_shared::ids::SessionId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// Vapi's bounds for `expirationSeconds`.
const EXPIRATION: (u64, u64) = (60, 2_592_000);
/// Vapi's bound for `name`, in characters.
const MAX_NAME: usize = 40;
/// Vapi's bound for the `content` of an assistant's message, in characters.
const MAX_CONTENT: usize = 10_000;
/// The most that Vapi is told of what was said before a question, in characters: about 8,000 tokens.
/// Vapi publishes no bound, and the owner pays for each of them.
const MAX_HISTORY: usize = 32_000;

/// The body of `POST /session` (`CreateSessionDTO`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateSession<'a> {
    /// Our id, so that a webhook can be matched even before we have stored Vapi's.
    name: &'a str,
    #[serde(flatten)]
    answerer: Answerer<'a>,
    expiration_seconds: u64,
}

/// Who answers: a permanent or a transient assistant, with its variables.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answerer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_overrides: Option<Overrides>,
}

/// In a chat only variables may be overridden.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    variable_values: Map<String, Value>,
}

impl<'a> CreateSession<'a> {
    /// What opens a session that lasts `expires_in`, within Vapi's bounds.
    pub(super) fn new(
        assistant: &'a VapiAssistant,
        session: &'a SessionId,
        expires_in: Duration,
    ) -> Self {
        let name = session.as_str();
        let end = name.char_indices().nth(MAX_NAME).map_or(name.len(), |(at, _)| at);
        Self {
            name: &name[..end],
            answerer: Answerer::of(assistant),
            expiration_seconds: expires_in.as_secs().clamp(EXPIRATION.0, EXPIRATION.1),
        }
    }
}

impl<'a> Answerer<'a> {
    fn of(assistant: &'a VapiAssistant) -> Self {
        let variable_values = Variables::from_json(&assistant.variables).to_json();
        Self {
            assistant_id: assistant.assistant_id.as_deref(),
            // Settings refuse both at once; should both be there, the permanent one answers.
            assistant: assistant.definition.as_ref().filter(|_| assistant.assistant_id.is_none()),
            assistant_overrides: (!variable_values.is_empty())
                .then_some(Overrides { variable_values }),
        }
    }
}

/// The body of `POST /chat` (`CreateChatDTO`), serialized: a stream outlives what it is made from.
/// In a session Vapi remembers what was said and with which values; without one it is told what fits.
///
/// # Errors
/// [`ModelError::Prompt`] when there is nothing to answer.
pub(super) fn chat_body(assistant: &VapiAssistant, ask: &Ask<'_>) -> Result<Chat, ModelError> {
    let history = match ask.history {
        [] => return Err(ModelError::Prompt { cause: "nobody asked anything".to_owned() }),
        history if ask.provider_session.is_none() || ask.is_first => window(history),
        [.., last] => std::slice::from_ref(last),
    };
    let input = match history {
        [only] if only.speaker == Speaker::Visitor => Input::Text(&only.text),
        turns => Input::Messages(turns.iter().flat_map(Said::of).collect()),
    };
    let body = CreateChat {
        session_id: ask.provider_session,
        // A session is tied to its assistant, and naming one beside it is refused.
        answerer: ask.provider_session.is_none().then(|| Answerer::of(assistant)),
        input,
        stream: true,
    };
    let body = serde_json::to_value(&body)
        .map_err(|error| ModelError::Prompt { cause: error.to_string() })?;
    Ok(Chat { body, in_session: ask.provider_session.is_some() })
}

/// The newest turns of `history` that fit, whole and without gaps; the last one always does. What is
/// left of a conversation that does not fit begins with a visitor, as an answer without its question
/// misleads.
fn window(history: &[Turn]) -> &[Turn] {
    let Some((_, earlier)) = history.split_last() else { return history };
    let mut left = MAX_HISTORY;
    let too_much = earlier.iter().rposition(|turn| {
        let rest = left.checked_sub(turn.text.chars().count());
        left = rest.unwrap_or(left);
        rest.is_none()
    });
    let Some(too_much) = too_much else { return history };
    let kept = &history[too_much + 1..];
    let asked = kept.iter().position(|turn| turn.speaker == Speaker::Visitor);
    &kept[asked.unwrap_or(kept.len() - 1)..]
}

/// A question ready to be sent.
pub(super) struct Chat {
    /// Its body.
    pub(super) body: Value,
    /// Whether it is asked in a session.
    pub(super) in_session: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateChat<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    answerer: Option<Answerer<'a>>,
    input: Input<'a>,
    stream: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Input<'a> {
    Text(&'a str),
    Messages(Vec<Said<'a>>),
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> Said<'a> {
    /// What was said in a turn: an answer that is longer than Vapi takes is several.
    fn of(turn: &'a Turn) -> Vec<Self> {
        match turn.speaker {
            Speaker::Visitor => vec![Self { role: "user", content: &turn.text }],
            Speaker::Assistant => pieces(&turn.text)
                .into_iter()
                .map(|content| Self { role: "assistant", content })
                .collect(),
        }
    }
}

/// `text` in pieces of at most [`MAX_CONTENT`] characters.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((at, _)) = rest.char_indices().nth(MAX_CONTENT) {
        let (piece, more) = rest.split_at(at);
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

/// The body of `PATCH /session/{id}` that ends it (`UpdateSessionDTO`).
#[derive(Serialize)]
pub(super) struct Complete {
    status: &'static str,
}

impl Complete {
    /// The only one there is.
    pub(super) const BODY: Self = Self { status: "completed" };
}

/// What is read of a `Session`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    /// Its id.
    pub(super) id: String,
    /// `active` or `completed`.
    #[serde(default)]
    pub(super) status: Option<String>,
    /// ISO 8601.
    #[serde(default)]
    pub(super) updated_at: Option<String>,
    /// US dollars.
    #[serde(default)]
    pub(super) cost: Option<Value>,
    /// What it is made up of.
    #[serde(default)]
    pub(super) costs: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::{Complete, CreateSession, chat_body};
    use crate::domain::assistant::VapiAssistant;
    use crate::providers::Ask;
    use banter_engine::turn::Turn;
    use serde_json::{Map, Value, json};
    use std::time::Duration;

    fn permanent() -> VapiAssistant {
        VapiAssistant {
            connection: "main".into(),
            assistant_id: Some("a-1".into()),
            definition: None,
            first_message: Some("Hi".into()),
            variables: Map::new(),
        }
    }

    fn transient() -> VapiAssistant {
        let definition = json!({ "name": "T" }).as_object().cloned();
        VapiAssistant { assistant_id: None, definition, ..permanent() }
    }

    #[test]
    fn sessions_are_opened_with_these_fields_and_no_others() {
        let named = VapiAssistant {
            variables: Map::from_iter([
                ("name".into(), json!("Jo")),
                ("customer.city".into(), json!("Bern")),
            ]),
            ..permanent()
        };
        let id = "01890000-0000-7000-8000-000000000001".into();
        let body = |assistant: &VapiAssistant, seconds| {
            json!(CreateSession::new(assistant, &id, Duration::from_secs(seconds)))
        };
        assert_eq!(
            body(&named, 180),
            json!({
                "name": "01890000-0000-7000-8000-000000000001",
                "assistantId": "a-1",
                "assistantOverrides": {
                    "variableValues": { "name": "Jo", "customer": { "city": "Bern" } },
                },
                "expirationSeconds": 180,
            })
        );
        assert_eq!(
            body(&transient(), 1),
            json!({
                "name": "01890000-0000-7000-8000-000000000001",
                "assistant": { "name": "T" },
                "expirationSeconds": 60,
            })
        );
        let long = "x".repeat(64).as_str().into();
        let session = json!(CreateSession::new(&permanent(), &long, Duration::MAX));
        assert_eq!(session["name"], "x".repeat(40));
        assert_eq!(session["expirationSeconds"], 2_592_000);
        assert_eq!(json!(Complete::BODY), json!({ "status": "completed" }));
    }

    #[test]
    fn questions_hold_what_vapi_does_not_know_yet() {
        let turns =
            [Turn::assistant("Hi"), Turn::visitor("A"), Turn::assistant("B"), Turn::visitor("C")];
        let named = VapiAssistant {
            variables: Map::from_iter([("name".into(), json!("Jo"))]),
            ..permanent()
        };
        let body = |history: &[Turn], provider_session, is_first| -> Value {
            chat_body(&named, &Ask { history, provider_session, is_first }).unwrap().body
        };
        assert_eq!(
            body(&turns, Some("s"), false),
            json!({ "sessionId": "s", "input": "C", "stream": true })
        );
        let said = json!([
            { "role": "assistant", "content": "Hi" }, { "role": "user", "content": "A" },
        ]);
        assert_eq!(
            body(&turns[..2], Some("s"), true),
            json!({ "sessionId": "s", "input": said, "stream": true })
        );
        assert_eq!(
            body(&turns[..2], None, false),
            json!({
                "assistantId": "a-1", "assistantOverrides": { "variableValues": { "name": "Jo" } },
                "input": said, "stream": true,
            })
        );
        let ask = Ask { history: &[], provider_session: None, is_first: true };
        assert!(chat_body(&permanent(), &ask).is_err());
    }

    #[test]
    fn nothing_is_longer_than_vapi_takes() {
        for (chars, expected) in [
            (0, vec![0]),
            (10_000, vec![10_000]),
            (10_001, vec![10_000, 1]),
            (25_000, vec![10_000, 10_000, 5_000]),
        ] {
            let text = "ü".repeat(chars);
            let pieces = super::pieces(&text);
            assert_eq!(pieces.iter().map(|p| p.chars().count()).collect::<Vec<_>>(), expected);
            assert_eq!(pieces.concat(), text);
        }
        let (long, half) = ("x".repeat(32_001), "x".repeat(16_000));
        let (hi, a, b) = (Turn::assistant("Hi"), Turn::visitor("A"), Turn::assistant("B"));
        let (long, half) = (Turn::assistant(long), Turn::assistant(half));
        let question = Turn::visitor("y".repeat(40_000));
        for (history, kept) in [
            (vec![question.clone()], 1),
            (vec![hi.clone(), a.clone(), b.clone(), question.clone()], 4),
            (vec![hi.clone(), a.clone(), half.clone(), a.clone(), b.clone(), question.clone()], 6),
            // Together too much: what is left begins with a visitor.
            (
                vec![a.clone(), half.clone(), b.clone(), a.clone(), half.clone(), question.clone()],
                3,
            ),
            (vec![a.clone(), long.clone(), question.clone()], 1),
            (vec![a.clone(), long, b, question], 1),
            (vec![a, half.clone(), half.clone(), half], 1),
        ] {
            assert_eq!(super::window(&history), &history[history.len() - kept..]);
        }
    }
}
