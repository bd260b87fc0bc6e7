//! Whatever the order of a provider's events, and however often each comes, the log is the same and is
//! finalised once: random sequences through the store, with the rounds that a server makes.

use crate::support::webhook::{completed, created, server};
use crate::support::{Server, database};
use banter_server::domain::minutes::Rule;
use banter_server::domain::provider::ProviderName;
use banter_server::domain::provider_event::parse;
use banter_server::domain::provider_session::{Settlement, Standing};
use banter_server::domain::session::Happening;
use banter_server::store::{
    NewProviderEvent, NewSession, StoreError, ToClose, Unconfirmed, WebhookTarget,
};
use banter_shared::ids::SessionId;
use banter_shared::session::EndReason;
use futures_util::StreamExt as _;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Runtime;

/// When every session begins. What events say happened lies before [`HEARD`], when they begin to come.
const BEGAN: u64 = 1_795_000_000_000;
const HEARD: u64 = BEGAN + 10_000;
/// How long a completion event may take.
const PATIENCE: u64 = 600_000;
/// How many sessions are under way at once: they share commits.
const AT_ONCE: usize = 256;

/// How a session and its provider's get to know each other.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Opened {
    /// Ours, and its id is known before anything is heard of it.
    Before,
    /// Ours, and its id is told when some of it has been heard.
    Late,
    /// Ours, and opened anew, because Vapi lost the one there was, of which something is heard as well.
    Anew,
    /// Another client's, in a widget of ours.
    Elsewhere,
}

/// A session, and what is heard of it.
#[derive(Clone, Debug)]
struct Case {
    opened: Opened,
    /// Whether the visitor has ended it before.
    left: bool,
    /// Whether events come to the widget's own address.
    at_widget: bool,
    /// Different events, in the order in which they happened.
    events: Vec<Value>,
    /// In which orders they come.
    orders: Vec<Order>,
}

/// An order of the events of a case.
#[derive(Clone, Debug)]
struct Order {
    /// Their numbers, each at least once.
    come: Vec<usize>,
    /// After how many of them the session's id is told, if late.
    told_after: usize,
    /// After which of them a round is made.
    rounds: Vec<bool>,
}

impl Case {
    /// Everything in its place.
    fn in_order(&self) -> Order {
        let come: Vec<_> = (0..self.events.len()).collect();
        Order { rounds: vec![false; come.len()], come, told_after: 0 }
    }

    /// Everything in its place, and then every order of the case.
    fn all(&self) -> impl Iterator<Item = Order> {
        std::iter::once(self.in_order()).chain(self.orders.clone())
    }
}

/// How many orders a case has.
const ORDERS: usize = 4;

