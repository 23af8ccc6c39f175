//! `retire`: leaked and duplicate objects by selection, single objects by id, and what it refuses.

use serde_json::Value;

use crate::on_each_backend;
use crate::support::world::*;

on_each_backend! {
    async fn a_selection_closes_leaked_and_duplicate_objects_and_nothing_else(world) {
        let paid = world.order(paid(5500).behind(active_link().with(open_session()))).await;
        let canceled = world.order(canceled(5500).behind(open_session().minutes_old(600))).await;
        let twice = world.order(pending(5500).behind(active_link()).and_also(active_link())).await;
        let healthy = world.order(pending(5500).behind(active_link())).await;
        let own = world.row(twice.0).await.reference.unwrap();

        let output = world.relink(&["retire", "--all", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(paid).await, Vec::<String>::new());
        assert_eq!(world.live_objects_of(canceled).await, Vec::<String>::new());
        assert_eq!(world.live_objects_of(twice).await, [own]);
        assert_eq!(world.live_objects_of(healthy).await.len(), 1);

        world.freeze_writes().await;
        let again = world.relink(&["retire", "--all", "--commit", "--yes"]).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert!(again.stdout.contains("would retire nothing"), "{}", again.stdout);
        assert_eq!(world.violations().await, Vec::<Value>::new());
    }
}

on_each_backend! {
    async fn healthy_links_of_pending_orders_go_only_with_pending_and_the_row_keeps_the_id(world) {
        let order = world.order(pending(5500).behind(active_link())).await;
        let before = world.row(order.0).await;
        let output = world.relink(&["retire", "--all", "--pending", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert_eq!(world.row(order.0).await.reference, before.reference);
    }
}

on_each_backend! {
    async fn a_bare_id_is_handled_as_its_order(world) {
        let order = world.order(paid(5500).behind(active_link()).and_also(active_link())).await;
        let live = world.live_objects_of(order).await;
        let output = world.relink(&["retire", &live[0], "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(order).await, [live[1].clone()], "only the named one is closed");
    }
}

on_each_backend! {
    async fn an_open_session_of_a_leaked_link_can_be_named_by_itself(world) {
        let order = world.order(paid(5500).behind(active_link().with(open_session()))).await;
        let link = world.row(order.0).await.reference.unwrap();
        let session = world.open_sessions_of(&link).await.remove(0);
        let output = world.relink(&["retire", &session, "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.object(&session).await["status"], "expired");
        assert_eq!(world.object(&link).await["active"], true);
    }
}

on_each_backend! {
    async fn a_bare_id_of_a_healthy_pending_order_is_refused_and_goes_with_pending(world) {
        let order = world.order(pending(5500).behind(active_link())).await;
        let link = world.row(order.0).await.reference.unwrap();
        let refused = world.relink(&["retire", &link, "--commit", "--yes"]).await;
        assert_eq!(refused.code, Some(6), "{}{}", refused.stdout, refused.stderr);
        assert_eq!(world.writes().await, Vec::<Value>::new());
        let output = world.relink(&["retire", &link, "--pending", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
    }
}

on_each_backend! {
    async fn foreign_unowned_and_out_of_scope_objects_are_refused_without_force(world) {
        let jersey = world.order(paid(5500).of_category("jersey").behind(active_link())).await;
        let unowned = world.order(paid(5500).behind(active_link().unowned())).await;
        let foreign = world.order(paid(5500).behind(active_link().naming(987_654))).await;
        for order in [jersey, unowned, foreign] {
            let link = world.row(order.0).await.reference.unwrap();
            let refused = world.relink(&["retire", &link, "--commit", "--yes"]).await;
            assert_eq!(refused.code, Some(6), "{}{}", refused.stdout, refused.stderr);
            assert_eq!(world.object(&link).await["active"], true);
            let forced = world.relink(&["retire", &link, "--force-object", "--commit", "--yes"]).await;
            assert_eq!(forced.code, Some(0), "{}{}", forced.stdout, forced.stderr);
            assert_eq!(world.object(&link).await["active"], false);
        }
    }
}

on_each_backend! {
    async fn an_id_of_another_kind_is_reported_and_left_alone_and_the_others_go_on(world) {
        let order = world.order(paid(5500).behind(active_link())).await;
        let link = world.row(order.0).await.reference.unwrap();
        let output = world.relink(&["retire", "pi_123", &link, "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("`pi_123` is neither"), "{}", output.stdout);
        assert_eq!(world.object(&link).await["active"], false);
    }
}
