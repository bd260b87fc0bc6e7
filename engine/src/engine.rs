//! The front door: takes an assistant and a conversation, gives a stream of its answer.

use crate::assistant::{Assistant, ModelChoice};
use crate::builtin::{Builtin, Knowledge};
use crate::model::{Model, ModelError, Prompt, ReplyStream, Sampling};
use crate::openai::OpenAi;
use crate::prompt::render;
use crate::settings::EngineSettings;
use crate::turn::Turn;
use crate::variables::Variables;
use crate::window::window;
use futures_util::stream;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why an engine cannot start. Every case is a fault of its settings.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A knowledge base cannot be read.
    #[error("the knowledge base `{name}` cannot be read")]
    Knowledge {
        /// Which one.
        name: String,
        /// What the file system said.
        #[source]
        source: std::io::Error,
    },
    /// A knowledge base has no text under any heading.
    #[error("the knowledge base `{name}` is empty")]
    EmptyKnowledge {
        /// Which one.
        name: String,
    },
    /// A connection's address or key cannot be used.
    #[error("the connection `{name}` is not usable: {cause}")]
    Connection {
        /// Which one.
        name: String,
        /// What is wrong; never holds the key.
        cause: String,
    },
}

/// Every model this process can use, ready to answer. Share it behind an `Arc`.
pub struct Engine {
    builtin: BTreeMap<String, Builtin>,
    openai: BTreeMap<String, OpenAi>,
}

impl Engine {
    /// Reads the knowledge bases and prepares the connections; no network is touched.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        let mut builtin = BTreeMap::new();
        for (name, source) in settings.knowledge {
            let knowledge = Knowledge::load(&source)
                .map_err(|source| EngineError::Knowledge { name: name.clone(), source })?;
            if knowledge.is_empty() {
                return Err(EngineError::EmptyKnowledge { name });
            }
            builtin.insert(name, Builtin::new(knowledge, settings.words_per_second));
        }
        let mut openai = BTreeMap::new();
        for (name, connection) in settings.connections {
            let model = OpenAi::new(&name, connection, &settings.user_agent)?;
            openai.insert(name, model);
        }
        Ok(Self { builtin, openai })
    }

    /// The answer to the last visitor turn of `history`.
    ///
    /// Renders the system prompt, cuts the history to the assistant's budget and asks its model.
    /// Every failure, also of the prompt, comes as an item of the stream.
    pub fn reply(
        &self,
        assistant: &Assistant,
        variables: &Variables,
        history: &[Turn],
    ) -> ReplyStream {
        match self.ask(assistant, variables, history) {
            Ok(reply) => reply,
            Err(error) => Box::pin(stream::iter([Err(error)])),
        }
    }

    /// What the assistant says before the visitor says anything; `None` when it has no first
    /// message or the message renders to nothing.
    ///
    /// # Errors
    /// [`ModelError::Prompt`] when the template does not render.
    pub fn first_message(
        &self,
        assistant: &Assistant,
        variables: &Variables,
    ) -> Result<Option<String>, ModelError> {
        let Some(template) = &assistant.first_message else { return Ok(None) };
        let message = render(template, &with_assistant(variables, assistant))?;
        Ok(Some(message).filter(|message| !message.trim().is_empty()))
    }

    fn ask(
        &self,
        assistant: &Assistant,
        variables: &Variables,
        history: &[Turn],
    ) -> Result<ReplyStream, ModelError> {
        let turns = window(history, assistant.history_tokens);
        if turns.is_empty() {
            return Err(ModelError::Prompt { cause: "nobody asked anything".to_owned() });
        }
        let (model, sampling) = self.choose(&assistant.model)?;
        let system = render(&assistant.system_prompt, &with_assistant(variables, assistant))?;
        Ok(model.reply(Prompt { system, turns, sampling }))
    }

    fn choose(&self, choice: &ModelChoice) -> Result<(&dyn Model, Sampling), ModelError> {
        match choice {
            ModelChoice::Builtin { knowledge } => {
                let model = self.builtin.get(knowledge).ok_or(ModelError::UnknownModel)?;
                Ok((model, Sampling::default()))
            }
            ModelChoice::OpenAi { connection, model: name, temperature, max_tokens } => {
                let model = self.openai.get(connection).ok_or(ModelError::UnknownModel)?;
                let sampling = Sampling {
                    model: name.clone(),
                    temperature: *temperature,
                    max_tokens: *max_tokens,
                };
                Ok((model, sampling))
            }
        }
    }
}

/// The caller's variables and `assistant.name`, unless the caller has set it.
fn with_assistant<'a>(variables: &'a Variables, assistant: &Assistant) -> Cow<'a, Variables> {
    const NAME: &str = "assistant.name";
    if variables.get(NAME).is_some() {
        return Cow::Borrowed(variables);
    }
    let mut variables = variables.clone();
    variables.set(NAME, assistant.name.as_str());
    Cow::Owned(variables)
}
