//! Everything a handler may need, put together once.

use crate::api::{Filled, RateLimits};
use crate::assets::FrontEnd;
use crate::clock::{Clock, Entropy, IdSource};
use crate::domain::origin::Origin;
use crate::domain::redaction::Redactor;
use crate::domain::retry::Rules;
use crate::domain::webhook_auth::Verifier;
use crate::domain::webhook_url::AllowedHosts;
use crate::providers::Provider;
use crate::providers::Providers;
use crate::providers::engine::EngineProvider;
use crate::providers::vapi::VapiProvider;
use crate::providers::webhook_sender::{SystemLookup, WebhookSender};
use crate::services::Refusal;
use crate::services::configure::configure;
use crate::services::converse::Converse;
use crate::services::deliver::Deliver;
use crate::services::exports::Exports;
use crate::services::keys::Keys;
use crate::services::lifecycle::Lifecycle;
use crate::services::logs::Logs;
use crate::services::open_session::OpenSession;
use crate::services::provider_events::ProviderEvents;
use crate::services::reconcile::Reconcile;
use crate::services::retention::Retention;
use crate::services::signing_key;
use crate::services::tokens::Tokens;
use crate::services::webhooks::{self, Webhooks};
use crate::services::widgets::Widgets;
use crate::settings::Settings;
use crate::store::{SqlStore, Store, StoreError};
use crate::tasks::Tasks;
use banter_engine::redact::BuildError;
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::ExposeSecret as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// The parts of a running server.
#[expect(missing_docs, reason = "each field is named after its documented type")]
pub struct App {
    pub settings: Arc<Settings>,
    pub public_origin: Option<Origin>,
    pub trusted_proxies: Vec<IpNet>,
    pub clock: Arc<dyn Clock>,
    pub ids: IdSource,
    pub store: Arc<dyn Store>,
    pub tokens: Tokens,
    pub converse: Converse,
    pub lifecycle: Lifecycle,
    pub webhooks: Webhooks,
    pub widgets: Widgets,
    pub open_session: OpenSession,
    pub keys: Keys,
    pub logs: Logs,
    pub exports: Exports,
    pub retention: Retention,
    pub provider_events: ProviderEvents,
    pub reconcile: Reconcile,
    pub rate_limits: RateLimits,
    pub filled: Filled,
    pub front_end: Option<FrontEnd>,
    pub metrics: PrometheusHandle,
    pub tasks: Tasks,
    stopping: AtomicBool,
    /// Tells the outbox's worker to stop; closed once it has.
    delivering: watch::Sender<bool>,
}

/// A server that was put together, and the owner's key if it was made just now.
pub struct Started {
    /// The server.
    pub app: Arc<App>,
    /// Shown once, kept nowhere.
    pub owner_key: Option<String>,
}

