//! The retry rule: what went wrong and how often in, how long to wait out. [`next`] is pure: it never sleeps or sends,
//! and the random number that it is given is drawn by [`jitter`].
//!
//! `Stripe-Should-Retry` is obeyed in both directions (docs.stripe.com/error-low-level). Without it,
//! connection errors, unreadable answers, 409, 429 and 5xx are repeated, and a saved answer is not: a replayed 500 stays
//! one.

use std::time::Duration;

use super::Timings;

/// What the rule needs to know about a failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer, or not the whole of one: refused, reset, timed out, cut off.
    Connection,
    Status {
        status: u16,
        /// `Stripe-Should-Retry`.
        should_retry: Option<bool>,
        /// `Retry-After`, when it is a number of seconds. Stripe is not known to send it.
        retry_after: Option<Duration>,
        /// `Idempotent-Replayed`.
        replayed: bool,
    },
    /// A whole answer that is not Stripe's.
    Garbage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    After(Duration),
    Stop,
}

/// `attempt` counts the requests sent so far, from 1. `jitter` lies in 0..=1 and shortens the wait to
/// between half and the whole of the backoff; anything else is taken as the nearer end.
#[must_use]
pub fn next(failure: &Failure, attempt: u32, jitter: f64, timings: &Timings) -> Retry {
    if attempt >= timings.attempts || !is_worth_repeating(failure) {
        return Retry::Stop;
    }
    let backoff = backoff(attempt, jitter, timings);
    match failure {
        Failure::Status {
            retry_after: Some(asked),
            ..
        } if *asked <= timings.longest_retry_after => Retry::After(backoff.max(*asked)),
        _ => Retry::After(backoff),
    }
}

fn is_worth_repeating(failure: &Failure) -> bool {
    match failure {
        // Garbage is some proxy's answer, or half of Stripe's: like none at all.
        Failure::Connection | Failure::Garbage => true,
        Failure::Status {
            should_retry: Some(answer),
            ..
        } => *answer,
        Failure::Status { replayed: true, .. } => false,
        Failure::Status { status, .. } => matches!(status, 409 | 429 | 500..=599),
    }
}

fn backoff(attempt: u32, jitter: f64, timings: &Timings) -> Duration {
    let doublings = attempt.saturating_sub(1).min(30);
    let whole = timings
        .backoff
        .saturating_mul(1 << doublings)
        .min(timings.longest_backoff);
    let jitter = if jitter.is_nan() {
        1.0
    } else {
        jitter.clamp(0.0, 1.0)
    };
    whole.mul_f64(0.5 + jitter / 2.0)
}

/// A random number in 0..=1 for [`next`], so that clients which failed together do not come back together.
#[must_use]
pub fn jitter() -> f64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    let [a, b, c, d, ..] = high.to_be_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(status: u16) -> Failure {
        Failure::Status {
            status,
            should_retry: None,
            retry_after: None,
            replayed: false,
        }
    }

    fn any_failure() -> impl Strategy<Value = Failure> {
        let seconds = proptest::option::of((0_u64..200_000).prop_map(Duration::from_secs));
        prop_oneof![
            Just(Failure::Connection),
            Just(Failure::Garbage),
            (100_u16..600, any::<Option<bool>>(), seconds, any::<bool>()).prop_map(
                |(status, should_retry, retry_after, replayed)| Failure::Status {
                    status,
                    should_retry,
                    retry_after,
                    replayed
                }
            ),
        ]
    }

    #[test]
    fn by_default_only_conflicts_limits_and_server_errors_are_repeated() {
        let repeated =
            |failure: &Failure| next(failure, 1, 0.5, &Timings::default()) != Retry::Stop;
        let statuses: Vec<u16> = (100..600).filter(|s| repeated(&status(*s))).collect();
        let expected: Vec<u16> = [409, 429].into_iter().chain(500..600).collect();
        assert_eq!(statuses, expected);
        assert!(repeated(&Failure::Connection));
        assert!(repeated(&Failure::Garbage));
    }

    #[test]
    fn a_sane_retry_after_lengthens_the_wait_and_an_absurd_one_does_not() {
        let asked = |seconds| Failure::Status {
            status: 429,
            should_retry: None,
            retry_after: Some(Duration::from_secs(seconds)),
            replayed: false,
        };
        let timings = Timings::default();
        assert_eq!(
            next(&asked(7), 1, 0.0, &timings),
            Retry::After(Duration::from_secs(7))
        );
        let short = Retry::After(timings.backoff.mul_f64(0.5));
        assert_eq!(next(&asked(0), 1, 0.0, &timings), short);
        assert_eq!(next(&asked(86_400), 1, 0.0, &timings), short);
    }

    #[test]
    fn a_saved_500_is_not_asked_for_again() {
        let saved = Failure::Status {
            status: 500,
            should_retry: None,
            retry_after: None,
            replayed: true,
        };
        assert_eq!(next(&saved, 1, 0.5, &Timings::default()), Retry::Stop);
    }

    proptest! {
        #[test]
        fn stripes_word_is_obeyed_whatever_the_status(code in 100_u16..600, word: bool, jitter in 0.0..=1.0) {
            let failure = Failure::Status {
                status: code, should_retry: Some(word), retry_after: None, replayed: false,
            };
            let repeated = next(&failure, 1, jitter, &Timings::default()) != Retry::Stop;
            prop_assert_eq!(repeated, word);
        }

        #[test]
        fn it_always_ends(failure in any_failure(), jitter in 0.0..=1.0, beyond in 0_u32..1000) {
            let timings = Timings::default();
            prop_assert_eq!(next(&failure, timings.attempts + beyond, jitter, &timings), Retry::Stop);
        }

        #[test]
        fn no_wait_leaves_its_bounds(failure in any_failure(), attempt in 1_u32..u32::MAX, jitter: f64) {
            let timings = Timings { attempts: u32::MAX, ..Timings::default() };
            if let Retry::After(wait) = next(&failure, attempt, jitter, &timings) {
                prop_assert!(wait >= timings.backoff.mul_f64(0.5));
                prop_assert!(wait <= timings.longest_backoff.max(timings.longest_retry_after));
            }
        }

        #[test]
        fn waits_grow_with_the_attempts(attempt in 1_u32..40, jitter in 0.0..=1.0) {
            let timings = Timings { attempts: 100, ..Timings::default() };
            let wait = |n| next(&status(503), n, jitter, &timings);
            let (Retry::After(now), Retry::After(then)) = (wait(attempt), wait(attempt + 1)) else {
                return Err(TestCaseError::fail("stopped"));
            };
            prop_assert!(then >= now);
        }
    }

    #[test]
    fn jitter_stays_in_its_range() {
        for _ in 0..1000 {
            assert!((0.0..=1.0).contains(&jitter()));
        }
    }
}
