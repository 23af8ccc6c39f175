//! The words of a plan that people type and programs compare: flags, the next command for each verdict, what the row's
//! object looked like, and the digest. A name once given stays.

use std::sync::Arc;

use relink::domain::ChargeRefusal::{AboveMost, BelowLeast, NotMultipleOf};
use relink::domain::*;
use relink::plan::*;

use crate::support::facts::*;
use crate::support::plans::{decided_by_regen, regen_of};

const ORDER: i64 = 42;

#[test]
fn every_release_is_the_flag_of_its_name() {
    let flags = [
        (Release::MissingIsDead, "--missing-is-dead"),
        (Release::AcceptRecoveryUrl, "--accept-recovery-url"),
        (Release::AdoptUnowned, "--adopt-unowned"),
        (Release::AllowAmountChange, "--allow-amount-change"),
        (Release::AllowCurrencyChange, "--allow-currency-change"),
        (Release::OverForeign, "--over-foreign"),
    ];
    for (release, flag) in flags {
        assert_eq!(release.flag(), flag);
    }
}

#[test]
fn every_verdict_is_read_back_from_its_name() {
    let names: Vec<&str> = Verdict::ALL.into_iter().map(Verdict::name).collect();
    assert_eq!(
        names.join(" "),
        "out_of_scope unobserved in_doubt missing unknown_object foreign overpaid paid_unrecorded processing \
         recoverable leaked settled invalid_order duplicate unowned wrong dying withdrawn dead healthy"
    );
    for verdict in Verdict::ALL {
        assert_eq!(verdict.name().parse::<Verdict>().unwrap(), verdict);
        assert_eq!(verdict.to_string(), verdict.name());
    }
    assert!("deadly".parse::<Verdict>().is_err());
}

fn stored(state: SessionState) -> OrderFacts {
    let own = StripeObject::Session(session("cs_own", ORDER, state));
    facts(order(ORDER, Some("cs_own")), Some(own), vec![])
}

fn held(active: bool) -> OrderFacts {
    let own = StripeObject::Link(family("plink_own", ORDER, active, vec![]));
    facts(order(ORDER, Some("plink_own")), Some(own), vec![])
}

fn read_as(reading: Reading) -> OrderFacts {
    let mut facts = stored(SessionState::Expired);
    let reference = CheckoutReference::classify("cs_own");
    facts.stored = Stored::Read(reference, Box::new(reading));
    facts
}

#[test]
fn what_the_rows_object_looked_like_is_said_in_two_words() {
    let nothing = facts(order(ORDER, None), None, vec![]);
    let mut unknown = nothing.clone();
    unknown.stored = Stored::Unknown("in_1".to_owned());
    let mut skipped = nothing.clone();
    skipped.stored = Stored::Skipped;
    for (facts, words) in [
        (nothing, "none"),
        (unknown, "unknown object"),
        (skipped, "not read"),
        (read_as(Reading::NotLive), "not live"),
        (read_as(Reading::NoSuchObject), "not found"),
        (read_as(Reading::Unread("timeout".to_owned())), "unread"),
        (held(true), "link active"),
        (held(false), "link inactive"),
        (stored(SessionState::Open), "session open"),
        (stored(SessionState::Expired), "session expired"),
        (stored(paid("pi_1")), "session paid"),
        (stored(SessionState::Processing), "session processing"),
        (stored(SessionState::Failed), "session failed"),
        (stored(SessionState::Unknown("new".to_owned())), "unread"),
    ] {
        let said = decided_by_regen(&facts).stored.to_string();
        assert_eq!(said, words);
    }
}

/// A decision with this verdict, as a run that may not do anything more about it would hold it.
fn of(verdict: Verdict, action: Action) -> Decision {
    Decision {
        verdict,
        action,
        ..decided_by_regen(&held(true))
    }
}

