//! Holds every answer and every webhook of the double to Vapi's own OpenAPI document, of which one
//! fixture keeps names, types and limits, and another what is known to be otherwise, each with its
//! reason. Stricter than Vapi: a property that neither lists fails.

use crate::support::{Client, Hooks};
use serde_json::{Value, json};
use vapi_double::{ASSISTANT, Double, Options};

/// The document's schemas as they are meant.
fn schemas() -> Value {
    let mut schemas = document();
    for deviation in deviations() {
        *place(&mut schemas, &deviation) = deviation["is"].clone();
    }
    for schema in schemas["$defs"].as_object_mut().unwrap().values_mut() {
        schema["additionalProperties"] = false.into();
        for property in schema["properties"].as_object_mut().unwrap().values_mut() {
            // The document writes the choices of a list's items beside the items.
            if let (Some("array"), Some(choices)) =
                (property["type"].as_str(), property.get("enum").cloned())
            {
                property.as_object_mut().unwrap().remove("enum");
                property["items"]["enum"] = choices;
            }
        }
    }
    schemas
}

fn document() -> Value {
    serde_json::from_str(include_str!("../fixtures/vapi-schemas.json")).unwrap()
}

fn deviations() -> Vec<Value> {
    serde_json::from_str(include_str!("../fixtures/vapi-deviations.json")).unwrap()
}

/// What a deviation replaces.
fn place<'a>(schemas: &'a mut Value, deviation: &Value) -> &'a mut Value {
    let schema = &mut schemas["$defs"][deviation["schema"].as_str().unwrap()];
    match deviation["property"].as_str() {
        Some(property) => &mut schema["properties"][property],
        None => schema,
    }
}

#[test]
fn what_is_listed_as_otherwise_is_otherwise() {
    for deviation in deviations() {
        assert_ne!(*place(&mut document(), &deviation), deviation["is"], "{deviation}");
    }
}

fn check(name: &str, value: &Value) {
    let faults = faults(name, value);
    assert!(faults.is_empty(), "{name}: {faults:#?}\n{value:#}");
}

fn faults(name: &str, value: &Value) -> Vec<String> {
    let mut schema = schemas();
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let faults = validator.iter_errors(value);
    faults.map(|error| format!("{}: {error}", error.instance_path)).collect()
}

#[test]
fn the_check_can_fail() {
    let good = json!({
        "id": "1", "orgId": "o", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
    });
    check("Session", &good);
    for (field, value) in [
        ("id", json!(1)),
        ("createdAt", json!("yesterday")),
        ("updatedAt", json!(null)),
        ("ended", json!(true)),
        ("status", json!("over")),
        ("messages", json!([{ "role": "assistant", "content": "x".repeat(10_001) }])),
        ("messages", json!([{ "role": "visitor", "content": "x" }])),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert_eq!(faults("Session", &bad).len(), 1, "{bad}");
    }
    let assistant = json!({ "serverMessages": ["session.created", "no.such.thing"] });
    assert_eq!(faults("CreateAssistantDTO", &assistant).len(), 1);
}

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let double = Double::start(Options::default()).await.unwrap();
    let client = Client::of(&double);
    let assistant = json!({
        "name": "Support", "firstMessage": "Hi {{name}}",
        "model": { "provider": "openai", "model": "gpt-4o", "messages": [{ "role": "system", "content": "Help {{company}}." }] },
        "server": { "url": "http://127.0.0.1:9/vapi", "timeoutSeconds": 20, "headers": { "x-a": "b" } },
        "serverMessages": ["session.created", "status-update"],
    });
    check("CreateAssistantDTO", &assistant);
    let stored = client.post("/assistant", &assistant, 201).await;
    check("Assistant", &stored);
    check("Assistant", &client.get("/assistant?limit=1", 200).await[0]);
    let path = format!("/assistant/{}", stored["id"].as_str().unwrap());
    check("Assistant", &client.patch(&path, &json!({ "firstMessage": "Hello" })).await);

    let body = json!({
        "name": "n", "assistantId": stored["id"], "expirationSeconds": 180,
        "assistantOverrides": { "variableValues": { "name": "John" } }, "customer": { "name": "V" },
    });
    check("CreateSessionDTO", &body);
    let session = client.post("/session", &body, 201).await;
    check("Session", &session);
    let chat = json!({ "sessionId": session["id"], "input": "Hello" });
    check("CreateChatDTO", &chat);
    let first = client.post("/chat", &chat, 201).await;
    check("Chat", &first);
    let second = json!({
        "assistantId": ASSISTANT, "previousChatId": first["id"], "input": [{ "role": "user", "content": "again" }],
    });
    check("CreateChatDTO", &second);
    check("Chat", &client.post("/chat", &second, 201).await);
    check("SessionPaginatedResponse", &client.get("/session?limit=5&page=1", 200).await);
    check("ChatPaginatedResponse", &client.get("/chat?sortOrder=ASC", 200).await);
    let path = format!("/session/{}", session["id"].as_str().unwrap());
    check("Session", &client.patch(&path, &json!({ "status": "completed" })).await);
    check("Session", &client.get(&path, 200).await);
    check("Session", &client.delete(&path).await);

    let text = client
        .text("/chat", &json!({ "assistantId": ASSISTANT, "input": "Hi", "stream": true }))
        .await;
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert!(events.len() > 3 && text.ends_with("}\n\n") && !text.contains("[DONE]"), "{text}");
    for event in events {
        let json = event.strip_prefix("data: ").unwrap();
        check("CreateChatStreamResponse", &serde_json::from_str(json).unwrap());
    }
}

#[tokio::test]
async fn every_webhook_is_as_the_document_says() {
    let hooks = Hooks::start().await;
    let double = Double::start(Options {
        server: Some(json!({ "url": hooks.url })),
        update_after_each_chat: true,
        ..Options::default()
    })
    .await
    .unwrap();
    let client = Client::of(&double);
    let body = json!({ "assistantId": ASSISTANT, "assistantOverrides": { "variableValues": { "name": "J" } } });
    let session = client.post("/session", &body, 201).await;
    let chat =
        client.post("/chat", &json!({ "sessionId": session["id"], "input": "Hello" }), 201).await;
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    client.delete(&format!("/chat/{}", id(&chat))).await;
    let path = format!("/session/{}", id(&session));
    client.patch(&path, &json!({ "status": "completed" })).await;
    client.delete(&path).await;
    let bodies = hooks.wait(6).await;
    let expected = [
        ("session.created", "ServerMessageSessionCreated"),
        ("chat.created", "ServerMessageChatCreated"),
        ("session.updated", "ServerMessageSessionUpdated"),
        ("chat.deleted", "ServerMessageChatDeleted"),
        ("session.updated", "ServerMessageSessionUpdated"),
        ("session.deleted", "ServerMessageSessionDeleted"),
    ];
    for ((_, body), (kind, schema)) in bodies.iter().zip(expected) {
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["message"]["type"], kind);
        check(schema, &body["message"]);
    }
}
