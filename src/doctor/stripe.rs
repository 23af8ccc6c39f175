//! The key, its mode, its account, what it may read, and Stripe's clock against this host's.
//!
//! What only a write would show is said to be unchecked: nothing is written to find out.

use crate::domain::{AccountId, Mode};

use super::check::{Check, Trouble};
use super::facts::{AccountFacts, Clock, Facts, Finding, KeyFacts, Resource};

/// Seconds. A host that keeps time by NTP is off by less than one.
const SKEW_ALLOWED: i64 = 5;

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![
        Check::of("key", &facts.key, |key| Check::passed("key", shown(*key))),
        Check::of("mode", &facts.mode, |mode| {
            let agrees = match mode {
                Mode::Live => "live mode, and --live was given",
                Mode::Test => "test mode, and --live was not given",
            };
            Check::passed("mode", agrees)
        }),
        Check::of("api_base", &facts.api_base, |base| {
            Check::passed("api_base", base.as_str())
        }),
        Check::of("stripe", &facts.account, |_| {
            Check::passed("stripe", "it answers, and accepts the key")
        }),
        account(&facts.account),
        pinned(&facts.account, &facts.pinned),
    ];
    checks.extend(
        facts
            .reads
            .iter()
            .map(|(resource, read)| may_read(*resource, read)),
    );
    checks.push(may_write(facts));
    checks
}

fn shown(key: KeyFacts) -> String {
    match key {
        KeyFacts::Secret(mode) => format!("a secret key of {mode} mode"),
        KeyFacts::Restricted(mode) => format!("a restricted key of {mode} mode"),
    }
}

const UNANSWERED: &str = "Stripe did not answer this key";

/// Why there is no answer is said once, by the check before.
fn account(account: &Finding<AccountFacts>) -> Check {
    const NAME: &str = "account";
    match account {
        Finding::Failed(_) => Check::not_checked(NAME, UNANSWERED),
        Finding::Skipped(why) => Check::not_checked(NAME, why.as_str()),
        Finding::Found(AccountFacts::Read { id, name }) => {
            let name = name.as_deref().map(|name| format!(" ({name})"));
            Check::passed(NAME, format!("{id}{}", name.unwrap_or_default()))
        }
        Finding::Found(AccountFacts::Closed(said)) => Check::warned(
            NAME,
            format!("the key may not read it: {said}"),
            "name the account with every --commit: --expect-account acct_…; or let the key read it",
        ),
    }
}

/// In another account every object of the database would look missing.
fn pinned(account: &Finding<AccountFacts>, pinned: &Finding<Option<AccountId>>) -> Check {
    const NAME: &str = "account_of_database";
    let id = match account {
        Finding::Found(AccountFacts::Read { id, .. }) => Some(id),
        _ => None,
    };
    match (id, pinned) {
        (_, Finding::Failed(failure)) => Check::failed_by(NAME, failure),
        (_, Finding::Skipped(why)) => Check::not_checked(NAME, why.as_str()),
        (_, Finding::Found(None)) => {
            Check::passed(NAME, "none yet: the first --commit in this mode fixes it")
        }
        (None, Finding::Found(Some(pinned))) => Check::not_checked(
            NAME,
            format!("it is journaled for {pinned}, and the key's account is not known"),
        ),
        (Some(id), Finding::Found(Some(pinned))) if id == pinned => {
            Check::passed(NAME, "journaled for this account")
        }
        (Some(id), Finding::Found(Some(pinned))) => Check::failed(
            NAME,
            Trouble::Configuration,
            format!("journaled for {pinned}, and the key is of {id}"),
            "use the key of the account that the first commit fixed, or the right database",
        ),
    }
}

fn may_read(resource: Resource, read: &Finding<()>) -> Check {
    let mut check = Check::of(resource.check(), read, |()| {
        Check::passed(
            resource.check(),
            format!("the key may read {}", resource.title()),
        )
    });
    if check.outcome == super::Outcome::Failed(Trouble::Permission) {
        check.remedy = Some(format!(
            "give the restricted key read on {} in Stripe's Dashboard, under API keys",
            resource.title()
        ));
    }
    check
}