#[test]
fn every_verdict_that_leaves_something_to_do_names_the_next_command() {
    let needs = |release| Action::Hold(Hold::NeedsPerson { release });
    let waits = Action::Hold(Hold::Waits);
    let correct = "correct the row of order 42, then `relink inspect --order-id 42 --sandbox`";
    for (verdict, action, advice) in [
        (Verdict::OutOfScope, Action::Nothing, None),
        (Verdict::Settled, Action::Nothing, None),
        (Verdict::Healthy, Action::Nothing, None),
        (Verdict::Processing, waits.clone(), None),
        (Verdict::Dying, waits.clone(), None),
        (
            Verdict::Dying,
            Action::Replace(vec![]),
            Some("relink regen --order-id 42 --sandbox"),
        ),
        (
            Verdict::Dead,
            Action::Replace(vec![]),
            Some("relink regen --order-id 42 --sandbox"),
        ),
        (
            Verdict::Duplicate,
            needs(None),
            Some("relink regen --order-id 42 --sandbox"),
        ),
        (
            Verdict::InDoubt,
            Action::Resume,
            Some("relink regen --order-id 42 --sandbox"),
        ),
        (
            Verdict::Leaked,
            waits.clone(),
            Some("relink retire --order-id 42 --sandbox"),
        ),
        (
            Verdict::Withdrawn,
            waits,
            Some("relink mint --order-id 42 --sandbox"),
        ),
        (
            Verdict::PaidUnrecorded,
            needs(None),
            Some("relink webhook replay --order-id 42 --sandbox"),
        ),
        (
            Verdict::Overpaid,
            needs(None),
            Some("refund in Stripe, then `relink inspect --order-id 42 --sandbox`"),
        ),
        (
            Verdict::Unobserved,
            needs(None),
            Some("relink inspect --order-id 42 --sandbox"),
        ),
        (Verdict::Foreign, needs(None), Some(correct)),
        (Verdict::UnknownObject, needs(None), Some(correct)),
        (Verdict::InvalidOrder, needs(None), Some(correct)),
        (
            Verdict::Missing,
            needs(Some(Release::MissingIsDead)),
            Some("relink regen --order-id 42 --missing-is-dead --sandbox"),
        ),
        (
            Verdict::Recoverable,
            needs(Some(Release::AcceptRecoveryUrl)),
            Some("relink regen --order-id 42 --accept-recovery-url --sandbox"),
        ),
        (
            Verdict::Unowned,
            needs(None),
            Some("relink regen --order-id 42 --sandbox"),
        ),
        (
            Verdict::Wrong,
            needs(Some(Release::AllowAmountChange)),
            Some("relink regen --order-id 42 --allow-amount-change --sandbox"),
        ),
    ] {
        let in_the_sandbox = |command: &str| format!("{command} --sandbox");
        let said = advise(&of(verdict, action)).map(|advice| advice.text(&in_the_sandbox));
        assert_eq!(said.as_deref(), advice, "{verdict}");
    }
}

/// It is written into approvals and into the journal.
#[test]
fn the_digest_of_a_plan_stays_and_every_deed_of_it_counts() {
    let plan = regen_of(vec![stored(SessionState::Expired)]);
    let digest = plan.digest();
    assert_eq!(digest.as_str().len(), 9, "{digest}");
    assert_eq!(digest, plan.clone().digest());
    let changes: [&dyn Fn(&mut Plan); 8] = [
        &|plan| plan.mode = Mode::Live,
        &|plan| plan.account = Some(AccountId::parse("acct_1").unwrap()),
        &|plan| plan.policy.goal = Goal::Mint,
        &|plan| Arc::make_mut(&mut plan.decisions[0].order).amount = Some(usd(5501)),
        &|plan| plan.decisions[0].action = Action::Resume,
        &|plan| plan.gone = vec![OrderId(7)],
        &|plan| plan.paid_links = vec![LinkId::parse("plink_1").unwrap()],
        &|plan| plan.forced = vec![CheckoutReference::classify("plink_1")],
    ];
    let mut digests = vec![digest];
    for change in changes {
        let mut changed = plan.clone();
        change(&mut changed);
        digests.push(changed.digest());
    }
    let all = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), all, "{digests:?}");
}

