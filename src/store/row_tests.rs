//! Texts that are none, and texts in another encoding: an order whose row holds them is read like every other, and says
//! what is wrong with it.

use super::super::test_file::{self, fine};
use super::super::{Scope, Selection};
use super::*;
use crate::domain::OrderStatus;

const CLUB: &str = "INSERT INTO tenants VALUES (1, 'club'); \
     INSERT INTO parents (id, tenant_id, name, email) VALUES (1, 1, 'Zoë', 'zoe@example.com'); \
     INSERT INTO players (id, tenant_id, parent_id, name) VALUES (1, 1, 1, 'Jürgen'); \
     INSERT INTO products (id, tenant_id, name, price_cents, category, type, is_active, created_at) \
     VALUES (1, 1, 'Entry', 5500, 'tournament', 'registration', 1, '2026-03-09 21:06:00'); \
     INSERT INTO orders (id, tenant_id, player_id, product_id, status, amount_cents, \
     stripe_checkout_session_id, created_at, updated_at) VALUES \
     (1, 1, 1, 1, 'pending', 5500, 'cs_test_one', '2026-03-09 21:06:00', '2026-03-09 21:06:00'), \
     (2, 1, 1, 1, 'pending', 5500, 'cs_test_two', '2026-03-09 21:06:00', '2026-03-09 21:06:00')";

/// The orders of a file that `before` and `after` its tables made it so.
async fn orders(before: &'static str, after: &'static str) -> (Store, Vec<Order>) {
    let folder = fine(tempfile::tempdir());
    let mut file = test_file::make(folder.path(), before).await;
    for sql in [CLUB, after] {
        fine(sqlx::raw_sql(sql).execute(&mut file).await);
    }
    let store = test_file::open(folder.path()).await;
    let all = Selection {
        scope: Scope::All,
        exclude: Vec::new(),
    };
    let orders = fine(store.select_orders(&all, Currency::USD).await);
    (store, orders)
}

#[tokio::test]
async fn a_text_that_is_none_is_a_gap_of_its_order_alone() {
    let broken = "UPDATE orders SET stripe_checkout_session_id = CAST(x'63735f746573745fff' AS TEXT), \
         status = CAST(x'70656e64696e67ff' AS TEXT) WHERE id = 2";
    let (store, orders) = orders("", broken).await;
    assert_eq!(orders[0].gaps, [""; 0]);
    assert_eq!(
        orders[1].gaps,
        [
            "orders.status is `pending\u{fffd}`, which is not a text in UTF-8",
            "orders.stripe_checkout_session_id is `cs_test_\u{fffd}`, which is not a text in UTF-8",
        ]
    );
    assert!(matches!(orders[1].status, OrderStatus::Unknown(_)));
    assert!(matches!(
        orders[1].reference,
        Some(CheckoutReference::Other(_))
    ));
    let witnesses = fine(store.witness_references(9).await);
    assert_eq!(witnesses, [CheckoutReference::classify("cs_test_one")]);
}

#[tokio::test]
async fn a_file_of_another_encoding_is_read_as_what_it_says() {
    for encoding in ["PRAGMA encoding = 'UTF-16le'", "PRAGMA encoding = 'UTF-8'"] {
        let (_, orders) = orders(encoding, "").await;
        let order = &orders[1];
        assert_eq!(order.gaps, [""; 0], "{encoding}");
        let names = (
            order.player.as_ref().map(|player| player.name.as_str()),
            order.parent.as_ref().map(|parent| parent.name.as_str()),
        );
        assert_eq!(names, (Some("Jürgen"), Some("Zoë")), "{encoding}");
        assert_eq!(order.amount, Some(Money::new(5500, Currency::USD)));
    }
}
