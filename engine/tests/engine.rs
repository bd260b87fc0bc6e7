//! The engine's front door: settings, first messages, and every failure as an item of the stream.

use banter_engine::assistant::{Assistant, ModelChoice};
use banter_engine::model::{Delta, ModelError};
use banter_engine::turn::Turn;
use banter_engine::variables::Variables;
use banter_engine::{Engine, EngineError, EngineSettings, KnowledgeSource, OpenAiConnection};
use futures_util::StreamExt as _;

fn settings(markdown: &str, words_per_second: u32) -> EngineSettings {
    let files = KnowledgeSource::Files(vec![("shop.md".into(), markdown.into())]);
    EngineSettings {
        knowledge: [("shop".to_owned(), files)].into(),
        words_per_second,
        ..EngineSettings::default()
    }
}

fn assistant(knowledge: &str) -> Assistant {
    Assistant {
        name: "Fern".into(),
        system_prompt: "You are {{assistant.name}}.".into(),
        first_message: Some(
            "Hi {{customer.name | default: 'there'}}, I am {{assistant.name}}.".into(),
        ),
        model: ModelChoice::Builtin { knowledge: knowledge.into() },
        history_tokens: 500,
    }
}

async fn reply(
    engine: &Engine,
    assistant: &Assistant,
    history: &[Turn],
) -> Vec<Result<Delta, ModelError>> {
    engine.reply(assistant, &Variables::new(), history).collect().await
}

#[test]
fn a_first_message_is_rendered() {
    let engine = Engine::new(settings("# Shop\ntext", 0)).unwrap();
    let mut assistant = assistant("shop");
    let mut variables = Variables::new();
    let say =
        |assistant: &Assistant, variables: &Variables| engine.first_message(assistant, variables);
    assert_eq!(say(&assistant, &variables), Ok(Some("Hi there, I am Fern.".into())));
    variables.set("customer.name", "Jo");
    variables.set("assistant.name", "Ivy");
    assert_eq!(say(&assistant, &variables), Ok(Some("Hi Jo, I am Ivy.".into())));
    for (template, expected) in [(None, None), (Some(""), None), (Some("{{nobody}} "), None)] {
        assistant.first_message = template.map(str::to_owned);
        assert_eq!(say(&assistant, &variables), Ok(expected), "{template:?}");
    }
    assistant.first_message = Some("{{ open".into());
    assert!(matches!(say(&assistant, &variables), Err(ModelError::Prompt { .. })));
}

#[tokio::test]
async fn failures_come_as_the_only_item() {
    let engine = Engine::new(settings("# Shop\ntext", 0)).unwrap();
    let question = [Turn::visitor("hi")];
    let unknown = reply(&engine, &assistant("nothing"), &question).await;
    assert_eq!(unknown, [Err(ModelError::UnknownModel)]);
    let broken = Assistant { system_prompt: "{% if %}".into(), ..assistant("shop") };
    for (assistant, history) in [(broken, &question[..]), (assistant("shop"), &[])] {
        let got = reply(&engine, &assistant, history).await;
        assert!(matches!(got.as_slice(), [Err(ModelError::Prompt { .. })]), "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_builtin_model_speaks_word_by_word_and_names_its_source_last() {
    let engine = Engine::new(settings("# Shop\n## Parking\nParking is free.", 20)).unwrap();
    let begin = tokio::time::Instant::now();
    let said = reply(&engine, &assistant("shop"), &[Turn::visitor("is parking free?")]).await;
    let (last, words) = said.split_last().unwrap();
    let text: String = words
        .iter()
        .map(|delta| match delta {
            Ok(Delta::Text(text)) => text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(text, "Parking is free.");
    assert!(matches!(last, Ok(Delta::Sources(sources)) if sources[0].title == "Shop › Parking"));
    assert_eq!(words.len(), 3);
    assert_eq!(begin.elapsed().as_millis() / 50, 2, "{:?}", begin.elapsed());
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let empty = Engine::new(settings("# Only a title", 0)).err();
    assert!(matches!(empty, Some(EngineError::EmptyKnowledge { name }) if name == "shop"));

    let folder = tempfile::tempdir().unwrap();
    let missing = KnowledgeSource::Folder(folder.path().join("missing"));
    let knowledge = [("gone".to_owned(), missing)].into();
    let missing = Engine::new(EngineSettings { knowledge, ..EngineSettings::default() }).err();
    assert!(matches!(missing, Some(EngineError::Knowledge { name, .. }) if name == "gone"));

    let keyed = OpenAiConnection {
        api_key: Some("two\nlines".to_owned().into()),
        ..OpenAiConnection::new("http://localhost/v1")
    };
    for connection in [OpenAiConnection::new("localhost"), keyed] {
        let connections = [("main".to_owned(), connection)].into();
        let error =
            Engine::new(EngineSettings { connections, ..EngineSettings::default() }).err().unwrap();
        assert!(matches!(&error, EngineError::Connection { name, .. } if name == "main"));
        assert!(!error.to_string().contains("two"), "{error}");
    }
}
