//! The one place that starts work outside a request: it counts what runs, so that a graceful stop
//! can wait for it and a test can prove that nothing leaks. Also the loop for work that is done again
//! and again, and the one for work that others may hold up.

use crate::seats::Seats;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// How often more work is looked for while some is being done.
const LOOK: Duration = Duration::from_secs(1);

/// How long a piece of work that was claimed waits for a place: with the work itself it has to end before
/// its claim does.
const PLACED_WITHIN: Duration = Duration::from_secs(15);

/// A handle to the set of running tasks. Clones share the set.
#[derive(Clone, Debug)]
pub struct Tasks {
    running: Arc<Running>,
    stopping: Arc<watch::Sender<bool>>,
}

/// How many tasks run. Every request changes it, so it is no lock.
#[derive(Debug, Default)]
struct Running {
    count: AtomicUsize,
    none: Notify,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { running: Arc::default(), stopping: Arc::new(watch::Sender::new(false)) }
    }
}

impl Tasks {
    /// Runs `work` beside everything else, on the thread that asks for it.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn_on(&Handle::current(), work);
    }

    /// The same on the thread of another runtime.
    pub fn spawn_on(&self, runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) {
        let ticket = Ticket::new(self.running.clone());
        #[expect(clippy::disallowed_methods, reason = "this is the door that counts")]
        runtime.spawn(async move {
            let _ticket = ticket;
            work.await;
        });
    }

    /// Runs `work` for as long as the server does: nobody waits for its end, and [`Tasks::stop`]
    /// drops it wherever it is. Whatever it does must survive that, as it must survive a crash.
    pub fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut stopping = self.stopping.subscribe();
        #[expect(clippy::disallowed_methods, reason = "this is the other door; it can be closed")]
        tokio::spawn(async move {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = work => {}
            }
        });
    }

    /// Stops everything that runs in the background.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// How many tasks run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.count.load(Ordering::SeqCst)
    }

    /// Waits until nothing runs, at most for `limit`. Says whether that was reached.
    pub async fn idle(&self, limit: Duration) -> bool {
        let idle = async {
            loop {
                // Waited for before looked at, so that an end in between is not missed.
                let none = self.running.none.notified();
                if self.running() == 0 {
                    return;
                }
                none.await;
            }
        };
        timeout(limit, idle).await.is_ok()
    }
}

/// Does a round of work at once and then every `every`, for ever. A round that fails is logged with
/// the sentence `failed`, which says what could not be done, and the next one tries again.
pub async fn repeat<T, E, Round>(every: Duration, failed: &str, mut round: impl FnMut() -> Round)
where
    E: std::error::Error + 'static,
    Round: Future<Output = Result<T, E>>,
{
    let mut ticks = tokio::time::interval(every);
    // Rounds that were missed are not made up for: one does what all of them had to do.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = round().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "{failed}; trying again");
        }
    }
}

/// Claims work and does it until there is none, up to `at_once` pieces side by side: one that takes
/// long holds up its own place and no other. Nor do many that are the same one's, as `whose` says: they
/// have a quarter of the places, and those that find none in time are given up, to be claimed again
/// when their claim is over. While something is being done, more is looked for every second. `claim` is
/// told how many pieces there is room for and gives fewer when there are no more.
///
/// # Errors
/// The first failure, once everything that was claimed is done. Nothing more is claimed after one.
pub async fn work_off<Piece, Who, E, Claim, Work>(
    at_once: u32,
    mut claim: impl FnMut(u32) -> Claim,
    whose: impl Fn(&Piece) -> Who,
    mut work: impl FnMut(Piece) -> Work,
) -> Result<(), E>
where
    Who: Clone + Eq + Hash,
    Claim: Future<Output = Result<Vec<Piece>, E>>,
    Work: Future<Output = Result<(), E>>,
{
    let places = Seats::new(at_once as usize, (at_once as usize / 4).max(1));
    let mut claimed = FuturesUnordered::new();
    let mut look = interval_at(Instant::now() + LOOK, LOOK);
    let (mut more, mut outcome) = (true, Ok(()));
    loop {
        // As many as may be done wait besides, behind which others' are found.
        let held = u32::try_from(claimed.len()).unwrap_or(u32::MAX);
        let room = (2 * at_once).saturating_sub(held).min(at_once);
        if more && room > 0 && outcome.is_ok() {
            match claim(room).await {
                Ok(pieces) => {
                    more = pieces.len() >= room as usize;
                    claimed.extend(
                        pieces
                            .into_iter()
                            .map(|piece| in_place(&places, whose(&piece), work(piece))),
                    );
                    continue;
                }
                Err(error) => outcome = Err(error),
            }
        }
        tokio::select! {
            done = claimed.next() => match done {
                Some(done) => outcome = outcome.and(done),
                None => return outcome,
            },
            _ = look.tick() => more = true,
        }
    }
}

