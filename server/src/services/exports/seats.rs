//! Who may have a file made while they wait: each holds a thread for as long as its reader likes, so
//! there are only so many in all, and nobody has them all.

use crate::domain::owner::Tenant;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many there are.
const SEATS: usize = 8;

/// How many an account has, or the organization itself, at most.
const FOR_ONE: usize = 2;

/// The seats. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<Tenant, usize>>>);

/// One of them, until it is dropped.
pub(super) struct Seat {
    seats: Seats,
    tenant: Tenant,
}

impl Seats {
    /// A seat, if there is one for this tenant.
    pub(super) fn take(&self, tenant: &Tenant) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(tenant).copied().unwrap_or(0);
        if all >= SEATS || own >= FOR_ONE {
            return None;
        }
        taken.insert(tenant.clone(), own + 1);
        Some(Seat { seats: self.clone(), tenant: tenant.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FOR_ONE, SEATS, Seats};
    use crate::domain::owner::Tenant;

    #[test]
    fn nobody_has_them_all_and_what_is_left_is_free() {
        let seats = Seats::default();
        let tenant = |account: Option<usize>| Tenant {
            organization: "o".into(),
            account: account.map(|number| number.to_string()),
        };
        let own: Vec<_> = (0..FOR_ONE).map(|_| seats.take(&tenant(None)).unwrap()).collect();
        assert!(seats.take(&tenant(None)).is_none());
        let others: Vec<_> = (0..).map_while(|number| seats.take(&tenant(Some(number)))).collect();
        assert_eq!(others.len(), SEATS - FOR_ONE);
        drop(own);
        assert!(seats.take(&tenant(None)).is_some());
        drop(others);
        assert!(seats.0.lock().unwrap().is_empty(), "nothing is kept of those who left");
    }
}
