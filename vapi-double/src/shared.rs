//! What all requests share: the options, the memory, the scripts, and what was seen.

use crate::options::Options;
use crate::script::{Route, Script};
use crate::state::{State, without_id};
use crate::webhooks::{Event, Sent};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, mpsc};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Its headers, by lower-case name.
    pub headers: Vec<(String, String)>,
    /// Its body; `null` without one.
    pub body: Value,
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    state: Mutex<State>,
    scripts: Mutex<BTreeMap<Route, Script>>,
    pub(crate) seen: Mutex<Vec<Seen>>,
    pub(crate) sent: Mutex<Vec<Sent>>,
    pub(crate) open: AtomicUsize,
    pub(crate) allowed: Semaphore,
    ids: AtomicU64,
    events: mpsc::UnboundedSender<Event>,
}

impl Shared {
    pub(crate) fn new(options: Options, events: mpsc::UnboundedSender<Event>) -> Self {
        Self {
            options,
            state: Mutex::default(),
            scripts: Mutex::default(),
            seen: Mutex::default(),
            sent: Mutex::default(),
            open: AtomicUsize::new(0),
            allowed: Semaphore::new(0),
            ids: AtomicU64::new(0),
            events,
        }
    }

    /// The memory.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// How a route is answered.
    pub(crate) fn script(&self, route: Route) -> Script {
        lock(&self.scripts).get(&route).cloned().unwrap_or_default()
    }

    /// Says how a route is answered from now on.
    pub(crate) fn follow(&self, route: Route, script: Script) {
        lock(&self.scripts).insert(route, script);
    }

    /// The time, in Unix milliseconds.
    pub(crate) fn now(&self) -> u64 {
        (self.options.clock)()
    }

    /// A new id that looks like Vapi's (UUID v4), the same ones in the same order for the same seed.
    pub(crate) fn id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(self.options.seed.to_le_bytes());
        hash.update(number.to_le_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// Tells the owner's server, if it wants to know.
    pub(crate) fn tell(
        &self,
        kind: &'static str,
        about: &'static str,
        value: Value,
        assistant: &Value,
    ) {
        let event = Event {
            kind,
            about,
            value,
            assistant: if assistant.is_null() { Value::Null } else { without_id(assistant) },
            now_ms: self.now(),
            id: format!("msg_{}", self.id()),
        };
        // Nobody listens when the double is being dropped; nobody wants to know then.
        let _ = self.events.send(event);
    }
}

/// What a mutex guards, also after a panic: what tests see then is still true.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts an answer as open for as long as it lives.
pub(crate) struct Open(Arc<Shared>);

impl Open {
    pub(crate) fn count(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
