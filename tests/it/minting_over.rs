//! `mint --over-foreign`: a new link for an order whose row names an object of another order, which is left alone.

use crate::on_each_backend;
use crate::support::world::*;

on_each_backend! {
    async fn a_row_that_names_another_orders_link_gets_one_of_its_own_and_that_link_stays(world) {
        let owner = world.order(pending(5500).behind(active_link())).await;
        let theirs = world.row(owner.0).await.reference.unwrap();
        let order = world.order(pending(7000).behind(active_link().naming(owner))).await;
        let foreign = world.row(order.0).await.reference.unwrap();
        let id = order.to_string();
        let held = world.relink(&["mint", "--order-id", &id, "--commit", "--yes"]).await;
        assert_eq!(held.code, Some(3), "{}{}", held.stdout, held.stderr);
        let unnamed = world.relink(&["mint", "--all", "--over-foreign"]).await;
        assert_eq!(unnamed.code, Some(2), "{}", unnamed.stderr);

        let minted = world.relink(&["mint", "--order-id", &id, "--over-foreign", "--commit", "--yes"]).await;
        assert_eq!(minted.code, Some(0), "{}{}", minted.stdout, minted.stderr);
        assert!(minted.stdout.contains("--over-foreign"), "{}", minted.stdout);
        let own = world.row(order.0).await.reference.unwrap();
        assert_eq!(world.live_objects_of(order).await, [own]);
        assert_eq!(world.object(&foreign).await["active"], true);
        assert_eq!(world.object(&theirs).await["active"], true);
        let again = world.relink(&["mint", "--order-id", &id, "--over-foreign", "--commit", "--yes"]).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert!(again.stdout.contains("healthy"), "{}", again.stdout);
    }
}

on_each_backend! {
    async fn a_payment_of_its_own_still_keeps_a_new_link_from_being_minted(world) {
        let owner = world.order(pending(5500).behind(active_link())).await;
        let order = world.order(pending(7000).behind(active_link().naming(owner))).await;
        let paid = world.order(pending(7000).behind(paid_session().naming(order))).await;
        world.rows.set(paid.0, "stripe_checkout_session_id", "NULL").await;
        let id = order.to_string();
        let held = world.relink(&["mint", "--order-id", &id, "--over-foreign", "--commit", "--yes"]).await;
        assert_eq!(held.code, Some(3), "{}{}", held.stdout, held.stderr);
        assert!(held.stdout.contains("paid_unrecorded"), "{}", held.stdout);
    }
}
