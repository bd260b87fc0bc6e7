//! Widgets as their owners list them: whose they are, and who learns where their webhooks go.

use crate::support::owner::{ACCOUNTS, Owner};
use crate::support::webhook::{SECRET, completed};
use crate::support::{Server, client};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Widgets of two accounts, of a campaign of nobody's and of none; each with a credential for webhooks.
async fn server() -> Server {
    let widgets: String = [("acmes", "spring"), ("zetas", "autumn"), ("owns", "own")]
        .iter()
        .map(|(id, campaign)| {
            format!("[widgets.{id}]\nassistant = \"test\"\ncampaign = \"{campaign}\"\n")
        })
        .collect();
    Server::start_with(&format!(
        "{ACCOUNTS}\n{widgets}\nchat_assistant = \"demo\"\nenabled = false\n\
         [vapi.webhooks.test]\ntype = \"secret\"\nsecret = \"{SECRET}\""
    ))
    .await
}

async fn list(owner: &Owner) -> Vec<Value> {
    let (status, list) = owner.get("/widgets").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["items"].as_array().unwrap().clone()
}

fn ids(widgets: &[Value]) -> Vec<&str> {
    widgets.iter().map(|widget| widget["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_widget_tells_who_answers_and_where_its_webhooks_go() {
    let server = server().await;
    let widgets = list(&server.first_owner()).await;
    assert_eq!(ids(&widgets), ["acmes", "demo", "off", "owns", "test", "zetas"]);
    let path = server.value("SELECT webhook_path FROM widgets WHERE id = 'owns'");
    let expected = json!({
        "id": "owns", "title": "Chat with us", "enabled": false, "assistant": "test",
        "chatAssistant": "demo", "campaign": "own",
        "webhookUrl": server.url(&format!("/webhooks/vapi/{path}")),
    });
    assert_eq!(widgets[3], expected);
    assert_eq!((widgets[4].get("chatAssistant"), widgets[4].get("campaign")), (None, None));
    // It is the address that Vapi's webhooks are taken at.
    let url = widgets[4]["webhookUrl"].as_str().unwrap();
    assert_eq!(url, server.widget_webhook());
    assert_eq!(server.deliver(url, &completed("v1", 0.5)).await.0, 200);
}

#[tokio::test]
async fn a_key_lists_what_is_its_owners() {
    let server = server().await;
    let first = server.first_owner();
    let every = ["widgets:read", "webhooks:manage"];
    for (scopes, account, seen, with_address) in [
        (&every[..1], None, &["acmes", "demo", "off", "owns", "test", "zetas"][..], false),
        (&every, None, &["acmes", "demo", "off", "owns", "test", "zetas"], true),
        (&every, Some("acme"), &["acmes"], false),
        (&every[..1], Some("zeta"), &["zetas"], false),
    ] {
        let (_, key) = first.make_key(scopes, account).await;
        let widgets = list(&server.owner(&key)).await;
        assert_eq!(ids(&widgets), seen, "{scopes:?} {account:?}");
        for widget in widgets {
            let shown = widget.get("webhookUrl").is_some();
            assert_eq!(shown, with_address, "{scopes:?} {account:?}: {widget}");
        }
    }
    assert_eq!(ids(&list(&server.another_organization()).await), ["foreign"]);
    assert_eq!(list(&first).await.len(), 6, "and not the other organization's");
}

#[tokio::test]
async fn without_a_credential_there_is_no_address_and_behind_a_proxy_it_is_public() {
    let server = Server::start().await;
    for widget in list(&server.first_owner()).await {
        assert_eq!(widget.get("webhookUrl"), None, "{widget}");
    }
    let server = Server::start_with(&format!(
        "[server]\npublic_url = \"https://chat.example\"\n\
         [vapi.webhooks.test]\ntype = \"secret\"\nsecret = \"{SECRET}\""
    ))
    .await;
    // Whatever the request says.
    let request = client().get(server.url("/api/v1/widgets")).bearer_auth(&server.owner_key);
    let request = request.header("host", "evil.example");
    let list: Value = request.send().await.unwrap().json().await.unwrap();
    let url = list["items"][0]["webhookUrl"].as_str().unwrap();
    assert!(url.starts_with("https://chat.example/webhooks/vapi/"), "{url}");
}