/// A key that Stripe did not accept has no permissions to speak of.
fn may_write(facts: &Facts) -> Check {
    const NAME: &str = "write_permissions";
    match (&facts.account, &facts.key) {
        (Finding::Failed(_), _) => Check::not_checked(NAME, UNANSWERED),
        (Finding::Skipped(why), _) => Check::not_checked(NAME, why.as_str()),
        (_, Finding::Found(KeyFacts::Secret(_))) => {
            Check::passed(NAME, "a secret key may write everything")
        }
        _ => Check::not_checked(
            NAME,
            "only a write would show whether the restricted key may write checkout sessions and payment links",
        ),
    }
}

pub(super) fn clock(clock: &Finding<Clock>) -> Check {
    const NAME: &str = "clock";
    Check::of(NAME, clock, |clock| {
        let ahead = clock.ahead();
        let seconds = ahead.unsigned_abs();
        if seconds <= SKEW_ALLOWED.unsigned_abs() {
            return Check::passed(NAME, "this host's clock and Stripe's agree");
        }
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        Check::warned(
            NAME,
            format!("this host's clock is {} {way} Stripe's", whole(seconds)),
            "let the host keep time by NTP: relink goes by Stripe's clock and the database's, but `webhook serve` \
             judges by this one how old a signature is, and so does TLS",
        )
    })
}

/// In the largest unit that leaves at least two of it.
fn whole(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;
    use crate::domain::Timestamp;

    fn ahead(stripe: i64, asked: i64, answered: i64) -> i64 {
        Clock {
            stripe: Timestamp(stripe),
            asked: Timestamp(asked),
            answered: Timestamp(answered),
        }
        .ahead()
    }

    #[test]
    fn a_slow_answer_is_no_skew() {
        assert_eq!(ahead(1000, 990, 1010), 0);
        assert_eq!(ahead(1000, 1000, 1000), 0);
        assert_eq!(ahead(1000, 1007, 1010), 7, "ahead before it was asked");
        assert_eq!(ahead(1000, 980, 991), -9, "behind when it was answered");
    }

    #[test]
    fn skew_is_a_warning_from_six_seconds_on() {
        let told = |stripe, host| {
            let check = clock(&Finding::Found(Clock {
                stripe: Timestamp(stripe),
                asked: Timestamp(host),
                answered: Timestamp(host),
            }));
            (check.outcome, check.found)
        };
        assert_eq!(told(1000, 1005).0, Outcome::Passed);
        assert_eq!(told(1005, 1000).0, Outcome::Passed);
        let found = "this host's clock is 6 s ahead of Stripe's".to_owned();
        assert_eq!(told(1000, 1006), (Outcome::Warned, found));
        let found = "this host's clock is 3 min behind Stripe's".to_owned();
        assert_eq!(told(1200, 1000), (Outcome::Warned, found));
    }

    #[test]
    fn the_account_of_the_database_is_the_keys() {
        let id = |text: &str| AccountId::parse(text).unwrap_or_else(|e| panic!("{e}"));
        let read = Finding::Found(AccountFacts::Read {
            id: id("acct_1"),
            name: None,
        });
        let outcome = |held: Option<&str>| pinned(&read, &Finding::Found(held.map(id))).outcome;
        assert_eq!(outcome(None), Outcome::Passed);
        assert_eq!(outcome(Some("acct_1")), Outcome::Passed);
        assert_eq!(
            outcome(Some("acct_2")),
            Outcome::Failed(Trouble::Configuration)
        );
        let closed = Finding::Found(AccountFacts::Closed("no".to_owned()));
        let unknown = pinned(&closed, &Finding::Found(Some(id("acct_1"))));
        assert!(matches!(unknown.outcome, Outcome::NotChecked { .. }));
    }
}
