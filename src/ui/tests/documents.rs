//! The documents as programs read them.

use insta::assert_snapshot;

use super::super::json::{ErrorDocument, PlanDocument, ReportDocument, render};
use super::*;
use crate::exit::{ExitStatus, Failure};

#[test]
fn a_plan_is_one_document() {
    let orders = odd_orders()
        .into_iter()
        .filter(|facts| [1, 4, 16].contains(&facts.order.id.0));
    let plan = plan_of(orders.collect(), Goal::Regen, &[]);
    assert_snapshot!(render(&PlanDocument::new(&plan, None, &next(), &in_the_sandbox)).unwrap(), @r#"
    {
      "schema": "relink.plan/1",
      "mode": "test",
      "account": "acct_1Utah",
      "taken_at": "2026-09-21T14:13:20Z",
      "digest": null,
      "goal": "regen",
      "policy": {
        "scope": [
          "tournament"
        ],
        "min_age_seconds": 1800,
        "releases": [],
        "named_orders": [],
        "named_objects": []
      },
      "orders": [
        {
          "order_id": 1,
          "status": "pending",
          "player": {
            "id": 101,
            "name": "Ann Lee"
          },
          "parent": {
            "name": "Parent of Ann Lee",
            "email": "parent@example.com"
          },
          "tournaments": [
            {
              "id": 2,
              "name": "Utah Invitational"
            }
          ],
          "amount": {
            "minor": 5500,
            "currency": "usd"
          },
          "reference": "cs_test_a1kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk0001",
          "url": "https://pay.example.com/1",
          "state": "session_expired",
          "verdict": "dead",
          "reason": {
            "code": "expired_session",
            "text": "session expired"
          },
          "released": [],
          "action": {
            "kind": "replace",
            "objects": [],
            "needs_person": false,
            "release_flag": null
          },
          "advice": "relink regen --order-id 1 --sandbox"
        },
        {
          "order_id": 4,
          "status": "pending",
          "player": {
            "id": 104,
            "name": "Di Wrong"
          },
          "parent": {
            "name": "Parent of Di Wrong",
            "email": "parent@example.com"
          },
          "tournaments": [
            {
              "id": 2,
              "name": "Utah Invitational"
            }
          ],
          "amount": {
            "minor": 5500,
            "currency": "usd"
          },
          "reference": "plink_wrong4",
          "url": "https://pay.example.com/4",
          "state": "link_active",
          "verdict": "wrong",
          "reason": {
            "code": "other_amount",
            "text": "asks 50.00 USD, the order says 55.00 USD"
          },
          "released": [],
          "action": {
            "kind": "hold",
            "objects": [],
            "needs_person": true,
            "release_flag": "--allow-amount-change"
          },
          "advice": "relink regen --order-id 4 --allow-amount-change --sandbox"
        },
        {
          "order_id": 16,
          "status": "pending",
          "player": null,
          "parent": {
            "name": "Parent of ",
            "email": "parent@example.com"
          },
          "tournaments": [
            {
              "id": 2,
              "name": "Utah Invitational"
            }
          ],
          "amount": null,
          "reference": null,
          "url": null,
          "state": "none",
          "verdict": "invalid_order",
          "reason": {
            "code": "gap",
            "text": "orders.amount_cents is NULL"
          },
          "released": [],
          "action": {
            "kind": "hold",
            "objects": [],
            "needs_person": true,
            "release_flag": null
          },
          "advice": "correct the row of order 16, then `relink inspect --order-id 16 --sandbox`"
        }
      ],
      "gone_orders": [],
      "paid_links": [],
      "forced_objects": [],
      "left_alone": [],
      "passed_over": [],
      "totals": [
        {
          "minor": 5500,
          "currency": "usd"
        }
      ],
      "resume_totals": [],
      "counts": {
        "orders": 3,
        "verdicts": {
          "invalid_order": 1,
          "wrong": 1,
          "dead": 1
        },
        "replace": 1,
        "retire": 0,
        "resume": 0,
        "wait": 0,
        "need_person": 2,
        "objects": 0
      },
      "next": {
        "command": "relink regen --tournament-id 2 --sandbox --commit",
        "note": null
      }
    }
    "#);
}

#[test]
fn a_report_is_one_document() {
    let mut report = super::reported::every_ending();
    report.outcomes.retain(|outcome| {
        let code = super::super::report::outcome_code(outcome);
        ["replaced", "not_begun"].contains(&code)
    });
    report.plan = plan_of(odd_orders().split_off(15), Goal::Regen, &[]);
    assert_snapshot!(render(&ReportDocument::new(&report, &str::to_owned)).unwrap(), @r#"
    {
      "schema": "relink.report/1",
      "mode": "test",
      "account": "acct_1Utah",
      "goal": "regen",
      "run": "0197a000-0000-7000-8000-000000000001",
      "plan_digest": "945f-e9aa",
      "outcomes": [
        {
          "order_id": 1,
          "player": {
            "id": 101,
            "name": "Ann Lee"
          },
          "parent": {
            "name": "Parent of Ann Lee",
            "email": "parent@example.com"
          },
          "amount": {
            "minor": 5500,
            "currency": "usd"
          },
          "old": "cs_test_a1kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk0001",
          "retired": [],
          "outcome": "replaced",
          "link": {
            "id": "plink_new1",
            "url": "https://buy.stripe.com/test_new1"
          },
          "detail": "https://buy.stripe.com/test_new1 (plink_new1)"
        },
        {
          "order_id": 2,
          "player": {
            "id": 102,
            "name": "Ben Ito"
          },
          "parent": {
            "name": "Parent of Ben Ito",
            "email": "parent@example.com"
          },
          "amount": {
            "minor": 6500,
            "currency": "usd"
          },
          "old": "cs_test_a1kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk0002",
          "retired": [
            "plink_old2"
          ],
          "outcome": "replaced",
          "link": {
            "id": "plink_new2",
            "url": "https://buy.stripe.com/test_new2"
          },
          "detail": "https://buy.stripe.com/test_new2 (plink_new2); the last look at the old objects failed: timeout after 30 s"
        },
        {
          "order_id": 10,
          "player": {
            "id": 110,
            "name": "Jo Later"
          },
          "parent": {
            "name": "Parent of Jo Later",
            "email": "parent@example.com"
          },
          "amount": {
            "minor": 5500,
            "currency": "usd"
          },
          "old": null,
          "retired": [],
          "outcome": "not_begun",
          "link": null,
          "detail": ""
        }
      ],
      "passed_over": [
        {
          "order_id": 88,
          "object": null,
          "player": "Moe Vedd",
          "amount": {
            "minor": 5500,
            "currency": "usd"
          },
          "verdict": "dead",
          "stands": "stale",
          "moved": [
            {
              "fact": "amount",
              "was": "55.00 USD",
              "is": "65.00 USD"
            }
          ],
          "moved_text": "amount was 55.00 USD, is 65.00 USD"
        }
      ],
      "needs_person": [
        {
          "order_id": 16,
          "player": null,
          "amount": null,
          "verdict": "invalid_order",
          "reason": {
            "code": "gap",
            "text": "orders.amount_cents is NULL"
          }
        }
      ],
      "summary": {
        "approved": 4,
        "done": 1,
        "failed": 0,
        "unknown": 1,
        "interrupted": 0,
        "not_begun": 1,
        "passed_over": 1,
        "held_elsewhere": 0,
        "moot": 0,
        "needs_person": 1,
        "links_minted": 2,
        "totals": [
          {
            "minor": 12000,
            "currency": "usd"
          }
        ],
        "objects_closed": 1,
        "parents_to_tell": 1,
        "orders_without_address": 0
      },
      "reads": 41,
      "writes": 1,
      "stopped": "interrupted (SIGINT)",
      "exit_code": 130,
      "statuses": [
        "interrupted",
        "unavailable",
        "partial"
      ],
      "mailing_command": "relink journal show 0197a000-0000-7000-8000-000000000001 --csv-out blast.csv",
      "next": {
        "command": null,
        "note": "run the same command again: it is safe"
      }
    }
    "#);
}

#[test]
fn a_failure_is_one_document() {
    let failure = Failure {
        code: "unknown_order",
        message: "no order 99".to_owned(),
        hint: String::new(),
        request_id: None,
        status: ExitStatus::Usage,
    };
    assert_snapshot!(render(&ErrorDocument::new(&failure)).unwrap(), @r#"
{
  "schema": "relink.error/1",
  "error": {
    "code": "unknown_order",
    "message": "no order 99",
    "hint": null,
    "stripe_request_id": null
  },
  "exit_code": 2
}
"#);
}
