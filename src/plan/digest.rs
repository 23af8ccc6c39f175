//! A plan's digest: short enough to be said on a phone, and another one as soon as the plan is for somebody
//! else, for another amount, or for another deed.
//!
//! What a plan only shows (holds, reasons, texts) is no part of it.

use sha2::{Digest, Sha256};

use super::decide::{Action, Plan};

impl Plan {
    /// `7f3a-91c2`: over account, mode, goal, and per order to be worked on its id, amount, deed and objects.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        };
        add(self.account.as_ref().map_or("", |account| account.as_str()));
        add(&self.mode.to_string());
        add(&format!("{:?}", self.goal()));
        for decision in self.work() {
            let (deed, objects) = match &decision.action {
                Action::Replace(objects) => ("replace", objects.as_slice()),
                Action::Retire(objects) => ("retire", objects.as_slice()),
                Action::Resume => ("resume", [].as_slice()),
                Action::Nothing | Action::Hold(_) => continue,
            };
            add(&decision.order.id.to_string());
            add(&decision
                .order
                .amount
                .map(|amount| format!("{} {}", amount.minor, amount.currency.code()))
                .unwrap_or_default());
            add(deed);
            add(&objects.len().to_string());
            for object in objects {
                add(object.as_str());
            }
        }
        for order in &self.gone {
            add(&format!("gone {order}"));
        }
        for link in &self.paid_links {
            add(&format!("paid {link}"));
        }
        for object in &self.forced {
            add(object.as_str());
        }
        let hex: String = hash
            .finalize()
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}-{}", &hex[..4], &hex[4..])
    }
}
