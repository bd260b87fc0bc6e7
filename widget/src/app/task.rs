//! Does what takes time, so that dropping it stops it.

use super::App;
use crate::dom::{now, window};
use crate::lock::Lock;
use crate::net::stream;
use crate::state::connection::Failure;
use crate::state::conversation::{Event, Reply, Task};
use crate::state::session::Ticket;
use crate::text::joined;
use banter_shared::session::{CreateSession, EndReason, PostMessage, SessionStatus};
use banter_shared::stream::Cursor;
use gloo_timers::callback::{Interval, Timeout};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::UnwrapThrowExt;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, AbortSignal};

/// A server that says nothing for so long is not there any more, in milliseconds. It pings every
/// 15 seconds; a connection that died without a word is found out this way.
const SILENCE: u64 = 45_000;

/// How often to look, in milliseconds.
const LOOK: u32 = 10_000;

/// What is under way; dropping it stops it.
#[derive(Debug)]
pub enum Running {
    /// A pause.
    Rest(Timeout),
    /// A request or a stream.
    Request(Request),
}

/// A request that is aborted when dropped, or when the server falls silent.
#[derive(Debug)]
pub struct Request {
    controller: AbortController,
    _watch: Interval,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.controller.abort();
    }
}

/// Begins `task`; what comes of it is dispatched with `turn`.
pub fn start(app: &Rc<App>, turn: u32, task: Task) -> Running {
    let app = Rc::clone(app);
    if let Task::Rest(pause) = task {
        let rested = move || app.dispatch(Event::Reply(turn, Reply::Rested));
        return Running::Rest(Timeout::new(pause, rested));
    }
    let heard = Rc::new(Cell::new(now()));
    let controller = AbortController::new().unwrap_throw();
    let signal = controller.signal();
    let watch = {
        let (heard, controller) = (Rc::clone(&heard), controller.clone());
        Interval::new(LOOK, move || {
            if now().saturating_sub(heard.get()) > SILENCE {
                controller.abort();
            }
        })
    };
    spawn_local(async move {
        if let Err(failure) = run(&app, turn, task, &signal, &heard).await {
            app.dispatch(Event::Reply(turn, Reply::Failed(failure)));
        }
    });
    Running::Request(Request { controller, _watch: watch })
}

/// Tells the server that the visitor ended the session, or left. Should it not hear it, its own clock ends
/// it.
pub fn post_end(app: &Rc<App>, ticket: Ticket, reason: EndReason) {
    let api = app.api.clone();
    spawn_local(async move {
        let _ = api.end(&ticket, reason).await;
    });
}

/// Tells the server that the visitor is there.
pub fn post_activity(app: &Rc<App>, ticket: Ticket) {
    let app = Rc::clone(app);
    spawn_local(async move {
        let outcome = app.api.activity(&ticket).await;
        app.dispatch(Event::Lived(ticket.id, outcome));
    });
}

/// Asks the server whether the session has ended meanwhile; says so only then. What goes wrong on the
/// way the next look or message finds out.
pub fn look(app: &Rc<App>, ticket: Ticket) {
    let app = Rc::clone(app);
    spawn_local(async move {
        let outcome = app.api.load(&ticket, None).await.map(|history| history.session);
        let is_over = match &outcome {
            Ok(session) => session.status == SessionStatus::Ended,
            Err(failure) => failure.is_refusal(),
        };
        if is_over {
            app.dispatch(Event::Lived(ticket.id, outcome));
        }
    });
}

async fn run(
    app: &Rc<App>,
    turn: u32,
    task: Task,
    signal: &AbortSignal,
    heard: &Cell<u64>,
) -> Result<(), Failure> {
    // Two tabs that begin at once begin one conversation: the second waits for the first, and finds its
    // ticket.
    let mut lock = None;
    if let Task::Create(_) = task {
        lock = Some(Lock::of(&joined(&["banter:", app.config.id.as_str()])).await);
        if let Some(ticket) = app.kept_ticket() {
            app.dispatch(Event::Reply(turn, Reply::Taken(ticket)));
            return Ok(());
        }
    }
    let reply = match task {
        // Rests are not requests; see `start`.
        Task::Rest(_) => Reply::Rested,
        Task::Create(continues) => {
            let create = CreateSession {
                host_origin: app.host.origin(),
                continues,
                language: window().navigator().language(),
            };
            Reply::Created(app.api.create(&app.config.id, &create, signal).await?)
        }
        Task::Load(ticket) => Reply::Loaded(app.api.load(&ticket, Some(signal)).await?),
        Task::Post(ticket, message, cursor) => {
            return post(app, turn, (&ticket, &message, cursor), signal, heard).await;
        }
    };
    app.dispatch(Event::Reply(turn, reply));
    drop(lock);
    Ok(())
}

/// Posts a message and passes on its answer, which ends with an event of its own: a stream that ends
/// without one broke off.
async fn post(
    app: &Rc<App>,
    turn: u32,
    (ticket, message, cursor): (&Ticket, &PostMessage, Option<Cursor>),
    signal: &AbortSignal,
    heard: &Cell<u64>,
) -> Result<(), Failure> {
    let response = app.api.post(ticket, message, cursor, signal).await?;
    let sink = |event| app.dispatch(Event::Reply(turn, Reply::Streamed(event)));
    stream::read(response, &|| heard.set(now()), &sink).await?;
    // Too late to matter if the answer was complete: the machine has gone on to another turn.
    Err(Failure::network())
}
