//! Reading orders: who is selected, what is read, and how a row that is not as it should be is told.

use relink::domain::{
    CheckoutReference, Currency, Money, Order, OrderId, OrderStatus, Timestamp, TournamentId,
};
use relink::store::{Access, OrderPages, Scope, Selection, Store, StoreError};

use crate::store_world::{World, ids, on_each_database, order_ids, select};

on_each_database!(World:
    a_tournament_selects_the_orders_of_its_products_each_once,
    a_tournament_that_sells_nothing_selects_nothing,
    an_unknown_tournament_is_an_error,
    pages_of_any_size_hold_what_is_selected,
    named_orders_are_selected_by_id_and_sorted,
    every_unknown_order_is_named,
    a_long_list_of_ids_is_read_in_one_go,
    everything_is_selected_but_what_is_excluded,
    an_order_is_read_with_all_it_points_to,
    an_order_without_a_reference_is_read,
    one_order_is_found_by_id_or_not_at_all,
    orders_are_found_by_their_reference,
    witnesses_are_the_newest_sessions_and_links,
    a_reader_role_is_enough,
);

mod lax {
    use super::{
        a_dangling_key_is_a_gap, a_view_with_doubled_rows_doubles_no_order,
        an_unknown_status_is_kept_as_it_is, nulls_where_none_belong_are_gaps, strange_texts,
    };
    crate::store_world::on_each_database!(LaxWorld:
        a_view_with_doubled_rows_doubles_no_order, nulls_where_none_belong_are_gaps, a_dangling_key_is_a_gap, an_unknown_status_is_kept_as_it_is, strange_texts,
    );
}

async fn a_tournament_selects_the_orders_of_its_products_each_once(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let spring = select(&store, Scope::Tournament(TournamentId(1))).await;
    assert_eq!(ids(&spring), [1, 2], "two teams share the product");
    let summer = select(&store, Scope::Tournament(TournamentId(2))).await;
    assert_eq!(ids(&summer), [1, 2, 3, 4]);
    let both: Vec<i64> = summer[0].tournaments.iter().map(|t| t.id.0).collect();
    assert_eq!(
        both,
        [1, 2],
        "every tournament that sells the product, each once"
    );
    assert_eq!(summer[2].tournaments.len(), 1);
}

async fn a_tournament_that_sells_nothing_selects_nothing(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let orders = select(&store, Scope::Tournament(TournamentId(3))).await;
    assert_eq!(ids(&orders), [0_i64; 0]);
}

async fn all_pages(store: &Store, selection: &Selection, size: u32) -> Vec<Order> {
    let pages = OrderPages::of(selection, size).unwrap();
    let (mut all, mut above) = (Vec::new(), None);
    loop {
        let page = store
            .order_page(&pages, above, Currency::USD)
            .await
            .unwrap();
        assert!(page.orders.len() <= size as usize);
        all.extend(page.orders);
        match page.next {
            None => return all,
            next => above = next,
        }
    }
}

async fn pages_of_any_size_hold_what_is_selected(world: World) {
    let store = world.open(Access::ReadOnly).await;
    for scope in [
        Scope::All,
        Scope::Tournament(TournamentId(1)),
        Scope::Tournament(TournamentId(2)),
        Scope::Tournament(TournamentId(3)),
    ] {
        for exclude in [&[][..], &[2], &[1, 5]] {
            let selection = Selection {
                scope: scope.clone(),
                exclude: order_ids(exclude),
            };
            let whole = store
                .select_orders(&selection, Currency::USD)
                .await
                .unwrap();
            for size in 1..=6 {
                let paged = all_pages(&store, &selection, size).await;
                assert_eq!(paged, whole, "{selection:?} by {size}");
            }
        }
    }
    let named = Selection {
        scope: Scope::Orders(order_ids(&[1])),
        exclude: Vec::new(),
    };
    assert!(OrderPages::of(&named, 1).is_none(), "those are few");
    let unknown = Selection {
        scope: Scope::Tournament(TournamentId(3_000_000_000)),
        exclude: Vec::new(),
    };
    let pages = OrderPages::of(&unknown, 1).unwrap();
    let told = store
        .order_page(&pages, None, Currency::USD)
        .await
        .unwrap_err();
    assert!(
        matches!(told, StoreError::UnknownTournament { .. }),
        "{told}"
    );
}

