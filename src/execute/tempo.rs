//! How many orders are worked on together: as many as keep the request budget busy, or else the database, found from what an
//! order takes, and never more than was allowed. Pure: it is told what there was, and asked for a number.
//!
//! It makes nothing faster than the budget, and it knows nothing of any order.

use std::time::Instant;

use crate::stripe::{Load, Pace};

const FIRST: usize = 8;
/// From one measurement to the next.
const GROWTH: usize = 3;
/// Where nothing is counted, Stripe is not what anybody waits for.
const WITHOUT_A_BUDGET: usize = 256;
/// Orders come in lots, since they wait for the index together.
const MARGIN: f64 = 1.5;
/// Than orders ended since the last measurement, others may from now on. With the margin it is the growth.
const FASTER: f64 = 2.0;

#[derive(Debug)]
pub(super) struct Tempo {
    most: usize,
    pace: Option<Pace>,
    now: usize,
    /// Orders that ended since `since`.
    ended: usize,
    since: Instant,
    seen: Load,
}

impl Tempo {
    /// `begun` and `seen` are what was before the first order. What was waited is for the budget's turns and for the
    /// database's connections.
    pub fn new(most: usize, pace: Option<Pace>, begun: Instant, seen: Load) -> Self {
        let most = most.max(1);
        Tempo {
            most,
            pace,
            now: FIRST.min(most),
            ended: 0,
            since: begun,
            seen,
        }
    }

    pub fn in_flight(&self) -> usize {
        self.now
    }

    /// An order ended. Once as many have as are worked on together, it is known what one takes, and with it how many
    /// the budget has room for.
    pub fn order_ended(&mut self, at: Instant, load: Load) {
        self.ended += 1;
        if self.ended < self.now {
            return;
        }
        let wanted = if load.crowded > self.seen.crowded {
            self.now / 2
        } else {
            self.enough(at, load).min(GROWTH * self.now)
        };
        self.now = wanted.clamp(FIRST.min(self.most), self.most);
        self.ended = 0;
        self.since = at;
        self.seen = load;
    }

    /// The rate of orders that can be had, times what one takes besides its waits (Little's law). It can be had as far as the
    /// budget allows it; and where orders wait for the database, not much more of it than there was.
    fn enough(&self, at: Instant, load: Load) -> usize {
        let Some(pace) = self.pace else {
            return WITHOUT_A_BUDGET;
        };
        let ended = self.ended as f64;
        let seconds = at.duration_since(self.since).as_secs_f64();
        let waited = load.waited.saturating_sub(self.seen.waited).as_secs_f64();
        let requests = load.requests.saturating_sub(self.seen.requests) as f64;
        let one_takes = (seconds * self.now as f64 - waited) / ended;
        // Each asks most endpoints once.
        let allowed = pace.endpoint.min(pace.account * ended / requests.max(1.0));
        let rate = allowed.min(FASTER * ended / seconds.max(f64::MIN_POSITIVE));
        (MARGIN * rate * one_takes.max(0.0)).ceil() as usize
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIVE: Pace = Pace {
        account: 100.0,
        endpoint: 25.0,
    };

    /// After so many rounds of orders that make three requests each and take so many seconds besides their waits.
    fn found(pace: Option<Pace>, takes: f64, most: usize, rounds: usize) -> usize {
        let (mut at, mut load) = (Instant::now(), Load::default());
        let mut tempo = Tempo::new(most, pace, at, load);
        for _ in 0..rounds {
            let orders = tempo.in_flight();
            let bound = pace.map_or(0.0, |pace| {
                orders as f64 / pace.endpoint.min(pace.account / 3.0)
            });
            let round = bound.max(takes);
            at += Duration::from_secs_f64(round);
            load.waited += Duration::from_secs_f64((round - takes) * orders as f64);
            load.requests += 3 * orders as u64;
            for _ in 0..orders {
                tempo.order_ended(at, load);
            }
        }
        tempo.in_flight()
    }

    #[test]
    fn as_many_orders_are_worked_on_as_keep_the_budget_busy() {
        // 25 a second, each of two seconds: fifty, and half as many more.
        assert_eq!(found(Some(LIVE), 2.0, 1000, 20), 75);
        assert_eq!(found(Some(LIVE), 0.5, 1000, 20), 19);
        let test = Pace {
            account: 25.0,
            endpoint: 25.0,
        };
        // The account's total bounds three requests an order.
        assert_eq!(found(Some(test), 2.0, 1000, 20), 25);
        assert_eq!(found(None, 2.0, 1000, 20), WITHOUT_A_BUDGET);
    }

    #[test]
    fn their_number_is_found_within_a_few_rounds() {
        assert_eq!(found(Some(LIVE), 2.0, 1000, 1), 24);
        assert_eq!(found(Some(LIVE), 2.0, 1000, 3), 75);
    }

    /// Each order takes a second of a database that has time for one of them, and half a second besides; the budget has
    /// room for 25 a second.
    #[test]
    fn where_they_wait_for_the_database_no_more_are_begun_than_help() {
        let (mut at, mut load) = (Instant::now(), Load::default());
        let mut tempo = Tempo::new(1000, Some(LIVE), at, load);
        let mut found = Vec::new();
        for _ in 0..20 {
            let orders = tempo.in_flight();
            at += Duration::from_secs(orders as u64);
            load.waited += Duration::from_secs_f64((orders as f64 - 1.5).max(0.0) * orders as f64);
            load.requests += 3 * orders as u64;
            for _ in 0..orders {
                tempo.order_ended(at, load);
            }
            found.push(tempo.in_flight());
        }
        assert_eq!(found, [FIRST; 20]);
    }

    #[test]
    fn never_more_than_was_allowed_and_never_none() {
        for most in [0, 1, 2, 7] {
            assert_eq!(found(Some(LIVE), 60.0, most, 20), most.max(1));
            assert_eq!(found(None, 60.0, most, 20), most.max(1));
        }
    }

    #[test]
    fn where_stripe_says_too_many_half_of_them_go_on() {
        let (at, mut load) = (Instant::now(), Load::default());
        let mut tempo = Tempo::new(100, None, at, load);
        let mut round = |tempo: &mut Tempo, crowded| {
            load.crowded += crowded;
            for _ in 0..tempo.in_flight() {
                tempo.order_ended(at, load);
            }
            tempo.in_flight()
        };
        assert_eq!(round(&mut tempo, 0), 24);
        assert_eq!(round(&mut tempo, 3), 12);
        for _ in 0..5 {
            round(&mut tempo, 1);
        }
        assert_eq!(tempo.in_flight(), FIRST);
    }
}
