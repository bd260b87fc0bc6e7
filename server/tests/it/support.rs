//! What the tests stand on: a server, a visitor, and a model that does as it is told.

pub(crate) mod balancer;
pub(crate) mod database;
pub(crate) mod hold;
pub(crate) mod integrity;
pub(crate) mod model;
pub(crate) mod owner;
pub(crate) mod provider;
pub(crate) mod receiver;
pub(crate) mod rows;
pub(crate) mod vapi;
pub(crate) mod visitor;
pub(crate) mod webhook;
pub(crate) mod wire;

use banter_server::app::App;
use banter_server::clock::{ManualClock, SystemEntropy};
use banter_server::serve::serve;
use banter_server::settings::{Overrides, Settings};
use banter_server::telemetry;
use metrics_exporter_prometheus::PrometheusHandle;
use model::Model;
use owner::Owner;
use secrecy::ExposeSecret as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use visitor::Visitor;

/// The page that embeds the test widget.
pub(crate) const SHOP: &str = "https://shop.example";

/// Settings every test starts from: one widget, answered by `model`, limits out of the way, and a
/// database of its own.
pub(crate) fn config(model: SocketAddr) -> String {
    let database = database::fresh();
    format!(
        r#"
        [data]
        url = "{database}"
        connections = 3
        [limits]
        sessions_per_minute_per_address = 100000
        sessions_per_minute_per_widget = 100000
        messages_per_minute_per_session = 100000
        messages_per_minute_per_address = 100000
        owner_requests_per_minute_per_key = 100000
        loads_per_minute_per_address = 100000
        leaves_per_minute_per_address = 100000
        connections_per_address = 10000
        [answer]
        abandon_seconds = 1
        checkpoint_ms = 50
        [engine]
        words_per_second = 0
        [engine.connections.test]
        base_url = "http://{model}/v1"
        api_key = "sk-canary-upstream"
        connect_seconds = 1
        retries = 0
        [assistants.test]
        name = "Tess"
        system_prompt = "You are {{{{assistant.name}}}}."
        first_message = "Hi, I am {{{{assistant.name}}}}."
        model = {{ open_ai = {{ connection = "test", model = "scripted" }} }}
        history_tokens = 2000
        [widgets.test]
        assistant = "test"
        title = "Test & Co"
        allowed_origins = ["{SHOP}"]
        [widgets.off]
        assistant = "test"
        enabled = false
        "#
    )
}

/// A running server and the model behind it.
pub(crate) struct Server {
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) model: Model,
    /// The first key, which may do everything.
    pub(crate) owner_key: String,
    stop: Option<oneshot::Sender<()>>,
    settings: Settings,
    pub(crate) data: TempDir,
}

impl Server {
    /// A server with the settings every test starts from.
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// A server with these settings on top (a TOML document of its own).
    pub(crate) async fn start_with(extra: &str) -> Self {
        Self::start_beside(None, extra).await
    }

    /// The same with the key file of another server, whose database `extra` names.
    pub(crate) async fn start_beside(other: Option<&Self>, extra: &str) -> Self {
        let model = Model::start().await;
        let data = tempfile::tempdir().unwrap();
        let settings = load(&data.path().join("banter.toml"), &config(model.address), extra);
        let mut settings = settings.unwrap();
        settings.data.directory = data.path().join("data");
        if let Some(other) = other {
            std::fs::create_dir(&settings.data.directory).unwrap();
            let key = other.data.path().join("data/signing.key");
            std::fs::copy(key, settings.data.directory.join("signing.key")).unwrap();
        }
        let clock = Arc::new(ManualClock::at(1_795_000_000_000));
        Self::run(settings, data, clock, model).await
    }

    /// A server on a database that `prepare` has filled, given its URL (empty for SQLite) and its file
    /// in the data folder.
    pub(crate) async fn start_prepared(prepare: impl FnOnce(&str, &Path)) -> Self {
        let model = Model::start().await;
        let data = tempfile::tempdir().unwrap();
        let settings = load(&data.path().join("banter.toml"), &config(model.address), "");
        let mut settings = settings.unwrap();
        settings.data.directory = data.path().join("data");
        std::fs::create_dir(&settings.data.directory).unwrap();
        let file = settings.data.directory.join("banter.db");
        prepare(settings.data.url.expose_secret(), &file);
        let clock = Arc::new(ManualClock::at(1_795_000_000_000));
        Self::run(settings, data, clock, model).await
    }

    /// Stops, and starts again on the same database.
    pub(crate) async fn again(self) -> Self {
        self.again_with(|_| ()).await
    }

    /// The same with other settings.
    pub(crate) async fn again_with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        self.stop();
        self.app.drain(Duration::from_secs(5)).await;
        change(&mut self.settings);
        let again = Self::run(self.settings, self.data, self.clock, self.model).await;
        if again.owner_key.is_empty() { Self { owner_key: self.owner_key, ..again } } else { again }
    }

    async fn run(settings: Settings, data: TempDir, clock: Arc<ManualClock>, model: Model) -> Self {
        let started =
            App::start(settings.clone(), clock.clone(), Arc::new(SystemEntropy), metrics())
                .await
                .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let app = started.app.clone();
        let owner_key = started.owner_key.unwrap_or_default();
        #[expect(
            clippy::disallowed_methods,
            reason = "a test stands outside the server it counts"
        )]
        tokio::spawn(serve(started.app, listener, async {
            let _ = stopped.await;
        }));
        Self { app, address, clock, model, owner_key, stop: Some(stop), settings, data }
    }

    /// Asks the server to stop, as SIGTERM would.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// A visitor on the shop's page.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::on(SHOP, self.address)
    }

    /// An owner with this key.
    pub(crate) fn owner(&self, key: &str) -> Owner {
        Owner::new(key, self.address)
    }

    /// Writes into the database behind the server's back.
    pub(crate) fn sql(&self, script: &str) {
        let data = &self.app.settings.data;
        database::run(data.url.expose_secret(), &data.directory.join("banter.db"), script);
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until no answer is being written.
    pub(crate) async fn quiet(&self) {
        eventually("no answer is being written", || self.app.converse.live_answers() == 0).await;
    }
}

/// Reads settings from a file that holds `base` with `extra` on top.
pub(crate) fn load(
    file: &Path,
    base: &str,
    extra: &str,
) -> Result<Settings, banter_server::settings::SettingsError> {
    std::fs::write(file, merged(base, extra)).unwrap();
    Settings::load(Some(file), &Overrides::default())
}

/// One TOML document with another on top.
pub(crate) fn merged(base: &str, extra: &str) -> String {
    use figment::providers::{Format as _, Toml};
    let merged: toml::Table =
        figment::Figment::from(Toml::string(base)).merge(Toml::string(extra)).extract().unwrap();
    toml::to_string(&merged).unwrap()
}

/// One recorder for all servers of this process.
pub(crate) fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| telemetry::start_metrics().unwrap()).clone()
}

/// Serves `router` beside the server that is tested, on an address of its own.
pub(crate) async fn outside(router: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test stands outside the server it counts")]
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until `condition` holds, at most for ten seconds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain until {what}");
}

/// A client that has no opinion about anything.
pub(crate) fn client() -> reqwest::Client {
    #[expect(clippy::disallowed_methods, reason = "a test's client is not the server's")]
    reqwest::Client::new()
}
