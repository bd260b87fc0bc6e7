//! What bodies may hold. Vapi's validator refuses what it does not know ("property X should not
//! exist"), so a client that passes browsers' bodies through fails there, and must fail here.

use crate::refusal::Refusal;
use serde_json::{Map, Value};

/// `CreateSessionDTO`.
pub(crate) const CREATE_SESSION: &[&str] = &[
    "assistant",
    "assistantId",
    "assistantOverrides",
    "customer",
    "customerId",
    "expirationSeconds",
    "messages",
    "name",
    "phoneNumber",
    "phoneNumberId",
    "squad",
    "squadId",
    "status",
];

/// `UpdateSessionDTO`.
pub(crate) const UPDATE_SESSION: &[&str] = &["expirationSeconds", "messages", "name", "status"];

/// `CreateChatDTO`.
pub(crate) const CREATE_CHAT: &[&str] = &[
    "assistant",
    "assistantId",
    "assistantOverrides",
    "input",
    "name",
    "previousChatId",
    "sessionId",
    "squad",
    "squadId",
    "stream",
    "transport",
];

/// `CreateAssistantDTO`.
pub(crate) const CREATE_ASSISTANT: &[&str] = &[
    "analysisPlan",
    "artifactPlan",
    "backgroundSound",
    "backgroundSpeechDenoisingPlan",
    "clientMessages",
    "compliancePlan",
    "credentialIds",
    "credentials",
    "endCallMessage",
    "endCallPhrases",
    "firstMessage",
    "firstMessageInterruptionsEnabled",
    "firstMessageMode",
    "hooks",
    "keypadInputPlan",
    "maxDurationSeconds",
    "metadata",
    "model",
    "modelOutputInMessagesEnabled",
    "monitorPlan",
    "name",
    "observabilityPlan",
    "server",
    "serverMessages",
    "startSpeakingPlan",
    "stopSpeakingPlan",
    "transcriber",
    "transportConfigurations",
    "voice",
    "voicemailDetection",
    "voicemailMessage",
];

/// `CreateCustomerDTO`.
pub(crate) const CUSTOMER: &[&str] = &[
    "assistantOverrides",
    "email",
    "extension",
    "externalId",
    "name",
    "number",
    "numberE164CheckEnabled",
    "sipUri",
    "squadOverrides",
];

/// `Server`.
pub(crate) const SERVER: &[&str] = &[
    "backoffPlan",
    "credentialId",
    "encryptedPaths",
    "headers",
    "staticIpAddressesEnabled",
    "timeoutSeconds",
    "url",
];

/// What overrides may hold besides everything an assistant may.
const ONLY_OVERRIDES: [&str; 2] = ["variableValues", "tools:append"];

/// What is still accepted although the specification no longer lists it: the old inline secret.
const OLD_SERVER: [&str; 1] = ["secret"];

/// The bound of what assistants, tools and developers say, in characters as Vapi's validator counts
/// them: by code point.
const MAX_CONTENT: usize = 10_000;

/// Checks a body of one kind and collects everything that is wrong with it.
pub(crate) struct Checks<'a> {
    body: &'a Map<String, Value>,
    faults: Vec<String>,
}

impl<'a> Checks<'a> {
    /// A body that may hold `known`.
    pub(crate) fn of(body: &'a Map<String, Value>, known: &[&str]) -> Self {
        let mut checks = Self { body, faults: Vec::new() };
        checks.known("", body, |name| known.contains(&name));
        for name in ["assistant", "assistantOverrides", "customer", "server"] {
            checks.nested(name, body);
        }
        if let Some(customer) = object(body, "customer") {
            checks.text("customer.", customer, "name", 40);
            checks.text("customer.", customer, "email", 40);
            checks.text("customer.", customer, "externalId", 40);
            checks.text("customer.", customer, "extension", 10);
        }
        if let Some(assistant) = object(body, "assistant") {
            checks.nested("server", assistant);
        }
        checks
    }

    /// The bounds of an assistant that is the body itself.
    pub(crate) fn assistant(mut self) -> Self {
        self.assistant_bounds("", self.body);
        self
    }

    /// `name` is a string of at most 40 characters.
    pub(crate) fn name(mut self) -> Self {
        self.text("", self.body, "name", 40);
        self
    }

