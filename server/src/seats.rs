//! Seats: how many may do something at once, and how many of these are one's, so that nobody has them
//! all. Who finds none free is refused, or waits for one.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Some seats. Clones share them.
#[derive(Debug)]
pub struct Seats<Who> {
    all: usize,
    for_one: usize,
    taken: Arc<Taken<Who>>,
}

#[derive(Debug)]
struct Taken<Who> {
    by: Mutex<HashMap<Who, usize>>,
    freed: Notify,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Seat<Who: Clone + Eq + Hash> {
    seats: Seats<Who>,
    who: Who,
}

impl<Who> Clone for Seats<Who> {
    fn clone(&self) -> Self {
        Self { taken: self.taken.clone(), ..*self }
    }
}

impl<Who: Clone + Eq + Hash> Seats<Who> {
    /// So many in all, and so many for one at most.
    #[must_use]
    pub fn new(all: usize, for_one: usize) -> Self {
        let taken = Taken { by: Mutex::default(), freed: Notify::new() };
        Self { all, for_one, taken: Arc::new(taken) }
    }

    /// A seat, if there is one for them.
    #[must_use]
    pub fn take(&self, who: &Who) -> Option<Seat<Who>> {
        let mut taken = self.taken.by.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(who).copied().unwrap_or(0);
        if all >= self.all || own >= self.for_one {
            return None;
        }
        taken.insert(who.clone(), own + 1);
        Some(Seat { seats: self.clone(), who: who.clone() })
    }

    /// A seat, as soon as there is one for them.
    pub async fn wait(&self, who: &Who) -> Seat<Who> {
        loop {
            // Waited for before looked at, so that one that is given back in between is not missed.
            let freed = self.taken.freed.notified();
            if let Some(seat) = self.take(who) {
                return seat;
            }
            freed.await;
        }
    }
}

impl<Who: Clone + Eq + Hash> Drop for Seat<Who> {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.by.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.who) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.who);
            }
        }
        drop(taken);
        self.seats.taken.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::Seats;
    use std::time::Duration;
    use tokio::time::timeout;

    #[test]
    fn nobody_has_them_all_and_what_is_left_is_free() {
        let seats = Seats::new(8, 2);
        let own: Vec<_> = (0..2).map(|_| seats.take(&0).unwrap()).collect();
        assert!(seats.take(&0).is_none());
        let others: Vec<_> = (1..).map_while(|who| seats.take(&who)).collect();
        assert_eq!(others.len(), 6);
        drop(own);
        assert!(seats.take(&0).is_some());
        drop(others);
        assert!(seats.taken.by.lock().unwrap().is_empty(), "nothing is kept of those who left");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_a_seat_when_one_is_theirs() {
        let seats = Seats::new(2, 1);
        let own = seats.take(&0).unwrap();
        let other = seats.take(&1).unwrap();
        let soon = Duration::from_secs(1);
        assert!(timeout(soon, seats.wait(&0)).await.is_err());
        // This one frees a seat that is not theirs.
        let (waited, ()) = tokio::join!(timeout(soon, seats.wait(&0)), async { drop(other) });
        assert!(waited.is_err());
        let (waited, ()) = tokio::join!(timeout(soon, seats.wait(&0)), async { drop(own) });
        assert!(waited.is_ok());
    }
}