async fn an_unknown_tournament_is_an_error(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let selection = Selection {
        scope: Scope::Tournament(TournamentId(3_000_000_000)),
        exclude: Vec::new(),
    };
    let error = store
        .select_orders(&selection, Currency::USD)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::UnknownTournament {
                id: TournamentId(3_000_000_000),
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("no tournament 3000000000"),
        "{error}"
    );
}

async fn named_orders_are_selected_by_id_and_sorted(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let orders = select(&store, Scope::Orders(order_ids(&[5, 1, 5]))).await;
    assert_eq!(ids(&orders), [1, 5]);
    let none = select(&store, Scope::Orders(Vec::new())).await;
    assert_eq!(ids(&none), [0_i64; 0]);
}

async fn every_unknown_order_is_named(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let selection = Selection {
        scope: Scope::Orders(order_ids(&[77, 1, -3, 77])),
        exclude: order_ids(&[99]),
    };
    let error = store
        .select_orders(&selection, Currency::USD)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::UnknownOrders { ids: unknown, .. } if *unknown == order_ids(&[-3, 77])),
        "{error}"
    );
}

/// More than either database takes as parameters of one statement.
async fn a_long_list_of_ids_is_read_in_one_go(world: World) {
    let named: Vec<i64> = (1..=70_000).collect();
    let store = world.open(Access::ReadOnly).await;
    let selection = Selection {
        scope: Scope::Orders(order_ids(&named)),
        exclude: Vec::new(),
    };
    let error = store
        .select_orders(&selection, Currency::USD)
        .await
        .unwrap_err();
    let StoreError::UnknownOrders { ids: unknown, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*unknown, order_ids(&named[5..]));
    assert!(error.to_string().ends_with("25 and 69975 more"), "{error}");
}

async fn everything_is_selected_but_what_is_excluded(world: World) {
    let store = world.open(Access::ReadOnly).await;
    assert_eq!(ids(&select(&store, Scope::All).await), [1, 2, 3, 4, 5]);
    let selection = Selection {
        scope: Scope::All,
        exclude: order_ids(&[2, 99]),
    };
    let orders = store
        .select_orders(&selection, Currency::USD)
        .await
        .unwrap();
    assert_eq!(ids(&orders), [1, 3, 4, 5]);
}

