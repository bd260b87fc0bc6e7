//! Reading Vapi's envelope: `{"message":{"type":…,"session":{…}}}`. Unknown types and fields are
//! fine; a field of an unexpected shape counts as missing, because refusing the whole event would
//! lose a completion.

use super::{Kind, ProviderEvent};
use banter_engine::surrogates::Surrogates;
use rust_decimal::Decimal;
use serde_json::Value;

/// The longest id or name kept, in bytes. Vapi's ids are UUIDs.
pub const MAX_NAME: usize = 128;

/// Why a body is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or nested too deep.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON without the envelope.
    #[error("the body has no message with a type")]
    NoEnvelope,
}

/// Reads an event; also gives the JSON it was read from.
///
/// # Errors
/// [`Unreadable`] when the body is no event at all.
pub fn parse(body: &[u8]) -> Result<(ProviderEvent, Value), Unreadable> {
    let mended = || Surrogates::default().mend(std::str::from_utf8(body).ok()?);
    let json: Value = serde_json::from_slice(body)
        .or_else(|error| mended().map_or(Err(error), |mended| serde_json::from_str(&mended)))
        .map_err(|_| Unreadable::NotJson)?;
    let event = json.get("message").and_then(read).ok_or(Unreadable::NoEnvelope)?;
    Ok((event, json))
}

fn read(message: &Value) -> Option<ProviderEvent> {
    let name = message.get("type")?.as_str()?;
    let kind = match name {
        "session.created" => Kind::SessionCreated,
        "session.updated" => Kind::SessionUpdated,
        "session.deleted" => Kind::SessionDeleted,
        "chat.created" => Kind::ChatCreated,
        "chat.deleted" => Kind::ChatDeleted,
        _ => Kind::Other,
    };
    let (session, chat) = (message.get("session"), message.get("chat"));
    let provider_session = text(session, "id").or_else(|| text(chat, "sessionId"));
    Some(ProviderEvent {
        kind,
        name: name.chars().filter(|c| !c.is_control()).take(MAX_NAME / 4).collect(),
        provider_session,
        session_name: text(session, "name"),
        completed: text(session, "status").is_some_and(|status| status == "completed"),
        cost: session.and_then(|session| price(session.get("cost"), session.get("costs"))),
        at: instant(message.get("timestamp"))
            .or_else(|| instant(session.or(chat)?.get("updatedAt"))),
        began_at: instant(session.and_then(|session| session.get("createdAt"))),
        visitor_messages: session.and_then(visitor_messages),
        chat: text(chat, "id"),
    })
}

/// A short text of an object.
fn text(object: Option<&Value>, field: &str) -> Option<String> {
    let text = object?.get(field)?.as_str()?;
    let usable = (1..=MAX_NAME).contains(&text.len()) && !text.contains(char::is_control);
    usable.then(|| text.to_owned())
}

/// An instant in Unix milliseconds, given as such or as ISO 8601.
fn instant(value: Option<&Value>) -> Option<u64> {
    let ms = match value? {
        Value::Number(number) => number.as_i64().or_else(|| {
            // Some clocks have fractions of a millisecond.
            let text = number.to_string();
            text.split_once('.').and_then(|(whole, _)| whole.parse().ok())
        })?,
        Value::String(text) => text.parse::<jiff::Timestamp>().ok()?.as_millisecond(),
        _ => return None,
    };
    // What lies beyond the year 9999 is no instant, and no database takes it.
    u64::try_from(ms).ok().filter(|ms| *ms < 253_402_300_800_000)
}

/// How many messages of a session are the visitor's.
fn visitor_messages(session: &Value) -> Option<u32> {
    let messages = session.get("messages")?.as_array()?;
    let role = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    u32::try_from(messages.iter().filter(role).count()).ok()
}

/// What a session cost, in USD: its `cost`, or else the sum of its `costs`. A zero counts only when
/// the other says no more: Vapi may not have filled it in yet.
#[must_use]
pub fn price(cost: Option<&Value>, costs: Option<&Value>) -> Option<Decimal> {
    let total = amount(cost);
    total.filter(|total| !total.is_zero()).or_else(|| sum(costs?)).or(total)
}

fn sum(costs: &Value) -> Option<Decimal> {
    let mut sum = None;
    for cost in costs.as_array()? {
        let part = amount(cost.get("cost"))?;
        sum = Some(sum.unwrap_or(Decimal::ZERO).checked_add(part)?);
    }
    sum.filter(|sum| *sum <= MAX_COST)
}

/// No chat costs a million dollars; a number beyond it is a mistake, not a bill.
const MAX_COST: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// A sum of money, by its digits as they were written: it never passes through a float's rounding.
fn amount(value: Option<&Value>) -> Option<Decimal> {
    let written = match value? {
        Value::Number(number) => number.to_string(),
        // The library takes `5_000` for a number; a bill does not.
        Value::String(text) if !text.contains('_') => text.clone(),
        _ => return None,
    };
    let exact = Decimal::from_str_exact(&written).or_else(|_| {
        if written.contains(['e', 'E']) {
            Decimal::from_scientific(&written)
        } else {
            written.parse()
        }
    });
    // Twelve places are a millionth of a millionth of a dollar.
    exact
        .ok()
        .filter(|cost| (Decimal::ZERO..=MAX_COST).contains(cost))
        .map(|c| c.round_dp(12).normalize())
}
