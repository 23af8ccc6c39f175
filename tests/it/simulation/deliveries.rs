//! The receiver's part of a seed: which event is delivered next, and that every one has come in the end.
//!
//! It judges no book: `mail` does.

use super::endings::count_endings;
use super::mail;
use super::process::{self, Ended, Task};
use super::show::Show;
use super::stage::Reach;

impl Show {
    /// Whether there was one: mostly one that is owed, now and then one that was delivered before.
    pub async fn deliver_some_event(&mut self) -> bool {
        let events = mail::events(self.ground.double()).await;
        let owed = |event: &&mail::Event| !self.stage.is_acknowledged(&event.id);
        let owed: Vec<_> = events.iter().filter(owed).collect();
        let (event, told) = {
            let mut dice = self.stage.dice();
            if dice.per_mille(700) {
                (dice.pick(&owed).copied().cloned(), "takes in")
            } else {
                (dice.pick(&events).cloned(), "takes in, maybe again,")
            }
        };
        let Some(event) = event else {
            return false;
        };
        self.stage.count("event delivered");
        let body = self.ground.tamper(event.body).await;
        self.start(Task::Receive(body), &format!("{told} {}", event.kind));
        true
    }

    /// Stripe sends what is owed until it is taken in; then everything once more, in some order, as a replay does.
    pub async fn deliver_all_events(&mut self) {
        for _ in 0..2 {
            let mut events = mail::events(self.ground.double()).await;
            while !events.is_empty() {
                let event = {
                    let mut dice = self.stage.dice();
                    events.swap_remove(dice.below(events.len()))
                };
                let body = self.ground.tamper(event.body).await;
                let cast = self.cast(Task::Receive(body));
                let ended = process::run(cast).await;
                count_endings(&self.stage, "delivered at last", &ended);
                self.stage.note(format!("{}: {ended:?}", event.kind));
                assert!(matches!(ended, Ended::Received(_)), "{ended:?}");
            }
        }
    }
}
