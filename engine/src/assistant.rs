//! What an owner configures about an assistant.

use serde::{Deserialize, Serialize};

/// What answers a visitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assistant {
    /// What it is called; `{{assistant.name}}` in its templates.
    pub name: String,
    /// A Liquid template of what the model is told about its task.
    pub system_prompt: String,
    /// A Liquid template of what is said before the visitor says anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_message: Option<String>,
    /// Which model answers.
    pub model: ModelChoice,
    /// How much of the conversation the model is shown, in estimated tokens; the system prompt is
    /// not counted.
    pub history_tokens: u32,
}

/// Which model answers. The names refer to the settings of the [`crate::engine::Engine`], so that an
/// assistant can be stored and shown without holding an address or a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelChoice {
    /// The one in this process; it answers from a knowledge base and ignores the system prompt.
    Builtin {
        /// The name of a knowledge base.
        knowledge: String,
    },
    /// One that speaks OpenAI's chat completions protocol.
    OpenAi {
        /// The name of a configured connection.
        connection: String,
        /// The model's name as that connection knows it.
        model: String,
        /// Sampling temperature; the model's own default when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        temperature: Option<f32>,
        /// The longest answer, in the model's tokens; its own default when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_tokens: Option<u32>,
    },
}

#[cfg(test)]
mod tests {
    use super::{Assistant, ModelChoice};
    use serde_json::json;

    #[test]
    fn an_assistant_reads_from_the_json_it_writes() {
        let assistant = Assistant {
            name: "Fern".into(),
            system_prompt: "You are {{assistant.name}}.".into(),
            first_message: None,
            model: ModelChoice::OpenAi {
                connection: "main".into(),
                model: "small".into(),
                temperature: Some(0.5),
                max_tokens: None,
            },
            history_tokens: 2_000,
        };
        let written = json!({
            "name": "Fern",
            "system_prompt": "You are {{assistant.name}}.",
            "model": {"open_ai": {"connection": "main", "model": "small", "temperature": 0.5}},
            "history_tokens": 2_000,
        });
        assert_eq!(serde_json::to_value(&assistant).unwrap(), written);
        assert_eq!(serde_json::from_value::<Assistant>(written).unwrap(), assistant);
    }
}
