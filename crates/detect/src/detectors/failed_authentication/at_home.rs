//! The accounts that got in from an address, so that a stranger among them is told.

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::attempt::Attempt;

/// Over this the account that got in longest ago is forgotten.
const ACCOUNTS_MAX: usize = 4_096;
const REMEMBERED_FOR_MS: i64 = 7 * 86_400_000;

/// Accounts by their hash, sorted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct AtHome {
    accounts: Vec<Known>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Known {
    account: u64,
    first: EventTime,
    last: EventTime,
}

impl AtHome {
    /// Notes a success; they come in order.
    pub(super) fn note(&mut self, attempt: &Attempt) {
        match self.accounts.binary_search_by_key(&attempt.account, |known| known.account) {
            Ok(at) => self.accounts[at].last = attempt.time,
            Err(_) if attempt.account == 0 => {}
            Err(at) => {
                let known = Known { account: attempt.account, first: attempt.time, last: attempt.time };
                self.accounts.insert(at, known);
                self.drop_surplus();
            }
        }
    }

    /// Whether an account got in before this time.
    pub(super) fn knew(&self, account: u64, before: EventTime) -> bool {
        let at = self.accounts.binary_search_by_key(&account, |known| known.account);
        at.is_ok_and(|at| self.accounts[at].first < before)
    }

    /// Forgets the accounts that did not get in for long.
    pub(super) fn forget(&mut self, now: EventTime) {
        self.accounts.retain(|known| now - known.last < REMEMBERED_FOR_MS);
    }

    /// Until when this must be remembered. Of an address that one account alone uses there is
    /// nothing to tell apart.
    pub(super) fn needed_until(&self) -> Option<EventTime> {
        let shared = self.accounts.iter().filter(|_| self.accounts.len() > 1);
        shared.map(|known| known.last + REMEMBERED_FOR_MS).max()
    }

    fn drop_surplus(&mut self) {
        if self.accounts.len() > ACCOUNTS_MAX {
            let by_age = self.accounts.iter().map(|known| (known.last, known.account));
            let coldest = by_age.min().expect("there are more than the most");
            self.accounts.retain(|known| (known.last, known.account) != coldest);
        }
    }
}
