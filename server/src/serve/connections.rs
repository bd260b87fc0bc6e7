//! How many connections there are, in all and per address.

use crate::domain::client_address::household;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections. Clones share the count.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    limit_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    connections: Connections,
    address: IpAddr,
}

impl Connections {
    pub(super) fn new(limit: usize, limit_per_address: usize) -> Self {
        Self(Arc::new(Shared { limit, limit_per_address, counts: Mutex::default() }))
    }

    /// A place for one more connection of `address`, if there is one.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Ticket> {
        let address = household(address);
        let mut counts = self.counts();
        let of_address = counts.by_address.get(&address).copied().unwrap_or_default();
        if counts.all >= self.0.limit || of_address >= self.0.limit_per_address {
            metrics::counter!("banter_connections_refused_total").increment(1);
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, of_address + 1);
        Some(Ticket { connections: self.clone(), address })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // No code panics while holding the lock.
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.connections.counts();
        counts.all -= 1;
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Connections;
    use std::net::IpAddr;

    #[test]
    fn bounded_in_all_and_per_address_and_given_back() {
        let connections = Connections::new(3, 2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = connections.enter(ip("192.0.2.1")).unwrap();
        let _second = connections.enter(ip("192.0.2.1")).unwrap();
        assert!(connections.enter(ip("192.0.2.1")).is_none());
        let _third = connections.enter(ip("2001:db8::1")).unwrap();
        assert!(connections.enter(ip("192.0.2.9")).is_none());
        drop(first);
        let _again = connections.enter(ip("2001:db8::2")).unwrap();
        assert!(connections.enter(ip("2001:db8::3")).is_none());
        assert_eq!(connections.counts().by_address.len(), 2);
    }
}
