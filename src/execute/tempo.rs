//! How many orders are worked on together: as many as keep the request budget busy, found from what requests take, and
//! never more than was allowed. Pure: it is told what there was, and asked for a number.
//!
//! It makes nothing faster than the budget, and it knows nothing of any order.

use std::time::Duration;

use crate::stripe::Load;

const FIRST: usize = 4;
/// Of the time that requests take, as much in the wait for their turn shows that there are enough of them, and as much
/// more that there are too many.
const ENOUGH: f64 = 0.2;
const TOO_MANY: f64 = 0.6;

#[derive(Debug)]
pub(super) struct Tempo {
    most: usize,
    now: usize,
    /// Until the first time that it was enough, it doubles.
    is_searching: bool,
    /// Orders that ended since `seen`.
    ended: usize,
    seen: Load,
}

impl Tempo {
    /// `seen` is what was before the first order.
    pub fn new(most: usize, seen: Load) -> Self {
        let most = most.max(1);
        Tempo {
            most,
            now: FIRST.min(most),
            is_searching: true,
            ended: 0,
            seen,
        }
    }

    pub fn in_flight(&self) -> usize {
        self.now
    }

    /// An order ended. Once as many have as are worked on together, what their requests took says whether more are.
    pub fn order_ended(&mut self, load: Load) {
        self.ended += 1;
        if self.ended < self.now {
            return;
        }
        let share = share_of_waiting(self.seen, load);
        self.now = if load.crowded > self.seen.crowded {
            self.is_searching = false;
            self.now / 2
        } else if share < ENOUGH && self.is_searching {
            self.now * 2
        } else if share < ENOUGH {
            self.now + 1
        } else {
            self.is_searching = false;
            self.now - usize::from(share > TOO_MANY)
        }
        .clamp(FIRST.min(self.most), self.most);
        self.seen = load;
        self.ended = 0;
    }
}

/// Zero where nothing was sent in between.
fn share_of_waiting(before: Load, after: Load) -> f64 {
    let waited = after.waited.saturating_sub(before.waited);
    let whole = waited + after.carried.saturating_sub(before.carried);
    if whole == Duration::ZERO {
        return 0.0;
    }
    waited.as_secs_f64() / whole.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After so many rounds in which `in_flight` orders of four requests of 120 ms share a budget of so many a second.
    fn found(rate: f64, most: usize, rounds: usize) -> usize {
        let mut load = Load::default();
        let mut tempo = Tempo::new(most, load);
        for _ in 0..rounds {
            let orders = tempo.in_flight();
            let carried = 0.48 * orders as f64;
            // What the budget needs for them all, less what they take anyhow.
            let waited = (4.0 * orders as f64 / rate - 0.48).max(0.0) * orders as f64;
            load.carried += Duration::from_secs_f64(carried);
            load.waited += Duration::from_secs_f64(waited);
            for _ in 0..orders {
                tempo.order_ended(load);
            }
        }
        tempo.in_flight()
    }

    #[test]
    fn as_many_orders_are_worked_on_as_keep_the_budget_busy() {
        for (rate, enough, too_many) in [(20.0, 4, 8), (80.0, 10, 26), (400.0, 48, 120)] {
            let found = found(rate, 1000, 60);
            assert!((enough..=too_many).contains(&found), "{rate}: {found}");
        }
    }

    #[test]
    fn never_more_than_was_allowed_and_never_none() {
        for most in [0, 1, 2, 7] {
            assert_eq!(found(f64::INFINITY, most, 20), most.max(1));
        }
    }

    #[test]
    fn where_stripe_says_too_many_half_of_them_go_on() {
        let mut tempo = Tempo::new(100, Load::default());
        let mut load = Load::default();
        let mut round = |tempo: &mut Tempo, crowded| {
            load.crowded += crowded;
            for _ in 0..tempo.in_flight() {
                tempo.order_ended(load);
            }
            tempo.in_flight()
        };
        assert_eq!([round(&mut tempo, 0), round(&mut tempo, 0)], [8, 16]);
        assert_eq!(round(&mut tempo, 3), 8);
        assert_eq!(round(&mut tempo, 0), 9, "one by one from then on");
        for _ in 0..5 {
            round(&mut tempo, 1);
        }
        assert_eq!(tempo.in_flight(), FIRST);
    }
}
