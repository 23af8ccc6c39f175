//! The sample as the store reads it: the right orders per tournament, each once, with nothing missing.

use relink::domain::{CheckoutReference, Currency, Order, OrderStatus, TournamentId};
use relink::store::{Access, Scope, Selection, Store};

use crate::support::world::World;

async fn orders_of(world: &World, tournament: i64) -> Vec<Order> {
    let url = world.database_url().into();
    let store = Store::connect(&url, Access::ReadOnly).await.unwrap();
    let selection = Selection {
        scope: Scope::Tournament(TournamentId(tournament)),
        exclude: Vec::new(),
    };
    let orders = store
        .select_orders(&selection, Currency::USD)
        .await
        .unwrap();
    store.close().await;
    orders
}

crate::on_each_backend! {
    async fn every_tournament_has_its_orders_each_once_and_whole(world) {
        world.load_sample().await;
        for (tournament, expected) in [(1, 101..=108), (2, 201..=223), (3, 301..=342)] {
            let orders = orders_of(&world, tournament).await;
            let ids: Vec<i64> = orders.iter().map(|order| order.id.0).collect();
            assert_eq!(ids, expected.collect::<Vec<_>>());
            for order in &orders {
                assert_eq!(order.gaps, Vec::<String>::new(), "order {}", order.id);
                assert!(order.created_at.is_some(), "order {}", order.id);
                let tournaments: Vec<i64> = order.tournaments.iter().map(|t| t.id.0).collect();
                assert_eq!(tournaments, [tournament], "order {}", order.id);
            }
        }
    }
}

crate::on_each_backend! {
    async fn the_odd_rows_are_read_as_they_stand(world) {
        world.load_sample().await;
        let orders = orders_of(&world, 3).await;
        let order = |id: i64| orders.iter().find(|order| order.id.0 == id).unwrap();
        assert_eq!(order(320).reference, None);
        assert_eq!(order(321).reference, Some(CheckoutReference::Other("in_odd321".to_owned())));
        assert_eq!(order(331).product.as_ref().unwrap().category, "jersey");
        assert_eq!(order(333).status, OrderStatus::Refunded);
        assert_eq!(order(334).amount.unwrap().minor, 0);
        assert!(!order(335).product.as_ref().unwrap().is_active);
        assert_eq!(order(336).parent.as_ref().unwrap().email, None);
        assert!(order(337).player.as_ref().unwrap().name.contains('\u{1b}'));
    }
}