    /// `expirationSeconds` is within Vapi's bounds.
    pub(crate) fn expiration(mut self) -> Self {
        self.number("", self.body, "expirationSeconds", 60..=2_592_000);
        self
    }

    /// `status` is one of the two there are.
    pub(crate) fn status(mut self) -> Self {
        let status = self.body.get("status");
        if status.is_some_and(|status| status != "active" && status != "completed") {
            self.fault("status must be one of the following values: active, completed");
        }
        self
    }

    /// `input` is a string or a list of messages.
    pub(crate) fn input(mut self) -> Self {
        match self.body.get("input") {
            Some(Value::String(_)) => {}
            Some(Value::Array(items)) => self.said("input", items),
            _ => self.fault("input must be a string or an array of messages"),
        }
        self
    }

    /// `messages` is a list of messages.
    pub(crate) fn messages(mut self) -> Self {
        match self.body.get("messages") {
            None => {}
            Some(Value::Array(items)) => self.said("messages", items),
            Some(_) => self.fault("messages must be an array"),
        }
        self
    }

    /// The five kinds of messages. What users and systems say has no bound.
    fn said(&mut self, list: &str, items: &[Value]) {
        for (index, item) in items.iter().enumerate() {
            let prefix = format!("{list}.{index}.");
            let role = item["role"].as_str().unwrap_or_default();
            if !["system", "user", "assistant", "tool", "developer"].contains(&role) {
                self.fault(&format!("{prefix}role must be a valid role"));
            }
            if !item["content"].is_string() {
                self.fault(&format!("{prefix}content must be a string"));
            }
            let Some(item) = item.as_object() else { continue };
            if ["assistant", "tool", "developer"].contains(&role) && item["content"].is_string() {
                self.text(&prefix, item, "content", MAX_CONTENT);
            }
            self.text(&prefix, item, "refusal", MAX_CONTENT);
            self.text(&prefix, item, "name", 40);
            if role == "tool" && !item.contains_key("tool_call_id") {
                self.fault(&format!("{prefix}tool_call_id must be a string"));
            }
        }
    }

    /// What is wrong, as a refusal.
    pub(crate) fn end(self) -> Result<(), Refusal> {
        if self.faults.is_empty() { Ok(()) } else { Err(Refusal::invalid(self.faults)) }
    }

    fn nested(&mut self, name: &str, body: &Map<String, Value>) {
        let prefix = format!("{name}.");
        match (name, body.get(name)) {
            (_, None) => {}
            ("assistant", Some(Value::Object(inner))) => {
                self.known(&prefix, inner, |name| CREATE_ASSISTANT.contains(&name));
                self.assistant_bounds(&prefix, inner);
            }
            ("assistantOverrides", Some(Value::Object(inner))) => {
                self.known(&prefix, inner, |name| {
                    CREATE_ASSISTANT.contains(&name) || ONLY_OVERRIDES.contains(&name)
                });
                self.assistant_bounds(&prefix, inner);
            }
            ("customer", Some(Value::Object(inner))) => {
                self.known(&prefix, inner, |name| CUSTOMER.contains(&name));
            }
            ("server", Some(Value::Object(inner))) => {
                self.known(&prefix, inner, |name| {
                    SERVER.contains(&name) || OLD_SERVER.contains(&name)
                });
                self.number(&prefix, inner, "timeoutSeconds", 1..=300);
            }
            (_, Some(_)) => self.fault(&format!("{name} must be an object")),
        }
    }

    fn known(&mut self, prefix: &str, body: &Map<String, Value>, is: impl Fn(&str) -> bool) {
        for name in body.keys().filter(|name| !is(name)) {
            self.faults.push(format!("{prefix}property {name} should not exist"));
        }
    }

    fn text(&mut self, prefix: &str, body: &Map<String, Value>, name: &str, max: usize) {
        let fault = match body.get(name) {
            None => return,
            Some(Value::String(text)) if text.chars().count() <= max => return,
            Some(Value::String(_)) => {
                format!("{prefix}{name} must be shorter than or equal to {max} characters")
            }
            Some(_) => format!("{prefix}{name} must be a string"),
        };
        self.faults.push(fault);
    }

