//! What an operator closed on purpose stays closed until somebody asks for a new link by the order's own id.

use crate::on_each_backend;
use crate::support::world::*;

on_each_backend! {
    async fn a_withdrawn_order_is_held_by_regen_and_mint_and_reopened_by_mint_with_its_id(world) {
        let order = world.order(pending(5500).behind(active_link())).await;
        let link = world.row(order.0).await.reference.unwrap();
        let id = order.to_string();
        let retired = world.relink(&["retire", "--order-id", &id, "--pending", "--commit", "--yes"]).await;
        assert_eq!(retired.code, Some(0), "{}{}", retired.stdout, retired.stderr);
        assert!(world.live_objects_of(order).await.is_empty());
        assert_eq!(world.row(order.0).await.reference.as_deref(), Some(link.as_str()));
        assert_eq!(world.verdict(order).await, "withdrawn");

        for command in [
            &["regen", "--all", "--commit", "--yes"][..],
            &["regen", "--order-id", &id, "--commit", "--yes"],
            &["mint", "--all", "--commit", "--yes"],
        ] {
            let output = world.relink(command).await;
            assert_eq!(output.code, Some(0), "{command:?}: {}{}", output.stdout, output.stderr);
            assert!(world.live_objects_of(order).await.is_empty(), "{command:?}");
        }

        let minted = world.relink(&["mint", "--order-id", &id, "--commit", "--yes"]).await;
        assert_eq!(minted.code, Some(0), "{}{}", minted.stdout, minted.stderr);
        assert_eq!(world.live_objects_of(order).await, [world.row(order.0).await.reference.unwrap()]);
        assert_eq!(world.verdict(order).await, "healthy");
    }
}

on_each_backend! {
    async fn who_needs_a_person_is_named_before_an_order_that_only_waits(world) {
        let withdrawn = world.order(pending(5500).behind(active_link())).await;
        let id = withdrawn.to_string();
        world.relink(&["retire", "--order-id", &id, "--pending", "--commit", "--yes"]).await;
        let waiting = world.relink(&["inspect", "--all"]).await.stdout;
        assert!(waiting.ends_with(&format!("next: relink inspect --order-id {withdrawn}\n")), "{waiting}");
        let paid = world.order(pending(5500).behind(paid_session())).await;
        let both = world.relink(&["inspect", "--all"]).await.stdout;
        assert!(both.ends_with(&format!("next: relink inspect --order-id {paid}\n")), "{both}");
        // One order that a regen would do does not hide two that it would not.
        world.order(pending(5500).behind(expired_session())).await;
        let mostly_done = world.relink(&["inspect", "--all"]).await.stdout;
        assert!(mostly_done.contains("next: relink regen --all"), "{mostly_done}");
        world.order(pending(5500).behind(paid_session())).await;
        let mostly_held = world.relink(&["inspect", "--all"]).await.stdout;
        assert!(mostly_held.ends_with(&format!("next: relink inspect --order-id {paid}\n")), "{mostly_held}");
    }
}

on_each_backend! {
    /// The application gave the order something new to pay: that dies like anything else.
    async fn an_order_that_the_application_gave_another_session_is_not_withdrawn_any_more(world) {
        let order = world.order(pending(5500).behind(active_link())).await;
        let id = order.to_string();
        world.relink(&["retire", "--order-id", &id, "--pending", "--commit", "--yes"]).await;
        let other = world.order(pending(5500).behind(expired_session().naming(order))).await;
        let session = world.row(other.0).await.reference.unwrap();
        world.rows.set(other.0, "stripe_checkout_session_id", "NULL").await;
        world.rows.set(order.0, "stripe_checkout_session_id", &format!("'{session}'")).await;
        assert_eq!(world.verdict(order).await, "dead");
    }
}

on_each_backend! {
    /// `retire` without `--pending` closes what should not be there: that is no withdrawal.
    async fn closing_a_second_link_withdraws_nothing(world) {
        let order = world.order(pending(5500).behind(active_link()).and_also(active_link())).await;
        let output = world.relink(&["retire", "--all", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.verdict(order).await, "healthy");
    }
}

on_each_backend! {
    /// A link that turned up late: of a run that died, or of somebody else's making.
    async fn what_turns_up_for_a_withdrawn_order_is_closed_and_the_order_stays_withdrawn(world) {
        let order = world.order(pending(5500).behind(active_link())).await;
        let id = order.to_string();
        world.relink(&["retire", "--order-id", &id, "--pending", "--commit", "--yes"]).await;
        for command in [&["regen", "--all", "--commit", "--yes"][..], &["retire", "--all", "--commit", "--yes"]] {
            let stray = world.order(pending(5500).behind(active_link().naming(order))).await;
            world.rows.set(stray.0, "stripe_checkout_session_id", "NULL").await;
            world.rows.set(stray.0, "status", "'canceled'").await;
            assert_eq!(world.live_objects_of(order).await.len(), 1);
            let output = world.relink(command).await;
            assert_eq!(output.code, Some(0), "{command:?}: {}{}", output.stdout, output.stderr);
            assert_eq!(world.live_objects_of(order).await, Vec::<String>::new(), "{command:?}");
            assert_eq!(world.verdict(order).await, "withdrawn", "{command:?}");
            world.relink(&["regen", "--all", "--commit", "--yes"]).await;
            assert_eq!(world.live_objects_of(order).await, Vec::<String>::new(), "{command:?}");
        }
    }
}