/// What a session's events may be: `Vapi's id` stands for its id, `our id` for its name, [`LOST`] for the
/// id of the one that Vapi lost.
fn pool() -> Vec<Value> {
    let session = |kind: &str, more: Value| {
        let mut event = json!({"type": kind, "session": {"id": "Vapi's id", "name": "our id",
            "createdAt": BEGAN}});
        event["session"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let chat = |kind: &str, id: &str| json!({"type": kind, "timestamp": BEGAN + 2_000, "chat": {"id": id, "sessionId": "Vapi's id"}});
    vec![
        session("session.created", json!({"status": "active"})),
        // In other bytes, the same event is another.
        session("session.created", json!({"status": "active", "again": 1})),
        session("session.updated", json!({"status": "active", "cost": 9})),
        session("session.updated", json!({})),
        chat("chat.created", "c1"),
        chat("chat.created", "c2"),
        chat("chat.deleted", "c1"),
        session("session.deleted", json!({"status": "completed", "cost": 7})),
        session("hang", json!({"status": "completed", "cost": 3})),
    ]
}

/// Stands for the id of the session that Vapi lost.
const LOST: &str = "lost id";

/// What may be heard of a session that Vapi lost.
fn lost() -> Vec<Value> {
    let heard = pool().into_iter().chain(completions(4)).filter(|event| event["type"] != "hang");
    heard.map(|event| event.to_string().replace("Vapi's id", LOST).parse().unwrap()).collect()
}

/// Whether an event completes the session of this id.
fn completes(event: &Value, id: &str) -> bool {
    let session = &event["session"];
    event["type"] == "session.updated" && session["status"] == "completed" && session["id"] == id
}

/// Completions that differ in everything they say; but those with a cost, of which the first settles, say
/// all the same.
fn completions(cost: u32) -> Vec<Value> {
    let done = |at: u64, said: &[&str], more: Value| {
        let said: Vec<_> = (0..)
            .zip(said)
            .map(|(n, text)| {
                let role = if n % 2 == 0 { "user" } else { "assistant" };
                json!({"role": role, "content": text})
            })
            .collect();
        let mut event = completed("Vapi's id", f64::from(cost) / 8.0);
        event["timestamp"] = (BEGAN + at).into();
        let session = event["session"].as_object_mut().unwrap();
        session.extend([("name".into(), "our id".into()), ("messages".into(), said.into())]);
        session.extend(more.as_object().unwrap().clone());
        event
    };
    vec![
        done(4_000, &["a", "b", "c"], json!({})),
        done(4_000, &["a", "b", "c"], json!({"again": 1})),
        done(3_000, &["a", "b"], json!({"cost": null})),
        done(5_000, &["a", "b", "c", "d"], json!({"cost": null})),
        done(5_000, &["a"], json!({"cost": null})),
        done(5_000, &["e", "f", "g", "h"], json!({"cost": null})),
        done(6_000, &[], json!({"cost": 0})),
        done(2_000, &["a", "b", "c", "d", "e"], json!({"cost": 0, "costs": []})),
        done(6_000, &["e"], json!({"cost": 0, "messages": null})),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let opened =
        prop::sample::select(vec![Opened::Before, Opened::Late, Opened::Anew, Opened::Elsewhere]);
    let which = |most: usize, of: Vec<Value>| prop::sample::subsequence(of, 0..=most);
    let done = (1..4_u32).prop_flat_map(move |c| which(3, completions(c)));
    let events = (which(5, pool()), done, which(4, lost()));
    (opened, any::<bool>(), any::<bool>(), events)
        .prop_map(|(opened, left, at_widget, (mut events, done, lost))| {
            events.extend(done);
            if opened == Opened::Anew {
                events.extend(lost);
            }
            if opened == Opened::Elsewhere {
                events.retain(|event| event["type"] != "session.created");
                events.insert(0, pool().remove(0));
            }
            let left = left && matches!(opened, Opened::Before | Opened::Late);
            Case { opened, left, at_widget, events, orders: Vec::new() }
        })
        .prop_flat_map(|case| {
            let orders = prop::collection::vec(orders(case.events.len()), ORDERS);
            (Just(case), orders)
        })
        .prop_map(|(case, orders)| Case { orders, ..case })
}

fn orders(events: usize) -> impl Strategy<Value = Order> {
    let again = prop::collection::vec(any::<prop::sample::Index>(), 0..6);
    again
        .prop_flat_map(move |again| {
            let mut come: Vec<usize> = (0..events).collect();
            if events > 0 {
                come.extend(again.iter().map(|again| again.index(events)));
            }
            let count = come.len();
            let rounds = prop::collection::vec(prop::bool::weighted(0.1), count);
            (Just(come).prop_shuffle(), 0..=count, rounds)
        })
        .prop_map(|(come, told_after, rounds)| Order { come, told_after, rounds })
}

/// Where sequences run: one database for all of them.
struct Place {
    server: Server,
    organization: String,
    number: AtomicU32,
    failed: Mutex<Vec<(u32, String)>>,
}

impl Place {
    async fn new() -> Self {
        let server = server().await;
        let organization = server.value("SELECT id FROM organizations");
        // Somebody wants to be told of everything.
        let secret = if database::is_shared() { "'\\x00'" } else { "x'00'" };
        server.execute(&format!(
            "INSERT INTO webhook_endpoints (id, organization_id, url, secret, events, created_at)
             VALUES ('e', '{organization}', 'https://x.example', {secret},
                     '[\"session.started\",\"session.ended\",\"usage.recorded\"]', 0)"
        ));
        Self { server, organization, number: AtomicU32::new(0), failed: Mutex::default() }
    }

    fn rule(&self) -> Rule {
        self.server.app.reconcile.rule
    }

    /// Notes what the store could not do for the session of this number.
    fn done<T>(&self, number: u32, outcome: Result<T, StoreError>) {
        if let Err(error) = outcome {
            self.failed.lock().unwrap().push((number, format!("failed: {error:?}")));
        }
    }

    /// Plays a case to its last event; gives the number that is in Vapi's id of its session.
    async fn play(&self, case: &Case, order: &Order) -> u32 {
        let store = &self.server.app.store;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (ours, vapis) = (SessionId(format!("ours-{number}")), format!("v{number}"));
        if case.opened != Opened::Elsewhere {
            let session = NewSession {
                id: ours.clone(),
                widget_id: "test".into(),
                provider: ProviderName::Vapi,
                created_at: BEGAN,
                inactive_after_ms: 1_800_000,
                expires_at: BEGAN + 3_600_000,
                continues: None,
                page_origin: String::new(),
                language: None,
            };
            store.create_session(session, Vec::new()).await.unwrap().unwrap();
        }
        let happens = async |happening, now| {
            self.done(number, store.happen(&ours, happening, now).await);
        };
        let lost = (case.opened == Opened::Anew).then(|| format!("lost-{number}"));
        if let Some(id) = lost.clone() {
            happens(Happening::Opened { id, instead_of: None }, BEGAN).await;
        }
        let opened = Happening::Opened { id: vapis, instead_of: lost };
        if case.opened == Opened::Before {
            happens(opened.clone(), BEGAN).await;
        }
        if case.left {
            happens(Happening::End(EndReason::VisitorEnded), BEGAN + 500).await;
        }
        let is_late = matches!(case.opened, Opened::Late | Opened::Anew);
        // What Vapi has lost ends nothing, but for that we have to know already that it did.
        let ends = order.come.iter().position(|event| completes(&case.events[*event], LOST));
        let told_after = ends.map_or(order.told_after, |ends| ends.min(order.told_after));
        for (at, event) in order.come.iter().enumerate() {
            let now = HEARD + at as u64;
            if is_late && at == told_after {
                happens(opened.clone(), now).await;
            }
            let event = self.event(case, &case.events[*event], number, now);
            self.done(number, store.record_event(event).await);
            if order.rounds[at] {
                store.finalize_ended(self.rule(), now, PATIENCE, 100).await.unwrap();
            }
        }
        if is_late && told_after == order.come.len() {
            happens(opened, HEARD + 100).await;
        }
        number
    }

    fn event(&self, case: &Case, event: &Value, number: u32, now: u64) -> NewProviderEvent {
        let raw = json!({ "message": event }).to_string();
        // Among completions that are otherwise equal it decides, so it must not depend on ids.
        let digest = format!("{}-{number}", crate::support::hex(&Sha256::digest(&raw)));
        let raw = raw.replace("Vapi's id", &format!("v{number}"));
        let raw = raw.replace("our id", &format!("ours-{number}"));
        let raw = raw.replace(LOST, &format!("lost-{number}"));
        let (event, body) = parse(raw.as_bytes()).unwrap();
        let widget = (case.at_widget || case.opened == Opened::Elsewhere).then(|| "test".into());
        NewProviderEvent {
            target: WebhookTarget { organization: self.organization.clone(), widget },
            digest,
            event,
            body,
            now,
            // Another each time: only one of them may be used.
            new_session: SessionId(format!("new-{}", self.number.fetch_add(1, Ordering::Relaxed))),
            max_ms: 3_600_000,
            rule: self.rule(),
        }
    }

    /// Tells Vapi of what it lost, and settles what is left, as the reconciler does when Vapi says what
    /// each session cost.
    async fn settle(&self) {
        let store = &self.server.app.store;
        let now = HEARD + 200;
        loop {
            let ending = store.claim_closing(now, PATIENCE, 100).await.unwrap();
            if ending.is_empty() {
                break;
            }
            for ToClose { session, provider_sessions, .. } in ending {
                for lost in provider_sessions.iter().filter(|id| id.starts_with("lost-")) {
                    let closed = Standing::Closed;
                    store.close_provider_session(&session, lost, closed, now).await.unwrap();
                }
            }
        }
        while store.finalize_ended(self.rule(), now, PATIENCE, 100).await.unwrap() > 0 {}
        let later = HEARD + PATIENCE + 200;
        loop {
            let asked = store.claim_unconfirmed(later, PATIENCE, 100).await.unwrap();
            if asked.is_empty() {
                break;
            }
            for Unconfirmed { session, unsettled, .. } in asked {
                let last = unsettled.len() - 1;
                for (at, one) in unsettled.iter().enumerate() {
                    let cost = Some("0.0625".parse().unwrap());
                    let settlement = match one.completed {
                        true => Settlement::Reconciled { cost },
                        false => Settlement::Unknown,
                    };
                    assert!(one.completed || one.id.starts_with("lost-"), "{one:?}");
                    let settled = store.settle(&session, &one.id, settlement, self.rule(), later);
                    assert_eq!(settled.await.unwrap(), at == last, "{one:?}");
                }
            }
        }
    }

    /// What each case comes to: the log of everything in its place, and those of its orders.
    async fn come_to(&self, cases: &[Case]) -> Vec<Vec<Vec<String>>> {
        let mut numbers: Vec<u32> = Vec::new();
        // Settled in between, because each round looks at every session that is not.
        for cases in cases.chunks(100) {
            let orders = cases.iter().flat_map(|case| case.all().map(move |order| (case, order)));
            let played = orders.map(async |(case, order)| self.play(case, &order).await);
            numbers.extend(
                futures_util::stream::iter(played).buffered(AT_ONCE).collect::<Vec<_>>().await,
            );
            self.settle().await;
        }
        let mut logs = self.logs();
        let mut log = |number: &u32| logs.remove(number).unwrap_or_default();
        let mut numbers = numbers.iter();
        let orders = cases.iter().map(|case| case.orders.len() + 1);
        orders.map(|orders| numbers.by_ref().take(orders).map(&mut log).collect()).collect()
    }

    /// What others are told, by the number in Vapi's id.
    fn told(&self) -> Vec<(u32, String)> {
        let texts = |sql: &str| {
            let rows = self.server.rows(sql).into_iter();
            rows.map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>())
        };
        let vapis: BTreeMap<String, u32> = texts("SELECT id, provider_session FROM sessions")
            .filter_map(|row| Some((row[0].clone(), numbered(&row[1])?)))
            .collect();
        // A bill belongs to no session's row, which it outlives, so the payload is asked.
        let mut told: Vec<(u32, String)> = texts("SELECT event, payload FROM outbox")
            .filter_map(|row| {
                let payload: Value = serde_json::from_str(&row[1]).unwrap();
                let number = vapis.get(payload["data"]["sessionId"].as_str().unwrap())?;
                Some((*number, row[0].clone()))
            })
            .collect();
        told.sort();
        told
    }

    /// Everything about each log that an order could change, by the number in Vapi's id.
    fn logs(&self) -> BTreeMap<u32, Vec<String>> {
        let mut logs: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (number, failure) in self.failed.lock().unwrap().drain(..) {
            logs.entry(number).or_default().push(failure);
        }
        for (number, event) in self.told() {
            logs.entry(number).or_default().push(format!("told: {event}"));
        }
        for (what, sql) in LOGS {
            let mut rows: Vec<Vec<String>> = self
                .server
                .rows(sql)
                .into_iter()
                .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
                .collect();
            rows.sort();
            for row in rows {
                let Some(number) = numbered(&row[0]) else { continue };
                logs.entry(number).or_default().push(format!("{what}: {}", row[1..].join("|")));
            }
        }
        logs
    }
}

/// The number in an id of Vapi's, that of a session that it lost included.
fn numbered(id: &str) -> Option<u32> {
    id.strip_prefix('v').or_else(|| id.strip_prefix("lost-"))?.parse().ok()
}

/// The whole row but for ids and the instants at which we heard of something, and those of its provider's
/// sessions; what was said; the timeline; the ledger; what became of the events.
const LOGS: [(&str, &str); 6] = [
    (
        "session",
        "SELECT provider_session, organization_id, widget_id, campaign_id, account_id, channel, provider,
            status, end_reason, leave_reason, continues, page_origin, language, cost, cost_source,
            CAST(created_at AS TEXT), CAST(last_activity_at AS TEXT), CAST(inactive_after_ms AS TEXT),
            CAST(expires_at AS TEXT), CAST(due_at AS TEXT), CAST(ended_at AS TEXT),
            CAST(leave_at AS TEXT), CAST(visitor_messages AS TEXT), CAST(assistant_messages AS TEXT),
            CAST(webhook_missing AS TEXT), CAST(attempts AS TEXT),
            CASE WHEN active_at IS NULL THEN '-' ELSE 'active' END,
            CASE WHEN finalized_at IS NULL THEN '-' ELSE 'finalized' END,
            CASE WHEN attend_at IS NULL THEN '-' ELSE 'attend' END
         FROM sessions",
    ),
    (
        "provider session",
        "SELECT id, state, CAST(completed_at AS TEXT), CAST(messages AS TEXT), cost, cost_source,
            CAST(settled AS TEXT)
         FROM provider_sessions",
    ),
    (
        "message",
        "SELECT provider_session, messages.id, messages.role, messages.text, messages.status,
            CAST(messages.created_at AS TEXT)
         FROM messages JOIN sessions ON sessions.id = session_id",
    ),
    (
        "timeline",
        "SELECT provider_session, kind, CASE WHEN kind = 'opened' OR kind = 'created' THEN '' ELSE detail END,
            CASE WHEN kind = 'ended' THEN CAST(at AS TEXT) ELSE '' END
         FROM session_events JOIN sessions ON sessions.id = session_id",
    ),
    (
        "ledger",
        "SELECT provider_session, usage_records.organization_id, usage_records.account_id,
            usage_records.channel, units, unit, rate, rounding, minutes, usage_records.cost,
            CAST(billed AS TEXT)
         FROM usage_records JOIN sessions ON sessions.id = session_id",
    ),
    (
        "events",
        "SELECT provider_session, kind, CASE outcome WHEN 'finalized' THEN 'applied' ELSE outcome END
         FROM provider_events",
    ),
];

/// How one of the logs of a case is not what it must be.
fn fault(case: &Case, logs: &[Vec<String>]) -> Option<String> {
    let once = usize::from(case.events.iter().any(|event| completes(event, "Vapi's id")));
    let opened = if case.opened == Opened::Anew { 2 } else { 1 };
    logs.iter().find_map(|log| {
        let count = |start: &str| log.iter().filter(|line| line.starts_with(start)).count();
        let finalized = [count("session: "), count("ledger: "), count("timeline: finalized")];
        let why = if count("failed: ") > 0 {
            "the store failed"
        } else if *log != logs[0] {
            "another log than in order"
        } else if finalized != [1, once, once] {
            "not finalised once"
        } else if once == 1 && count("provider session: ") != opened {
            "not all of its provider's sessions are known"
        } else if count("told: usage.recorded") != once || count("told: session.ended") > 1 {
            "others are told otherwise"
        } else if log.iter().any(|line| line.ends_with("|waiting")) {
            "an event still waits"
        } else {
            return None;
        };
        Some(format!("{why}: {log:#?}, in order {:#?}", logs[0]))
    })
}

#[test]
fn ten_thousand_random_sequences_come_to_the_same_log() {
    let runtime = Runtime::new().unwrap();
    // There each commit is a journey of its own; the code is the same.
    let sequences = if database::is_shared() { 400 } else { 10_000 };
    let config = ProptestConfig { max_shrink_iters: 40, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let trees: Vec<_> =
        (0..sequences / ORDERS).map(|_| cases().new_tree(&mut runner).unwrap()).collect();
    let all: Vec<Case> = trees.iter().map(|tree| tree.current()).collect();
    let place = || runtime.block_on(Place::new());
    let come_to = |place: &Place, cases: &[Case]| runtime.block_on(place.come_to(cases));
    for ((tree, case), logs) in trees.into_iter().zip(&all).zip(come_to(&place(), &all)) {
        if fault(case, &logs).is_some() {
            // By itself, and smaller.
            let place = place();
            let alone = |case: Case| {
                let logs = come_to(&place, std::slice::from_ref(&case)).remove(0);
                fault(&case, &logs).map_or(Ok(()), |fault| Err(TestCaseError::fail(fault)))
            };
            runner.run_one(tree, alone).unwrap();
            panic!("it fails only in company: {case:#?} {logs:#?}");
        }
    }
}

/// Completions that differ. What comes before the session is known counts by its content; once it is
/// known, the first one with a cost settles it, and a bill does not change.
#[tokio::test]
async fn of_several_completions_the_greatest_counts_until_one_settles() {
    let server = server().await;
    let url = server.webhook();
    let costs = [Value::Null, json!(0), json!(0.25), json!(2), json!(1)];
    let mut orders = vec![(0..costs.len()).collect::<Vec<_>>()];
    for turn in 1..costs.len() {
        let mut order = orders[0].clone();
        order.rotate_left(turn);
        orders.push(order.iter().rev().copied().collect());
        orders.push(order);
    }
    for (number, order) in orders.iter().enumerate() {
        for known in [true, false] {
            let id = format!("v{number}-{known}");
            let ours = server.vapi_session(known.then_some(id.as_str())).await;
            for at in order {
                let mut event = completed(&id, 0.0);
                event["session"]["cost"] = costs[*at].clone();
                assert_eq!(server.deliver(&url, &event).await.0, 200);
            }
            if !known {
                server.opened(&ours, &id).await;
                server.app.reconcile.settle_ended().await.unwrap();
            }
            let first = order.iter().find(|at| costs[**at].as_f64() > Some(0.0)).unwrap();
            let cost = if known { costs[*first].to_string() } else { "2".to_owned() };
            let log =
                "SELECT cost || '|' || cost_source || '|' || (SELECT count(*) FROM usage_records
                       WHERE session_id = sessions.id AND usage_records.cost = sessions.cost)";
            let log = server.value(&format!("{log} FROM sessions WHERE id = '{ours}'"));
            assert_eq!(log, format!("{cost}|webhook|1"), "{known} {order:?}");
        }
    }
}

/// One completion decides everything that completions say, whichever of them comes first; of what was said
/// to us and of an end that somebody else made they change nothing.
#[tokio::test]
async fn one_completion_decides_everything_together() {
    let server = server().await;
    let said = |texts: &[&str]| -> Value {
        texts.iter().map(|text| json!({"role": "user", "content": text})).collect()
    };
    // What it cost, how many seconds after the beginning it was, what was said; the last is the greatest.
    let of_cost = [
        (Value::Null, 59, said(&["a", "b"])),
        (json!(0), 63, said(&["c"])),
        (json!(0.5), 61, said(&["a", "b", "c"])),
    ];
    let of_time = [
        (Value::Null, 59, said(&["a", "b", "c"])),
        (Value::Null, 61, said(&["a", "b"])),
        (Value::Null, 61, said(&["a", "b", "d"])),
    ];
    let fewer = [(Value::Null, 59, said(&["a", "b"])), (json!(0.5), 57, Value::Null)];
    for (number, (events, expected)) in
        [(&of_cost[..], "61|3|a,b,c|0.5|3"), (&of_time, "61|3|a,b,d|-|3"), (&fewer, "57|0||0.5|0")]
            .into_iter()
            .enumerate()
    {
        for (turn, opened) in
            (0..events.len()).flat_map(|turn| [None, Some(true), Some(false)].map(|o| (turn, o)))
        {
            for backwards in [false, true] {
                let id = format!("v{number}-{turn}-{opened:?}-{backwards}");
                let begin = server.app.clock.now_ms();
                let ours = match opened {
                    Some(known) => Some(server.vapi_session(known.then_some(&id)).await),
                    None => None,
                };
                server.clock.advance(120_000);
                let mut begins = created(&id, "");
                begins["session"]["createdAt"] = begin.into();
                if ours.is_none() {
                    server.deliver(&server.widget_webhook(), &begins).await;
                }
                let mut order: Vec<_> = events.iter().collect();
                order.rotate_left(turn);
                if backwards {
                    order.reverse();
                }
                for (cost, at, messages) in order {
                    let mut event = completed(&id, 0.0);
                    event["timestamp"] = (begin + at * 1_000).into();
                    event["session"]["cost"] = cost.clone();
                    event["session"]["messages"] = messages.clone();
                    assert_eq!(server.deliver(&server.webhook(), &event).await.0, 200);
                }
                if let (Some(ours), Some(false)) = (&ours, opened) {
                    server.opened(ours, &id).await;
                }
                server.app.reconcile.settle_ended().await.unwrap();
                let sql = format!("SELECT id FROM sessions WHERE provider_session = '{id}'");
                let ours = SessionId(server.value(&sql));
                let (rule, now) = (server.app.reconcile.rule, server.app.clock.now_ms());
                let settled = Settlement::Unknown;
                server.app.store.settle(&ours, &id, settled, rule, now).await.unwrap();
                let log = server.value(&format!(
                    "SELECT CAST((ended_at - {begin}) / 1000 AS TEXT) || '|'
                         || CAST(visitor_messages AS TEXT) || '|'
                         || coalesce((SELECT string_agg(text, ',' ORDER BY position)
                                      FROM messages WHERE session_id = sessions.id), '')
                         || '|' || coalesce(cost, '-') || '|'
                         || (SELECT units FROM usage_records WHERE session_id = sessions.id)
                     FROM sessions WHERE id = '{ours}'"
                ));
                assert_eq!(log, expected, "{id}");
                let ends = format!(
                    "session_events JOIN sessions ON id = session_id
                     WHERE id = '{ours}' AND kind = 'ended'"
                );
                assert_eq!(server.count(&ends), 1, "{id}");
                assert_eq!(server.count(&format!("{ends} AND at = ended_at")), 1, "{id}");
            }
        }
    }

    let visitor = server.visitor();
    let chat = visitor.open().await;
    let ours = &chat.created.session.id;
    server.opened(&ours.0, "ours").await;
    // Named as if they were Vapi's, which a visitor can do.
    server.sql(&format!(
        "INSERT INTO messages (session_id, id, role, text, status, attempt, created_at, sources)
         VALUES ('{ours}', 'vapi-0', 'visitor', 'Mine', 'complete', 1, 0, '[]'),
                ('{ours}', 'vapi-0.a', 'assistant', 'Yours', 'complete', 1, 0, '[]')"
    ));
    server.execute(&format!("UPDATE sessions SET visitor_messages = 1 WHERE id = '{ours}'"));
    server.clock.advance(10_000);
    chat.end().await;
    let log = format!(
        "SELECT CAST(ended_at AS TEXT) || '|' || CAST(visitor_messages AS TEXT) || '|'
             || (SELECT count(*) FROM messages WHERE session_id = sessions.id)
         FROM sessions WHERE id = '{ours}'"
    );
    let before = server.value(&log);
    server.clock.advance(120_000);
    for (cost, at, messages) in of_cost {
        let mut event = completed("ours", 0.0);
        event["timestamp"] = (server.app.clock.now_ms() - 100_000 + at * 1_000).into();
        event["session"]["cost"] = cost;
        event["session"]["messages"] = messages;
        assert_eq!(server.deliver(&server.webhook(), &event).await.0, 200);
    }
    assert_eq!(server.value(&log), before);
    assert_eq!(server.count(&format!("usage_records WHERE session_id = '{ours}'")), 1);
}

/// Two transactions that each hold what the other waits for are let go by the database after its
/// `deadlock_timeout`, which is long here: with one among these events the test takes longer.
#[tokio::test]
async fn different_events_of_one_session_do_not_wait_for_each_other() {
    let server = if database::is_shared() {
        let url = format!("{}?options=-c%20deadlock_timeout%3D20s", database::fresh());
        crate::support::webhook::server_with(&format!("[data]\nurl = \"{url}\"\nconnections = 16"))
            .await
    } else {
        server().await
    };
    let (url, widget_url) = (server.webhook(), server.widget_webhook());
    for round in 0..8 {
        let id = format!("v{round}");
        let ours = server.vapi_session(None).await;
        let started = std::time::Instant::now();
        let deliveries = (0..64).map(|n| {
            let (server, url, widget_url, id, ours) = (&server, &url, &widget_url, &id, &ours);
            async move {
                if n == 20 {
                    return server.opened(ours, id).await;
                }
                let mut event = match n % 4 {
                    0 | 1 => json!({"type": "chat.created", "chat": {"id": "c", "sessionId": id}}),
                    2 => created(id, ours),
                    _ => completed(id, 0.5),
                };
                event["n"] = n.into();
                let url = if n % 8 < 4 { url } else { widget_url };
                assert_eq!(server.deliver(url, &event).await.0, 200);
            }
        });
        futures_util::future::join_all(deliveries).await;
        let took = started.elapsed();
        assert!(took.as_secs() < 15, "{took:?}");
    }
    assert_eq!(server.count("provider_events WHERE outcome = 'waiting'"), 0);
    assert_eq!(server.count("sessions"), 8);
    assert_eq!(server.count("usage_records"), 8);
}
