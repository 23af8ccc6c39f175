//! Stops a run that keeps failing: so many failures in a row, or half of all orders once there are enough.
//!
//! Only what failed counts. An order that moved, was paid or is worked on by another run is no failure.

/// Half of the orders is no news while there are fewer than this.
const ENOUGH: usize = 10;

/// How one order ended, as far as the breaker minds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    Good,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    most_in_a_row: usize,
    in_a_row: usize,
    failed: usize,
    ended: usize,
}

impl Breaker {
    /// `most_in_a_row` failures, one after the other, stop the run; at least one does.
    #[must_use]
    pub fn new(most_in_a_row: usize) -> Self {
        Breaker {
            most_in_a_row: most_in_a_row.max(1),
            in_a_row: 0,
            failed: 0,
            ended: 0,
        }
    }

    /// Counts one more order; says why the run must stop, if it must.
    pub fn count(&mut self, beat: Beat) -> Option<String> {
        self.ended += 1;
        match beat {
            Beat::Good => self.in_a_row = 0,
            Beat::Failed => {
                self.in_a_row += 1;
                self.failed += 1;
            }
        }
        if self.in_a_row >= self.most_in_a_row {
            return Some(format!(
                "{} orders failed one after the other",
                self.in_a_row
            ));
        }
        let half = self.failed * 2 >= self.ended;
        (self.ended >= ENOUGH && half && beat == Beat::Failed)
            .then(|| format!("{} of {} orders failed", self.failed, self.ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops_after(breaker: &mut Breaker, beats: &[Beat]) -> Option<usize> {
        let stop = beats.iter().position(|beat| breaker.count(*beat).is_some());
        stop.map(|index| index + 1)
    }

    #[test]
    fn failures_in_a_row_stop_the_run_and_a_success_starts_the_count_again() {
        use Beat::{Failed, Good};
        let mut breaker = Breaker::new(3);
        let beats = [Failed, Failed, Good, Failed, Failed, Failed];
        assert_eq!(stops_after(&mut breaker, &beats), Some(6));
        assert_eq!(stops_after(&mut Breaker::new(0), &[Good, Failed]), Some(2));
    }

    #[test]
    fn half_of_at_least_ten_stops_the_run_though_never_so_many_fail_in_a_row() {
        use Beat::{Failed, Good};
        let mixed: Vec<Beat> = [Good, Failed].into_iter().cycle().take(12).collect();
        assert_eq!(stops_after(&mut Breaker::new(5), &mixed), Some(10));
        let rare: Vec<Beat> = [Good, Good, Failed].into_iter().cycle().take(90).collect();
        assert_eq!(stops_after(&mut Breaker::new(5), &rare), None);
    }
}