/// Does `work` once there is a place for it, or gives it up.
async fn in_place<Who: Clone + Eq + Hash, E>(
    places: &Seats<Who>,
    who: Who,
    work: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    match timeout(PLACED_WITHIN, places.wait(&who)).await {
        Ok(_place) => work.await,
        Err(_) => Ok(()),
    }
}

/// Counts one task for as long as it lives, also when it panics.
struct Ticket(Arc<Running>);

impl Ticket {
    fn new(running: Arc<Running>) -> Self {
        running.count.fetch_add(1, Ordering::SeqCst);
        Self(running)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tasks, repeat, work_off};
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;
    use std::time::Duration;

    #[tokio::test]
    async fn counts_what_runs_and_waits_for_it() {
        let tasks = Tasks::default();
        let (release, wait) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(async move {
            let _ = wait.await;
        });
        assert_eq!(tasks.running(), 1);
        assert!(!tasks.idle(Duration::from_millis(20)).await);
        let (is_idle, sent) =
            tokio::join!(tasks.idle(Duration::from_secs(5)), async { release.send(()) });
        assert!(is_idle && sent.is_ok());
        assert_eq!(tasks.running(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_that_fails_or_takes_long_is_followed_by_the_next() {
        let rounds = Cell::new(0);
        let round = async || {
            rounds.set(rounds.get() + 1);
            if rounds.get() == 2 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                return Err(std::io::Error::other("full"));
            }
            Ok(())
        };
        // At 0, at 1 until 11, at 11, at 12.
        let limit = Duration::from_millis(12_500);
        let ended = tokio::time::timeout(limit, repeat(Duration::from_secs(1), "", round)).await;
        assert!(ended.is_err(), "it never ends");
        assert_eq!(rounds.get(), 4);
    }

    /// Works off the pieces 0 to 19, of which `slow` takes a minute and each other one a second, four
    /// at once; `bad` fails. Gives what was done and after how many seconds.
    async fn worked_off(slow: u32, bad: Option<u32>) -> (Result<(), u32>, Vec<(u32, u64)>) {
        let began = tokio::time::Instant::now();
        let waiting = RefCell::new((0..20).collect::<VecDeque<u32>>());
        let (underway, done) = (Cell::new(0), RefCell::new(Vec::new()));
        let claim = async |free: u32| {
            let mut waiting = waiting.borrow_mut();
            let count = waiting.len().min(free as usize);
            Ok(waiting.drain(..count).collect())
        };
        let work = async |piece: u32| {
            underway.set(underway.get() + 1);
            assert!(underway.get() <= 4);
            tokio::time::sleep(Duration::from_secs(if piece == slow { 60 } else { 1 })).await;
            underway.set(underway.get() - 1);
            done.borrow_mut().push((piece, began.elapsed().as_secs()));
            if bad == Some(piece) { Err(piece) } else { Ok(()) }
        };
        let outcome = work_off(4, claim, |piece| *piece, work).await;
        (outcome, done.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_that_takes_long_holds_up_its_own_place_only() {
        let (outcome, done) = worked_off(0, None).await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(done.len(), 20);
        assert_eq!(done.last(), Some(&(0, 60)));
        // Nineteen, three at a time.
        assert_eq!(done[18].1, 7);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_what_was_claimed_is_done_and_nothing_else_claimed() {
        let (outcome, mut done) = worked_off(1, Some(0)).await;
        assert_eq!(outcome, Err(0));
        done.sort_unstable();
        let expected = [(0, 1), (1, 60), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (7, 3)];
        assert_eq!(done, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ones_holds_up_nobody_elses_and_is_given_up_in_time() {
        let began = tokio::time::Instant::now();
        // Ten are the same one's and take a minute each.
        let waiting = RefCell::new((0..12).collect::<VecDeque<u32>>());
        let done = RefCell::new(Vec::new());
        let claim = async |free: u32| {
            let mut waiting = waiting.borrow_mut();
            let count = waiting.len().min(free as usize);
            Ok::<Vec<u32>, u32>(waiting.drain(..count).collect())
        };
        let work = async |piece: u32| {
            tokio::time::sleep(Duration::from_secs(if piece < 10 { 60 } else { 1 })).await;
            done.borrow_mut().push((piece, began.elapsed().as_secs()));
            Ok(())
        };
        let late = async {
            tokio::time::sleep(Duration::from_millis(10_500)).await;
            waiting.borrow_mut().push_back(12);
        };
        let (outcome, ()) = tokio::join!(work_off(8, claim, |piece| (*piece).max(9), work), late);
        assert_eq!(outcome, Ok(()));
        assert_eq!(done.into_inner(), [(10, 1), (11, 1), (12, 12), (0, 60), (1, 60)]);
    }
}