    fn number(
        &mut self,
        prefix: &str,
        body: &Map<String, Value>,
        name: &str,
        range: std::ops::RangeInclusive<u32>,
    ) {
        let Some(value) = body.get(name) else { return };
        let (low, high) = range.into_inner();
        let fault = match value.as_f64() {
            None => "must be a number".to_owned(),
            Some(number) if number < low.into() => format!("must not be less than {low}"),
            Some(number) if number > high.into() => format!("must not be greater than {high}"),
            Some(_) => return,
        };
        self.faults.push(format!("{prefix}{name} {fault}"));
    }

    /// What of an assistant has a bound that can be looked at without knowing its provider.
    fn assistant_bounds(&mut self, prefix: &str, assistant: &Map<String, Value>) {
        self.text(prefix, assistant, "name", 40);
        self.text(prefix, assistant, "voicemailMessage", 1000);
        self.text(prefix, assistant, "endCallMessage", 1000);
        self.number(prefix, assistant, "maxDurationSeconds", 10..=43_200);
    }

    fn fault(&mut self, sentence: &str) {
        self.faults.push(sentence.to_owned());
    }
}

/// The object `name` of `body`, if it is one.
pub(crate) fn object<'a>(
    body: &'a Map<String, Value>,
    name: &str,
) -> Option<&'a Map<String, Value>> {
    body.get(name).and_then(Value::as_object)
}

/// The string `name` of `body`, if it is one.
pub(crate) fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::{
        CREATE_ASSISTANT, CREATE_CHAT, CREATE_SESSION, CUSTOMER, Checks, SERVER, UPDATE_SESSION,
    };
    use serde_json::{Value, json};

    #[test]
    fn what_is_known_is_what_vapi_knows() {
        let schemas = include_str!("../tests/fixtures/vapi-schemas.json");
        let schemas: Value = serde_json::from_str(schemas).unwrap();
        for (name, known) in [
            ("CreateSessionDTO", CREATE_SESSION),
            ("UpdateSessionDTO", UPDATE_SESSION),
            ("CreateChatDTO", CREATE_CHAT),
            ("CreateAssistantDTO", CREATE_ASSISTANT),
            ("CreateCustomerDTO", CUSTOMER),
        ] {
            let properties = schemas["$defs"][name]["properties"].as_object().unwrap();
            assert_eq!(properties.keys().collect::<Vec<_>>(), known, "{name}");
        }
        for name in SERVER {
            assert!(schemas["$defs"]["Server"]["properties"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let body = json!({
            "name": "x".repeat(41),
            "expirationSeconds": 59,
            "status": "over",
            "input": [
                { "role": "visitor" },
                { "role": "assistant", "content": "ü".repeat(10_001) },
                { "role": "assistant", "content": "ü".repeat(10_000) },
                { "role": "user", "content": "ü".repeat(10_001) },
                { "role": "tool", "content": "x", "name": 1 },
            ],
            "messages": "x",
            "messagePlan": {},
            "assistant": {
                "server": { "uri": "x", "timeoutSeconds": 301 }, "voise": 1,
                "endCallMessage": "x".repeat(1001), "maxDurationSeconds": 9,
            },
            "assistantOverrides": { "variableValues": {}, "variables": {} },
            "customer": { "name": 1 },
        });
        let checks = Checks::of(body.as_object().unwrap(), CREATE_CHAT);
        let mut said = checks.name().expiration().status().input().messages().faults;
        said.sort();
        assert_eq!(
            said,
            [
                "property expirationSeconds should not exist",
                "property messagePlan should not exist",
                "property status should not exist",
                "property customer should not exist",
                "assistant.property voise should not exist",
                "assistantOverrides.property variables should not exist",
                "customer.name must be a string",
                "server.property uri should not exist",
                "name must be shorter than or equal to 40 characters",
                "expirationSeconds must not be less than 60",
                "status must be one of the following values: active, completed",
                "input.0.role must be a valid role",
                "input.0.content must be a string",
                "input.1.content must be shorter than or equal to 10000 characters",
                "input.4.name must be a string",
                "input.4.tool_call_id must be a string",
                "property messages should not exist",
                "messages must be an array",
                "server.timeoutSeconds must not be greater than 300",
                "assistant.endCallMessage must be shorter than or equal to 1000 characters",
                "assistant.maxDurationSeconds must not be less than 10",
            ]
            .map(str::to_owned)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
        );
    }
}
