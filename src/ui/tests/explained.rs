//! One order in full, as people read it.

use std::sync::Arc;

use insta::assert_snapshot;

use super::super::explain::{Explanation, text};
use super::*;

pub fn explanation(facts: OrderFacts) -> Explanation {
    let plan = plan_of(vec![facts.clone()], Goal::Regen, &[]);
    Explanation::of(&plan, &facts, &in_the_sandbox).unwrap()
}

/// A link of which two sessions were opened, one of them paid, and a session with a recovery URL beside it.
pub fn tangled() -> OrderFacts {
    let mut own = link("plink_own1", true, 1, 5500);
    let mut open = session("cs_test_open1", SessionState::Open, 1, 5500);
    open.link = Some(own.link.id.clone());
    open.expires_at = Timestamp(NOW + DAY);
    let mut done = session("cs_test_paid1", paid("pi_1", 5500), 1, 5500);
    done.link = Some(own.link.id.clone());
    own.link.completed_count = Some(1);
    own.link.relink_key = Some("0123456789abcdefghij".to_owned());
    own.sessions = Listing::Complete(vec![open, done]);
    let mut copy = session("cs_test_copy1", SessionState::Expired, 1, 5500);
    copy.owner = Owner::Nobody;
    copy.recovered_from = SessionId::parse("cs_test_first1").ok();
    copy.recovery = Some(Recovery {
        expires_at: Some(Timestamp(NOW + 20 * DAY)),
    });
    let mut facts = holding(order(1, "Ann Lee", 5500), StripeObject::Link(own));
    facts.others = Listing::Complete(vec![StripeObject::Session(copy)]);
    facts
}

#[test]
fn an_order_is_shown_with_every_object_found() {
    assert_snapshot!(text(&explanation(tangled()), PLAIN), @"
    order 1
      status        pending
      amount        55.00 USD
      player        Ann Lee (id 101)
      parent        Parent of Ann Lee <p…@example.com>
      product       Utah fee (id 3, category tournament)
      tournaments   Utah Invitational (id 2)
      checkout id   plink_own1
      checkout URL  https://pay.example.com/1
      created       2026-09-12T14:13:20Z

    stripe (account acct_1Utah, test mode, read at 2026-09-21T14:13:20Z)
      payment link plink_own1, in the row
        state       active
        URL         https://buy.stripe.com/test_1
        asks for    55.00 USD
        metadata    names order 1
        completed   1 by its own count
        relink key  0123456789abcdefghij
        sessions    2
        checkout session cs_test_open1, opened from this link
          state     open
          asks for  55.00 USD
          metadata  names order 1
          created   2026-09-19T14:13:20Z
          expires   2026-09-22T14:13:20Z
          link      plink_own1
        checkout session cs_test_paid1, opened from this link
          state     paid, 55.00 USD, pi_1
          asks for  55.00 USD
          metadata  names order 1
          created   2026-09-19T14:13:20Z
          expiry    2026-09-20T14:13:20Z
          link      plink_own1
      checkout session cs_test_copy1, not in the row
        state         expired
        asks for      55.00 USD
        metadata      names no order
        created       2026-09-19T14:13:20Z
        expiry        2026-09-20T14:13:20Z
        recovery URL  can be paid until 2026-10-11T14:13:20Z
        copy of       cs_test_first1

    verdict
      verdict  paid_unrecorded
      reason   cs_test_paid1 is paid, the order is not
      action   held, needs a person: cs_test_paid1 is paid, the order is not

    next
      relink webhook replay --order-id 1 --sandbox
    ");
}

#[test]
fn what_could_not_be_read_is_said() {
    let mut facts = odd_orders().remove(12);
    facts.others = Listing::Unfinished("connection reset".to_owned());
    Arc::make_mut(&mut facts.order).parent = Some(Parent {
        name: "Nell Nomail".to_owned(),
        email: None,
    });
    Arc::make_mut(&mut facts.order).product = None;
    Arc::make_mut(&mut facts.order).tournaments = Vec::new();
    Arc::make_mut(&mut facts.order).gaps = vec!["orders.product_id is NULL".to_owned()];
    assert_snapshot!(text(&explanation(facts), PLAIN), @"
order 13
  status        pending
  amount        55.00 USD
  player        Kai Dark (id 113)
  parent        Nell Nomail (no e-mail address)
  product       none
  tournaments   none
  checkout id   cs_test_a1kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk0013
  checkout URL  https://pay.example.com/13
  created       2026-09-12T14:13:20Z
  gap           orders.product_id is NULL

stripe (account acct_1Utah, test mode, read at 2026-09-21T14:13:20Z)
  cs_test_a1kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk0013 (in the row): could not be read: timeout after 30 s
  the search for other objects did not finish: connection reset

verdict
  verdict  unobserved
  reason   could not be read: timeout after 30 s
  action   held, needs a person: could not be read: timeout after 30 s

next
  relink inspect --order-id 13 --sandbox
");
}
