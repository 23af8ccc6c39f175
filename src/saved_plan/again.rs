//! The command that would make a saved plan anew: a dry run, made from what the plan is about.
//!
//! No text of the file is in it, since a file may say anything: `--commit --yes` too.

use super::{SavedPlan, SavedScope};
use crate::domain::CheckoutReference;
use crate::plan::{Goal, Release, Verdict};

impl SavedPlan {
    /// `min_age` is what holds where no flag says otherwise. `None` where the plan names nothing to look at.
    #[must_use]
    pub fn made_anew_by(&self, min_age: i64) -> Option<String> {
        let policy = &self.policy;
        let mut words = vec!["relink".to_owned(), self.goal().command().to_owned()];
        let mut flag = |flag: &str| words.push(flag.to_owned());
        if policy.goal == Goal::RetirePending {
            flag("--pending");
        }
        // Its flag is that of the age.
        let releases = policy.releases.iter().filter(|it| **it != Release::Youth);
        releases.for_each(|release| flag(release.flag()));
        if policy.goal != Goal::Mint && policy.min_age != min_age && policy.min_age >= 0 {
            flag(&format!("--min-age {}s", policy.min_age));
        }
        let SavedScope {
            all,
            tournament_id,
            order_ids,
            excluded_order_ids,
            verdicts,
        } = &self.scope;
        for id in excluded_order_ids {
            flag(&format!("--exclude-order-id {id}"));
        }
        for verdict in verdicts
            .iter()
            .filter_map(|name| name.parse::<Verdict>().ok())
        {
            flag(&format!("--verdict {verdict}"));
        }
        if !self.forced_objects.is_empty() {
            flag("--force-object");
        }
        let objects = policy.objects.iter().filter(is_checked);
        let objects: Vec<&str> = objects.map(CheckoutReference::as_str).collect();
        match tournament_id {
            _ if *all => flag("--all"),
            Some(id) => flag(&format!("--tournament-id {id}")),
            None if !objects.is_empty() => objects.into_iter().for_each(flag),
            None if order_ids.is_empty() => return None,
            None => order_ids
                .iter()
                .for_each(|id| flag(&format!("--order-id {id}"))),
        }
        Some(words.join(" "))
    }
}

/// Letters, digits and underscores after a prefix that is known: no flag.
fn is_checked(object: &&CheckoutReference) -> bool {
    !matches!(object, CheckoutReference::Other(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Mode, OrderId, Snapshot, Timestamp, TournamentId, Witness};
    use crate::plan::{Policy, decide};
    use crate::saved_plan::Making;

    fn anew(policy: Policy, scope: SavedScope) -> Option<String> {
        let Ok(account) = AccountId::parse("acct_1") else {
            panic!("no account");
        };
        let snapshot = Snapshot {
            taken_at: Timestamp(0),
            mode: Mode::Test,
            account: Some(account.clone()),
            witness: Witness::Absent,
            orders: Vec::new(),
        };
        let making = Making {
            made_at_database: Timestamp(0),
            command: "relink regen --all --commit --yes".to_owned(),
            account,
            database: "sqlite /club.db".to_owned(),
            scope,
        };
        SavedPlan::of(&decide(&snapshot, &policy), &snapshot, making).made_anew_by(1800)
    }

    #[test]
    fn it_looks_at_the_same_with_the_same_releases_and_never_commits() {
        let all = SavedScope {
            all: true,
            excluded_order_ids: vec![OrderId(7)],
            verdicts: vec!["dead".to_owned(), "--commit".to_owned()],
            ..SavedScope::default()
        };
        assert_eq!(
            anew(Policy::new(Goal::Regen), all).as_deref(),
            Some("relink regen --exclude-order-id 7 --verdict dead --all")
        );
        let mut policy = Policy::new(Goal::Mint);
        policy.releases = [Release::OverForeign].into();
        let orders = SavedScope {
            order_ids: vec![OrderId(7), OrderId(9)],
            ..SavedScope::default()
        };
        assert_eq!(
            anew(policy, orders.clone()).as_deref(),
            Some("relink mint --over-foreign --order-id 7 --order-id 9")
        );
        let mut policy = Policy::new(Goal::RetirePending);
        policy.min_age = 0;
        let objects = ["--commit", "plink_1"].map(CheckoutReference::classify);
        policy.objects = objects.into();
        assert_eq!(
            anew(policy, orders).as_deref(),
            Some("relink retire --pending --min-age 0s plink_1")
        );
        let tournament = SavedScope {
            tournament_id: Some(TournamentId(2)),
            ..SavedScope::default()
        };
        assert_eq!(
            anew(Policy::new(Goal::Retire), tournament).as_deref(),
            Some("relink retire --tournament-id 2")
        );
        assert_eq!(anew(Policy::new(Goal::Retire), SavedScope::default()), None);
    }
}
