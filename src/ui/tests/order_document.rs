//! One order in full, as programs read it.

use insta::assert_snapshot;

use super::super::json::{OrderDocument, render};

#[test]
fn an_order_is_one_document() {
    let explanation = super::explained::explanation(super::explained::tangled());
    assert_snapshot!(render(&OrderDocument::new(&explanation)).unwrap(), @r#"
    {
      "schema": "relink.order/1",
      "mode": "test",
      "account": "acct_1Utah",
      "taken_at": "2026-09-21T14:13:20Z",
      "order": {
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
        "reference": "plink_own1",
        "url": "https://pay.example.com/1",
        "payment_intent": null,
        "payment_returned": 0,
        "created_at": "2026-09-12T14:13:20Z",
        "product": {
          "id": 3,
          "name": "Utah fee",
          "category": "tournament",
          "is_active": true
        },
        "gaps": []
      },
      "stripe": {
        "stored": {
          "found": "seen",
          "id": "plink_own1",
          "why": null,
          "object": {
            "kind": "payment_link",
            "id": "plink_own1",
            "active": true,
            "url": "https://buy.stripe.com/test_1",
            "owner": {
              "order_id": 1,
              "unreadable": null
            },
            "amount": {
              "minor": 5500,
              "currency": "usd"
            },
            "completed_count": 1,
            "relink_key": "0123456789abcdefghij",
            "sessions": {
              "unfinished": null,
              "items": [
                {
                  "id": "cs_test_open1",
                  "state": "open",
                  "unknown_status": null,
                  "owner": {
                    "order_id": 1,
                    "unreadable": null
                  },
                  "amount": {
                    "minor": 5500,
                    "currency": "usd"
                  },
                  "created": "2026-09-19T14:13:20Z",
                  "expires_at": "2026-09-22T14:13:20Z",
                  "payment_link": "plink_own1",
                  "payment": null,
                  "recovery": null,
                  "recovered_from": null
                },
                {
                  "id": "cs_test_paid1",
                  "state": "paid",
                  "unknown_status": null,
                  "owner": {
                    "order_id": 1,
                    "unreadable": null
                  },
                  "amount": {
                    "minor": 5500,
                    "currency": "usd"
                  },
                  "created": "2026-09-19T14:13:20Z",
                  "expires_at": "2026-09-20T14:13:20Z",
                  "payment_link": "plink_own1",
                  "payment": {
                    "intent": "pi_1",
                    "amount": {
                      "minor": 5500,
                      "currency": "usd"
                    },
                    "returned": 0
                  },
                  "recovery": null,
                  "recovered_from": null
                }
              ]
            }
          }
        },
        "others": {
          "unfinished": null,
          "items": [
            {
              "kind": "checkout_session",
              "id": "cs_test_copy1",
              "state": "expired",
              "unknown_status": null,
              "owner": {
                "order_id": null,
                "unreadable": null
              },
              "amount": {
                "minor": 5500,
                "currency": "usd"
              },
              "created": "2026-09-19T14:13:20Z",
              "expires_at": "2026-09-20T14:13:20Z",
              "payment_link": null,
              "payment": null,
              "recovery": {
                "expires_at": "2026-10-11T14:13:20Z"
              },
              "recovered_from": "cs_test_first1"
            }
          ]
        }
      },
      "journal": {
        "in_doubt": null,
        "unstored": [],
        "withdrawn": false
      },
      "state": "link_active",
      "verdict": "paid_unrecorded",
      "reason": {
        "code": "paid_session",
        "text": "cs_test_paid1 is paid, the order is not"
      },
      "released": [],
      "action": {
        "kind": "hold",
        "objects": [],
        "needs_person": true,
        "release_flag": null
      },
      "advice": "relink webhook replay --order-id 1 --sandbox",
      "next": {
        "command": "relink webhook replay --order-id 1 --sandbox",
        "note": null
      }
    }
    "#);
}