async fn an_order_is_read_with_all_it_points_to(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let orders = select(&store, Scope::All).await;
    insta::allow_duplicates! { insta::assert_debug_snapshot!(orders[0], @r#"
    Order {
        id: OrderId(
            1,
        ),
        status: Pending,
        amount: Some(
            Money {
                minor: 5500,
                currency: Currency(usd),
            },
        ),
        reference: Some(
            Session(
                SessionId(
                    "cs_test_one",
                ),
            ),
        ),
        url: Some(
            "https://checkout.example.com/one",
        ),
        payment_intent: None,
        created_at: Some(
            Timestamp(
                1767323045,
            ),
        ),
        player: Some(
            Player {
                id: 1,
                name: "Cy Moor",
            },
        ),
        parent: Some(
            Parent {
                name: "Ada Moor",
                email: Some(
                    "ada@example.com",
                ),
            },
        ),
        product: Some(
            Product {
                id: 1,
                name: "Fee",
                category: "tournament",
                is_active: true,
            },
        ),
        tournaments: [
            Tournament {
                id: TournamentId(
                    1,
                ),
                name: "Spring",
            },
            Tournament {
                id: TournamentId(
                    2,
                ),
                name: "Summer",
            },
        ],
        gaps: [],
    }
    "#) };
    let paid = &orders[1];
    assert_eq!(paid.status, OrderStatus::Paid);
    assert_eq!(paid.payment_intent.as_ref().unwrap().as_str(), "pi_two");
    assert!(matches!(paid.reference, Some(CheckoutReference::Link(_))));
    assert_eq!(
        paid.parent.as_ref().unwrap().email,
        None,
        "a blank address is none"
    );
    let jersey = &orders[4];
    assert_eq!(jersey.product.as_ref().unwrap().category, "jersey");
    assert_eq!(
        jersey.reference,
        Some(CheckoutReference::Other("in_five".to_owned()))
    );
    assert_eq!(
        jersey.payment_intent, None,
        "`ch_five` is no payment intent"
    );
    assert!(orders.iter().all(|order| order.gaps.is_empty()));
}

async fn an_order_without_a_reference_is_read(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let orders = select(&store, Scope::Orders(order_ids(&[3, 4]))).await;
    assert_eq!(orders[0].reference, None);
    assert!(!orders[0].product.as_ref().unwrap().is_active);
    assert_eq!(orders[1].reference, None, "the empty text is no reference");
    assert_eq!(orders[1].url, None);
    assert_eq!(orders[1].amount, Some(Money::new(0, Currency::USD)));
    assert_eq!(orders[1].created_at, Some(Timestamp(1_767_323_048)));
}

async fn one_order_is_found_by_id_or_not_at_all(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let yen = Currency::parse("jpy").unwrap();
    let order = store.order(OrderId(2), yen).await.unwrap().unwrap();
    assert_eq!(order.amount, Some(Money::new(5500, yen)));
    assert_eq!(order.tournaments.len(), 2);
    assert_eq!(store.order(OrderId(i64::MAX), yen).await.unwrap(), None);
}

async fn orders_are_found_by_their_reference(world: World) {
    world
        .run("UPDATE orders SET stripe_checkout_session_id = 'plink_two' WHERE id = 5")
        .await;
    let store = world.open(Access::ReadOnly).await;
    let found = store
        .orders_by_reference("plink_two", Currency::USD)
        .await
        .unwrap();
    assert_eq!(ids(&found), [2, 5]);
    let none = store
        .orders_by_reference("plink_' OR '1'='1", Currency::USD)
        .await
        .unwrap();
    assert_eq!(ids(&none), [0_i64; 0]);
}

async fn witnesses_are_the_newest_sessions_and_links(world: World) {
    world
        .run("UPDATE orders SET stripe_checkout_session_id = 'CS_TEST_ODD' WHERE id = 3")
        .await;
    world
        .run("UPDATE orders SET stripe_checkout_session_id = 'plink_two' WHERE id = 4")
        .await;
    let store = world.open(Access::ReadOnly).await;
    let names = |found: Vec<CheckoutReference>| -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    };
    let all = names(store.witness_references(10).await.unwrap());
    assert_eq!(all, ["plink_two", "cs_test_one"]);
    assert_eq!(
        names(store.witness_references(1).await.unwrap()),
        ["plink_two"]
    );
}

async fn a_reader_role_is_enough(world: World) {
    let store = crate::store_world::open(world.readonly_url(), Access::ReadOnly)
        .await
        .unwrap();
    assert_eq!(ids(&select(&store, Scope::All).await).len(), 5);
    store.witness_references(3).await.unwrap();
    store.close().await;
}

async fn nulls_where_none_belong_are_gaps(world: World) {
    world
        .run(
            "UPDATE orders SET status = NULL, amount_cents = NULL, created_at = NULL WHERE id = 1; \
             UPDATE orders SET player_id = NULL, product_id = NULL WHERE id = 2; \
             UPDATE players SET parent_id = NULL, name = NULL WHERE id = 2; \
             UPDATE parents SET name = NULL, email = NULL WHERE id = 1; \
             UPDATE products SET name = NULL, category = NULL, is_active = NULL WHERE id = 2; \
             UPDATE tournaments SET name = NULL",
        )
        .await;
    let store = world.open(Access::ReadOnly).await;
    let orders = select(&store, Scope::All).await;
    assert_eq!(ids(&orders), [1, 2, 3, 4, 5], "no order is dropped");
    assert_eq!(orders[0].status, OrderStatus::Unknown("NULL".to_owned()));
    assert_eq!(orders[0].parent.as_ref().unwrap().email, None);
    let gaps: Vec<&[String]> = orders.iter().map(|order| order.gaps.as_slice()).collect();
    insta::allow_duplicates! { insta::assert_debug_snapshot!(gaps, @r#"
    [
        [
            "orders.status is NULL",
            "orders.amount_cents is NULL",
            "orders.created_at is NULL",
            "parents.name is NULL",
        ],
        [
            "orders.player_id is NULL",
            "orders.product_id is NULL",
        ],
        [
            "players.name is NULL",
            "players.parent_id is NULL",
            "products.name is NULL",
            "products.category is NULL",
            "products.is_active is NULL",
        ],
        [
            "parents.name is NULL",
            "products.name is NULL",
            "products.category is NULL",
            "products.is_active is NULL",
        ],
        [
            "parents.name is NULL",
        ],
    ]
    "#) };
}

async fn a_view_with_doubled_rows_doubles_no_order(world: World) {
    world.run("ALTER TABLE parents RENAME TO people").await;
    world
        .run("CREATE VIEW parents AS SELECT * FROM people UNION ALL SELECT * FROM people")
        .await;
    let store = world.open(Access::ReadOnly).await;
    assert_eq!(ids(&select(&store, Scope::All).await), [1, 2, 3, 4, 5]);
    let all = Selection {
        scope: Scope::All,
        exclude: Vec::new(),
    };
    for size in 1..=11 {
        let paged = all_pages(&store, &all, size).await;
        assert_eq!(ids(&paged), [1, 2, 3, 4, 5], "by {size}");
    }
}

async fn a_dangling_key_is_a_gap(world: World) {
    world
        .run(
            "UPDATE orders SET player_id = 71, product_id = 72 WHERE id = 1; \
             UPDATE players SET parent_id = 73 WHERE id = 2; \
             UPDATE tournament_products SET tournament_id = 74 WHERE id = 4",
        )
        .await;
    let store = world.open(Access::ReadOnly).await;
    let orders = select(&store, Scope::Orders(order_ids(&[1, 2, 3]))).await;
    assert_eq!(
        orders[0].gaps,
        [
            "orders.player_id names no player: 71",
            "orders.product_id names no product: 72"
        ]
    );
    assert_eq!(orders[1].gaps, ["players.parent_id names no parent: 73"]);
    assert_eq!(orders[2].tournaments, []);
}

async fn an_unknown_status_is_kept_as_it_is(world: World) {
    if world.is_postgres() {
        world
            .run("ALTER TABLE orders ALTER COLUMN status TYPE text")
            .await;
    }
    world
        .run("UPDATE orders SET status = 'Pending ' WHERE id = 1")
        .await;
    let store = world.open(Access::ReadOnly).await;
    let orders = select(&store, Scope::Orders(order_ids(&[1]))).await;
    assert_eq!(
        orders[0].status,
        OrderStatus::Unknown("Pending ".to_owned())
    );
}

/// What only a loose type can hold: SQLite keeps any value in any column, Postgres needs another type.
async fn strange_texts(world: World) {
    if world.is_postgres() {
        world
            .run(
                "ALTER TABLE orders ALTER COLUMN amount_cents TYPE numeric; \
                 UPDATE orders SET amount_cents = 55.5 WHERE id = 1; \
                 UPDATE orders SET amount_cents = 99999999999999999999 WHERE id = 2; \
                 UPDATE orders SET created_at = 'infinity' WHERE id = 3",
            )
            .await;
    } else {
        world
            .run(
                "UPDATE orders SET amount_cents = 55.5 WHERE id = 1; \
                 UPDATE orders SET amount_cents = '99999999999999999999x' WHERE id = 2; \
                 UPDATE orders SET created_at = 'yesterday-ish' WHERE id = 3; \
                 UPDATE orders SET amount_cents = x'ff00' WHERE id = 4; \
                 UPDATE orders SET amount_cents = 'free', stripe_checkout_session_id = x'fe' WHERE id = 5",
            )
            .await;
    }
    let store = world.open(Access::ReadOnly).await;
    let orders = select(&store, Scope::All).await;
    assert_eq!(orders[0].amount, None);
    assert_eq!(
        orders[0].gaps,
        ["orders.amount_cents is `55.5`, which is not a whole number of minor units"]
    );
    assert_eq!(orders[1].amount, None);
    assert_eq!(orders[2].created_at, None);
    assert_eq!(orders[2].gaps.len(), 1);
    let strange = if world.is_postgres() { 3 } else { 5 };
    assert_eq!(
        orders.iter().filter(|order| !order.gaps.is_empty()).count(),
        strange
    );
}