/// Why a server could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder or a file in it.
    #[error("the data folder {folder}: {cause}")]
    Data {
        /// Which folder.
        folder: String,
        /// What failed.
        #[source]
        cause: std::io::Error,
    },
    /// The database.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// The assistants.
    #[error("the assistants: {0}")]
    Engine(#[from] banter_engine::EngineError),
    /// The HTTP client for webhooks.
    #[error("the sender of webhooks: {0}")]
    Sender(#[from] reqwest::Error),
    /// The secrets of the settings.
    #[error("the search for secrets: {0}")]
    Redactor(#[from] BuildError),
    /// The credentials of webhooks.
    #[error("vapi.webhooks: {0}")]
    Webhooks(String),
    /// The configuration could not be written to the store.
    #[error("the configuration: {0}")]
    Configure(Refusal),
}

impl App {
    /// Opens the store, brings it in step with the settings and puts everything together.
    ///
    /// # Errors
    /// [`StartError`], naming the part that failed.
    pub async fn start(
        settings: Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        metrics: PrometheusHandle,
    ) -> Result<Started, StartError> {
        let folder = settings.data.directory.clone();
        let data_error = |cause| StartError::Data { folder: folder.display().to_string(), cause };
        make_private(&folder).map_err(data_error)?;
        let key = signing_key::load_or_create(&folder.join("signing.key"), entropy.as_ref())
            .map_err(data_error)?;
        let ids = IdSource::new(clock.clone(), entropy.clone());
        let store = open_store(&settings, ids.next()).await?;
        let owner_key = configure(store.as_ref(), &settings, clock.as_ref(), &ids)
            .await
            .map_err(StartError::Configure)?;
        let redactor = Redactor::new(settings.secrets())?;
        let provider: Arc<dyn Provider> = Arc::new(Providers {
            engine: EngineProvider::new(&settings)?,
            vapi: VapiProvider::new(&settings, &clock, &redactor)?,
        });
        let tokens = Tokens::new(&key);
        let sealer = webhooks::sealer(&key, entropy.clone());
        // The settings were checked: every line can be read.
        let hosts = AllowedHosts::parse(&settings.webhooks.allowed_private_hosts);
        let hosts = Arc::new(hosts.unwrap_or_default());
        let deliver = Deliver {
            store: store.clone(),
            sender: WebhookSender::new(hosts.clone(), Arc::new(SystemLookup))?,
            sealer: sealer.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            rules: Rules {
                max_attempts: settings.webhooks.max_attempts,
                disable_after: settings.webhooks.disable_after_hours * 3_600_000,
            },
            keep: settings.webhooks.keep_days * 24 * 3_600_000,
        };
        let tasks = Tasks::default();
        let settings = Arc::new(settings);
        let lifecycle =
            Lifecycle { store: store.clone(), provider: provider.clone(), clock: clock.clone() };
        let app = Arc::new(Self {
            public_origin: Origin::parse(&settings.server.public_url),
            trusted_proxies: settings
                .server
                .trusted_proxies
                .iter()
                .map(|network| network.0)
                .collect(),
            converse: Converse::new(
                store.clone(),
                provider.clone(),
                clock.clone(),
                tasks.clone(),
                Arc::new(settings.limits.clone()),
                &settings.answer,
            ),
            keys: Keys { store: store.clone(), clock: clock.clone(), ids: ids.clone() },
            logs: Logs { store: store.clone(), lifecycle: lifecycle.clone() },
            exports: Exports::new(
                store.clone(),
                clock.clone(),
                ids.clone(),
                tasks.clone(),
                settings.limits.export_mib,
            ),
            retention: Retention {
                store: store.clone(),
                clock: clock.clone(),
                settings: settings.clone(),
            },
            webhooks: Webhooks {
                store: store.clone(),
                clock: clock.clone(),
                entropy,
                ids: ids.clone(),
                sealer,
                allowed: hosts,
            },
            widgets: Widgets {
                store: store.clone(),
                takes_webhooks: !settings.vapi.webhooks.is_empty(),
            },
            lifecycle,
            provider_events: ProviderEvents {
                store: store.clone(),
                clock: clock.clone(),
                ids: ids.clone(),
                verifier: Verifier::new(settings.vapi.webhooks.values())
                    .map_err(StartError::Webhooks)?,
                redactor,
                rule: settings.minutes.chat,
                max_ms: settings.session.max_minutes * 60_000,
            },
            reconcile: Reconcile {
                store: store.clone(),
                provider: provider.clone(),
                clock: clock.clone(),
                rule: settings.minutes.chat,
                patience_ms: settings.vapi.reconcile_minutes * 60_000,
            },
            open_session: OpenSession {
                store: store.clone(),
                provider,
                clock: clock.clone(),
                ids: ids.clone(),
                tokens: tokens.clone(),
                max_ms: settings.session.max_minutes * 60_000,
                max_message_chars: settings.limits.message_chars,
            },
            rate_limits: RateLimits::new(&settings.limits),
            filled: Filled::default(),
            front_end: FrontEnd::load(),
            settings,
            clock,
            ids,
            store,
            tokens,
            metrics,
            tasks,
            stopping: AtomicBool::new(false),
            delivering: watch::Sender::new(false),
        });
        app.tasks.background(app.converse.clone().listen());
        app.tasks.background(app.converse.clone().keep());
        app.tasks.background(app.lifecycle.clone().keep());
        app.tasks.background(deliver.run(app.delivering.subscribe()));
        app.tasks.background(app.exports.clone().work());
        app.tasks.background(app.retention.clone().keep());
        app.tasks.background(app.reconcile.clone().keep());
        Ok(Started { app, owner_key })
    }

    /// The front end this server was built with.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] if it was built without one.
    pub fn front_end(&self) -> Result<&FrontEnd, Refusal> {
        self.front_end.as_ref().ok_or_else(|| {
            tracing::error!(
                "this server was built without its front end: run `cargo xtask build` first"
            );
            Refusal::Unavailable { retry_after: Duration::from_secs(60) }
        })
    }

    /// The path that an organization's provider sends its webhooks to, once there is a credential
    /// to check them with.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn webhook_path(&self) -> Result<Option<String>, StoreError> {
        if self.settings.vapi.webhooks.is_empty() {
            return Ok(None);
        }
        let path = self.store.webhook_path("default").await?;
        Ok(path.map(|path| format!("/webhooks/vapi/{path}")))
    }

    /// From now on not ready: a stop is under way.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.delivering.send_replace(true);
    }

    /// Whether a stop is under way.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Lets answers that are being written come to their end, at most for `limit`; then stops them,
    /// each stored as interrupted.
    pub async fn drain(&self, limit: Duration) {
        if !self.tasks.idle(limit).await {
            let cut = self.converse.live_answers();
            tracing::warn!(cut, "stopping answers that did not end in time");
            self.converse.cancel_all();
            self.tasks.idle(Duration::from_secs(5)).await;
        }
        // A webhook that is cut off here is sent twice.
        let _ = tokio::time::timeout(limit, self.delivering.closed()).await;
        self.tasks.stop();
        // Whoever follows an answer of this server learns at once that it has stopped.
        let _ = self.store.leave().await;
    }
}

/// The database that the settings name; `node` is this server among those that share it.
async fn open_store(settings: &Settings, node: String) -> Result<Arc<dyn Store>, StartError> {
    let url = settings.data.url.clone();
    let limit = Duration::from_millis(settings.limits.search_ms);
    if url.expose_secret().is_empty() {
        let file = settings.data.directory.join("banter.db");
        return Ok(Arc::new(SqlStore::open(&file, node)?.searching_for(limit)));
    }
    let connections = settings.data.connections;
    // The driver blocks while it connects, and must not do so on a thread of the runtime.
    let opened = tokio::task::spawn_blocking(move || {
        SqlStore::connect(url.expose_secret(), connections, node)
    });
    match opened.await {
        Ok(store) => Ok(Arc::new(store?.searching_for(limit))),
        Err(error) => Err(StartError::Store(StoreError::Unopened(error.to_string()))),
    }
}

/// Makes a folder that only its owner can look into.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
