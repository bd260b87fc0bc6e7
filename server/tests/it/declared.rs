//! What the settings declare no more: it is closed at the next start, and nothing of it is lost.

use crate::support::Server;
use crate::support::owner::{ACCOUNTS, Seed};
use crate::support::visitor::Visitor;
use reqwest::StatusCode;
use serde_json::json;

async fn opens(visitor: &Visitor, widget: &str) -> StatusCode {
    let request = visitor.post(&format!("/widgets/{widget}/sessions")).json(&json!({}));
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn who_left_the_settings_is_let_in_no_more_and_comes_back_whole() {
    let extra = format!(
        "{ACCOUNTS}\n[widgets.acmes]\nassistant = \"test\"\ncampaign = \"spring\"\n\
         allowed_origins = [\"https://shop.example\"]"
    );
    let server = Server::start_with(&extra).await;
    server.seed(&[Seed::of("acme-1", "spring", "acme"), Seed::of("zeta-1", "autumn", "zeta")]);
    let first = server.first_owner();
    let (_, acme) = first.make_key(&["logs:read", "exports:create"], Some("acme")).await;
    let (_, zeta) = first.make_key(&["logs:read"], Some("zeta")).await;
    assert_eq!(server.owner(&acme).ids("").await, ["acme-1"]);
    assert_eq!(opens(&server.visitor(), "acmes").await, StatusCode::CREATED);

    let (mut widget, mut account, mut campaign) = (None, None, None);
    let server = server
        .again_with(|settings| {
            widget = settings.widgets.remove("acmes");
            account = settings.accounts.remove("acme");
            campaign = settings.campaigns.remove("spring");
        })
        .await;
    assert_eq!(server.owner(&acme).get("/logs").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(opens(&server.visitor(), "acmes").await, StatusCode::CONFLICT);
    // Nobody gets a new key for it either.
    let first = server.first_owner();
    let wanted = json!({"name": "a", "scopes": ["logs:read"], "account": "acme"});
    let (status, error) = first.post("/keys", wanted.clone()).await;
    assert_eq!((status.as_u16(), &error["field"]), (400, &json!("account")));
    // Everybody else goes on, and the owner has the logs.
    assert_eq!(server.owner(&zeta).ids("").await, ["zeta-1"]);
    assert_eq!(opens(&server.visitor(), "test").await, StatusCode::CREATED);
    assert_eq!(first.ids("campaign=spring").await.len(), 2);
    let (_, widgets) = first.get("/widgets").await;
    let widgets = widgets["items"].as_array().unwrap();
    let listed = widgets.iter().find(|widget| widget["id"] == "acmes").unwrap();
    assert_eq!(listed["enabled"], false);

    let server = server
        .again_with(|settings| {
            settings.widgets.insert("acmes".into(), widget.unwrap());
            settings.accounts.insert("acme".into(), account.unwrap());
            settings.campaigns.insert("spring".into(), campaign.unwrap());
        })
        .await;
    let acme = server.owner(&acme);
    assert_eq!(acme.ids("").await.len(), 2);
    assert_eq!(acme.post("/exports", json!({"format": "xlsx"})).await.0, StatusCode::FORBIDDEN);
    assert_eq!(acme.post("/exports", json!({"format": "csv"})).await.0, StatusCode::ACCEPTED);
    assert_eq!(opens(&server.visitor(), "acmes").await, StatusCode::CREATED);
    assert_eq!(server.first_owner().post("/keys", wanted).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn another_organization_is_none_of_the_settings_business() {
    let server = Server::start().await;
    server.another_organization();
    server.sql(
        "INSERT INTO accounts (id, organization_id, name, permissions)
         VALUES ('theirs', 'other', 'Theirs', '{}')",
    );
    let server = server.again().await;
    let untouched = "SELECT permissions FROM accounts WHERE id = 'theirs'";
    assert_eq!(server.value(untouched), "{}");
    let theirs = "SELECT settings FROM widgets WHERE id = 'foreign'";
    assert!(server.value(theirs).contains("\"enabled\":true"), "{}", server.value(theirs));
}