/// Programs read them from `-o json`.
#[test]
fn every_reason_has_a_code_of_its_own_that_stays() {
    let text = || "x".to_owned();
    let object = || CheckoutReference::classify("plink_1");
    let page = || SessionId::parse("cs_1").unwrap();
    let money = usd(5500);
    let open = open_operation(OpenTask::Replace);
    let count = Reason::LinkCountsMorePayments {
        link: LinkId::parse("plink_1").unwrap(),
        count: 2,
        seen: 1,
    };
    let canceled = Reason::CanceledButPaid {
        refund: vec![money],
        payments: vec![text()],
        open: Vec::new(),
    };
    let twice = Reason::PaidMoreThanOnce {
        refund: vec![money],
        payments: vec![text(), text()],
        recorded: None,
        open: Vec::new(),
    };
    let recovery = Reason::RecoveryUrl {
        session: page(),
        until: None,
    };
    let leaked = Reason::LiveWhileSettled {
        status: OrderStatus::Canceled,
        live: vec![object()],
    };
    let amount = Reason::OtherAmount {
        object: money,
        order: usd(1),
    };
    let currency = Reason::OtherCurrency {
        object: money,
        order: usd(1),
    };
    let dying = Reason::OpenSession {
        session: page(),
        expires_at: Timestamp(NOW),
    };
    let uncharged = |refusal| Reason::AmountNotCharged {
        amount: money,
        refusal,
    };
    let reasons = [
        (Reason::Category(text()), "category"),
        (Reason::NotRead(text()), "not_read"),
        (Reason::ListingUnfinished(text()), "listing_unfinished"),
        (Reason::AmountUnread(object()), "amount_unread"),
        (Reason::OpenOperation(open), "open_operation"),
        (Reason::NoSuchObject(object()), "no_such_object"),
        (Reason::UnknownPrefix(text()), "unknown_prefix"),
        (Reason::NamesOrder(OrderId(7)), "names_other_order"),
        (
            Reason::NamesUnreadableOrder(text()),
            "names_unreadable_order",
        ),
        (canceled, "canceled_but_paid"),
        (twice, "paid_more_than_once"),
        (Reason::PaidSession(page()), "paid_session"),
        (count, "link_counts_more_payments"),
        (Reason::PaymentInFlight(page()), "payment_in_flight"),
        (recovery, "recovery_url"),
        (leaked, "live_while_settled"),
        (Reason::Settled(OrderStatus::Paid), "settled"),
        (Reason::Gap(text()), "gap"),
        (
            Reason::UnknownStatus(OrderStatus::Unknown(text())),
            "unknown_status",
        ),
        (Reason::AmountNotPositive(usd(0)), "amount_not_positive"),
        (uncharged(BelowLeast(usd(50))), "amount_too_small"),
        (uncharged(AboveMost(usd(50))), "amount_too_large"),
        (uncharged(NotMultipleOf(usd(50))), "amount_too_fine"),
        (Reason::ProductInactive(text()), "product_inactive"),
        (Reason::SecondLive(vec![object()]), "second_live"),
        (Reason::LiveOutsideRow(vec![object()]), "live_outside_row"),
        (Reason::NoOwner(object()), "no_owner"),
        (amount, "other_amount"),
        (currency, "other_currency"),
        (dying, "open_session"),
        (
            Reason::OpenSessionsOfInactiveLink(vec![page()]),
            "open_sessions_of_inactive_link",
        ),
        (Reason::WithdrawnByOperator, "withdrawn_by_operator"),
        (Reason::NoObject, "no_object"),
        (Reason::ExpiredSession, "expired_session"),
        (Reason::FailedPayment, "failed_payment"),
        (Reason::InactiveLink, "inactive_link"),
        (Reason::Unconfirmed, "unconfirmed"),
        (Reason::ActiveLink, "active_link"),
        (Reason::UnstoredLink(object()), "unstored_link"),
        (Reason::Recorded(text()), "recorded"),
    ];
    for (reason, code) in &reasons {
        assert_eq!(reason.code(), *code);
    }
}

#[test]
fn what_is_open_is_being_worked_on_or_was_left_so() {
    let mut open = open_operation(OpenTask::Replace);
    let left = Reason::OpenOperation(open.clone()).to_string();
    assert!(
        left.starts_with("an earlier run left this open: minting, run 0197a000"),
        "{left}"
    );
    open.is_held = true;
    let held = Reason::OpenOperation(open).to_string();
    assert!(
        held.starts_with("being worked on: minting, run 0197a000"),
        "{held}"
    );
}

#[test]
fn what_is_to_be_refunded_is_said_with_every_payment() {
    let twice = |recorded: Option<&str>, open: &[&str]| {
        let reason = Reason::PaidMoreThanOnce {
            refund: vec![usd(6000)],
            payments: vec!["pi_1".to_owned(), "pi_2".to_owned()],
            recorded: recorded.map(str::to_owned),
            open: open
                .iter()
                .map(|id| CheckoutReference::classify(id))
                .collect(),
        };
        reason.to_string()
    };
    assert_eq!(
        twice(None, &[]),
        "paid 2 times (pi_1, pi_2): 60.00 USD to refund"
    );
    assert_eq!(
        twice(Some("pi_1"), &["plink_1"]),
        "paid 2 times: 60.00 USD to refund: pi_2 (the row holds pi_1); plink_1 can still be paid"
    );
}
