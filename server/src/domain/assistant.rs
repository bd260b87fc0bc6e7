//! An assistant as its owner declares it, and who runs it.

use super::provider::ProviderName;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What answers. In TOML and JSON told apart by `provider = "vapi"`; without it the engine runs it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "provider", rename_all = "snake_case")]
pub enum Assistant {
    /// Run in this process.
    Engine(banter_engine::assistant::Assistant),
    /// Run by Vapi.
    Vapi(VapiAssistant),
}

/// An assistant that Vapi runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VapiAssistant {
    /// The name of a configured connection.
    pub connection: String,
    /// A permanent assistant: its id at Vapi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant_id: Option<String>,
    /// A transient assistant: its whole definition, as Vapi takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Map<String, Value>>,
    /// What is shown before the visitor says anything; a Liquid template. Vapi says nothing first
    /// in a chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_message: Option<String>,
    /// Values for the assistant's `{{placeholders}}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
}

impl Assistant {
    /// Reads one, and tells `unknown` the names it reads past: a newer server may have stored more than
    /// this one knows, an owner may have misspelt something.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(
        mut fields: Map<String, Value>,
        mut unknown: impl FnMut(String),
    ) -> serde_json::Result<Self> {
        let provider = fields.remove("provider");
        let fields = Value::Object(fields);
        let past = |path: serde_ignored::Path<'_>| unknown(path.to_string());
        match provider.as_ref().map(|name| name.as_str().unwrap_or_default()) {
            None | Some("engine") => serde_ignored::deserialize(fields, past).map(Self::Engine),
            Some("vapi") => serde_ignored::deserialize(fields, past).map(Self::Vapi),
            Some(other) => Err(serde_json::Error::custom(format!(
                "`{other}` is no provider: write \"engine\" or \"vapi\""
            ))),
        }
    }

    /// Who runs it.
    #[must_use]
    pub fn provider(&self) -> ProviderName {
        match self {
            Self::Engine(_) => ProviderName::Engine,
            Self::Vapi(_) => ProviderName::Vapi,
        }
    }

    /// The configured connection by way of which the one who runs it is told of its sessions; none for
    /// what runs in this process.
    #[must_use]
    pub fn connection(&self) -> Option<&str> {
        match self {
            Self::Engine(_) => None,
            Self::Vapi(assistant) => Some(&assistant.connection),
        }
    }
}

impl<'de> Deserialize<'de> for Assistant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Map::deserialize(deserializer)?, |_| {}).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Assistant, VapiAssistant};
    use serde_json::{Map, json};

    #[test]
    fn an_assistant_is_the_engines_unless_it_says_otherwise() {
        let engine = json!({
            "name": "Fern", "system_prompt": "", "model": {"builtin": {"knowledge": "demo"}},
            "history_tokens": 10,
        });
        let read: Assistant = serde_json::from_value(engine).unwrap();
        assert!(matches!(&read, Assistant::Engine(assistant) if assistant.name == "Fern"));
        let again = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
        assert_eq!(read, again);
    }

    #[test]
    fn vapis_assistants_survive_the_store() {
        let assistant = Assistant::Vapi(VapiAssistant {
            connection: "main".into(),
            assistant_id: Some("a0000000-0000-4000-8000-00000000000a".into()),
            definition: None,
            first_message: Some("Hi {{name}}".into()),
            variables: Map::from_iter([("name".into(), json!("Ann"))]),
        });
        let written = serde_json::to_value(&assistant).unwrap();
        assert_eq!(written["provider"], "vapi");
        assert_eq!(serde_json::from_value::<Assistant>(written).unwrap(), assistant);
        let newer = json!({"provider": "vapi", "connection": "main", "voice": {"pitch": 2}});
        let read = serde_json::from_value::<Assistant>(newer.clone()).unwrap();
        assert_eq!(read.provider().name(), "vapi");
        let mut unknown = Vec::new();
        let fields = newer.as_object().unwrap().clone();
        assert_eq!(Assistant::read(fields, |name| unknown.push(name)).unwrap(), read);
        assert_eq!(unknown, ["voice"]);
        assert!(serde_json::from_value::<Assistant>(json!({"provider": "vappi"})).is_err());
    }
}
