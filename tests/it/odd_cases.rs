//! Tournament 3, one order per row of the verdict table and per odd case: the plan as it is shown, what its
//! commit leaves behind, and the flags that release a hold.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::sample_page::table;
use crate::support::world::*;

#[tokio::test]
async fn the_plan_for_the_odd_cases_is_as_it_was() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let output = world.relink(&["regen", "--tournament-id", "3"]).await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    insta::assert_snapshot!(without_digests(&output.stdout), @r#"
    ┌───────┬──────────────────────────┬───────────┬─────────────────────────────────────┬─────────────────┬───────────────────────────────────────────────────────────────────────────────────────────────┐
    │ order ┆ player                   ┆ amount    ┆ old object                          ┆ verdict         ┆ what would be done                                                                            │
    ╞═══════╪══════════════════════════╪═══════════╪═════════════════════════════════════╪═════════════════╪═══════════════════════════════════════════════════════════════════════════════════════════════╡
    │   301 ┆ Bruno Castillo           ┆ 55.00 USD ┆ cs_test_odd301 (session open)       ┆ dying           ┆ would expire cs_test_odd301, then mint                                                        │
    │   302 ┆ Quinn Abernathy          ┆ 55.00 USD ┆ cs_test_odd302 (session open)       ┆ dying           ┆ waits: open session, dies by itself at 2026-03-15T08:50:00Z (younger than `--min-age`: a      │
    │       ┆                          ┆           ┆                                     ┆                 ┆ parent may be typing; `--min-age 0s` would not wait)                                          │
    │   303 ┆ Aisha Rahman             ┆ 55.00 USD ┆ plink_odd303 (link active)          ┆ healthy         ┆ —                                                                                             │
    │   304 ┆ Peter Svoboda            ┆ 55.00 USD ┆ plink_odd304 (link active)          ┆ wrong           ┆ held, needs a person: asks 45.00 USD, the order says 55.00 USD (`--allow-amount-change` would │
    │       ┆                          ┆           ┆                                     ┆                 ┆ replace 45.00 USD by 55.00 USD)                                                               │
    │   305 ┆ Chloe Tremblay           ┆ 55.00 USD ┆ plink_odd305 (link active)          ┆ wrong           ┆ held, needs a person: asks 55.00 CAD, the order is in USD (`--allow-currency-change` would    │
    │       ┆                          ┆           ┆                                     ┆                 ┆ replace 55.00 CAD by 55.00 USD)                                                               │
    │   306 ┆ Desmond Achebe           ┆ 55.00 USD ┆ plink_odd306 (link inactive)        ┆ dead            ┆ would mint                                                                                    │
    │   307 ┆ Lena Fischer             ┆ 55.00 USD ┆ plink_odd307 (link inactive)        ┆ dying           ┆ would expire 1 open session of plink_odd307, then mint                                        │
    │   308 ┆ Kai Nakoa                ┆ 55.00 USD ┆ plink_odd308 (link inactive)        ┆ dying           ┆ waits: inactive link, still open: cs_test_odd308 (younger than `--min-age`: a parent may be   │
    │       ┆                          ┆           ┆                                     ┆                 ┆ typing; `--min-age 0s` would not wait)                                                        │
    │   309 ┆ Rosa Delgado             ┆ 55.00 USD ┆ plink_odd309 (link active)          ┆ healthy         ┆ —                                                                                             │
    │   310 ┆ Simon Achterberg         ┆ 55.00 USD ┆ plink_odd310 (link active)          ┆ paid_unrecorded ┆ held, needs a person: cs_test_odd310 is paid, the order is not                                │
    │   311 ┆ Tessa Vaughn             ┆ 55.00 USD ┆ cs_test_odd311 (session paid)       ┆ paid_unrecorded ┆ held, needs a person: cs_test_odd311 is paid, the order is not                                │
    │   312 ┆ Arjun Mehta              ┆ 55.00 USD ┆ plink_odd312 (link inactive)        ┆ paid_unrecorded ┆ held, needs a person: cs_test_odd312 is paid, the order is not                                │
    │   313 ┆ Mila Horvat              ┆ 55.00 USD ┆ cs_test_odd313 (session processing) ┆ processing      ┆ waits: cs_test_odd313 is complete, its payment is on its way                                  │
    │   314 ┆ Owen Pritchard           ┆ 55.00 USD ┆ cs_test_odd314 (session failed)     ┆ dead            ┆ would mint                                                                                    │
    │   315 ┆ Yara Haddad              ┆ 55.00 USD ┆ plink_odd315 (link active)          ┆ duplicate       ┆ would retire plink_odd315second                                                               │
    │   316 ┆ Felix Oduya              ┆ 55.00 USD ┆ plink_odd316 (link active)          ┆ overpaid        ┆ held, needs a person: paid 2 times: 55.00 USD to refund: pi_odd316second (the row holds       │
    │       ┆                          ┆           ┆                                     ┆                 ┆ pi_odd316first); plink_odd316 can still be paid                                               │
    │   317 ┆ Greta Lindholm           ┆ 55.00 USD ┆ plink_odd317 (link inactive)        ┆ settled         ┆ —                                                                                             │
    │   318 ┆ Hugo Lambert             ┆ 55.00 USD ┆ cs_test_odd318 (session paid)       ┆ overpaid        ┆ held, needs a person: canceled, yet paid by pi_odd318: 55.00 USD to refund                    │
    │   319 ┆ Beatriz Nunes            ┆ 55.00 USD ┆ cs_test_odd319 (session paid)       ┆ settled         ┆ —                                                                                             │
    │   320 ┆ Cole Ramirez             ┆ 55.00 USD ┆ none                                ┆ dead            ┆ would mint                                                                                    │
    │   321 ┆ Dana Petrov              ┆ 55.00 USD ┆ `in_odd321` (unknown object)        ┆ unknown_object  ┆ held, needs a person: `in_odd321` is neither a checkout session nor a payment link            │
    │   322 ┆ Ethan Mbeki              ┆ 55.00 USD ┆ cs_test_odd322unknown (not found)   ┆ missing         ┆ held, needs a person: Stripe knows no cs_test_odd322unknown in this account                   │
    │       ┆                          ┆           ┆                                     ┆                 ┆ (`--missing-is-dead --order-id 322` would take it as dead, and mint)                          │
    │   323 ┆ June Kowalski            ┆ 55.00 USD ┆ plink_odd323 (link active)          ┆ foreign         ┆ held, needs a person: its metadata names order 324                                            │
    │   324 ┆ Jade Kowalski            ┆ 55.00 USD ┆ plink_odd324 (link active)          ┆ foreign         ┆ held, needs a person: its metadata names order 323                                            │
    │   325 ┆ Miles Okonkwo            ┆ 55.00 USD ┆ plink_odd325 (link active)          ┆ unowned         ┆ held, needs a person: plink_odd325 names no order in its metadata (`--adopt-unowned           │
    │       ┆                          ┆           ┆                                     ┆                 ┆ --order-id 325` would take it as this order's, and replace it)                                │
    │   326 ┆ Nora Feldman             ┆ 55.00 USD ┆ cs_test_odd326 (session expired)    ┆ recoverable     ┆ held, needs a person: cs_test_odd326 has a recovery URL that can be paid until                │
    │       ┆                          ┆           ┆                                     ┆                 ┆ 2026-04-09T18:00:00Z (`--accept-recovery-url` would go on although that URL can be paid)      │
    │   327 ┆ Pablo Ibarra             ┆ 55.00 USD ┆ cs_test_odd327 (session open)       ┆ recoverable     ┆ held, needs a person: cs_test_odd327 has a recovery URL that can be paid                      │
    │       ┆                          ┆           ┆                                     ┆                 ┆ (`--accept-recovery-url` would go on although that URL can be paid)                           │
    │   328 ┆ Vera Stoica              ┆ 55.00 USD ┆ cs_test_odd328 (session expired)    ┆ dead            ┆ would mint                                                                                    │
    │   329 ┆ Wyatt Longfellow         ┆ 55.00 USD ┆ cs_test_odd329 (session expired)    ┆ paid_unrecorded ┆ held, needs a person: cs_test_odd329copy is paid, the order is not                            │
    │   330 ┆ Xenia Popov              ┆ 60.00 USD ┆ cs_test_odd330 (session expired)    ┆ dead            ┆ would mint                                                                                    │
    │   331 ┆ Silas Greene             ┆ 35.00 USD ┆ cs_test_odd331 (not read)           ┆ out_of_scope    ┆ —                                                                                             │
    │   332 ┆ Tara Osei                ┆ 55.00 USD ┆ cs_test_odd332 (session expired)    ┆ settled         ┆ —                                                                                             │
    │   333 ┆ Ulrich Baumann           ┆ 55.00 USD ┆ cs_test_odd333 (session paid)       ┆ settled         ┆ —                                                                                             │
    │   334 ┆ Violet Sandoval          ┆  0.00 USD ┆ none                                ┆ invalid_order   ┆ held, needs a person: amount 0.00 USD is not positive                                         │
    │   335 ┆ Marcus Webb              ┆ 55.00 USD ┆ cs_test_odd335 (session expired)    ┆ invalid_order   ┆ held, needs a person: product `Odd Cases Classic entry, late bracket` is inactive             │
    │   336 ┆ Zara Iqbal               ┆ 55.00 USD ┆ cs_test_odd336 (session expired)    ┆ dead            ┆ would mint                                                                                    │
    │   337 ┆ Riley \u{1b}[31mStone\u… ┆ 55.00 USD ┆ cs_test_odd337 (session expired)    ┆ dead            ┆ would mint                                                                                    │
    │   338 ┆ O'Malley, "Mac" Brendan… ┆ 55.00 USD ┆ cs_test_odd338 (session expired)    ┆ dead            ┆ would mint                                                                                    │
    │   339 ┆ =1+1                     ┆ 55.00 USD ┆ cs_test_odd339 (session expired)    ┆ dead            ┆ would mint                                                                                    │
    │   340 ┆ Anya Sokolova            ┆ 55.00 USD ┆ plink_odd340 (link active)          ┆ leaked          ┆ left to `relink retire`: order is paid, yet plink_odd340 can be paid                          │
    │   341 ┆ Joel Marchand            ┆ 55.00 USD ┆ cs_test_odd341 (session open)       ┆ leaked          ┆ left to `relink retire`: order is canceled, yet cs_test_odd341 can be paid                    │
    │   342 ┆ Esme Hawthorne           ┆ 55.00 USD ┆ plink_odd342 (link inactive)        ┆ settled         ┆ —                                                                                             │
    └───────┴──────────────────────────┴───────────┴─────────────────────────────────────┴─────────────────┴───────────────────────────────────────────────────────────────────────────────────────────────┘
    42 orders: 1 out_of_scope, 1 missing, 1 unknown_object, 2 foreign, 2 overpaid, 4 paid_unrecorded, 1 processing, 2 recoverable, 2 leaked, 5 settled, 2 invalid_order, 1 duplicate, 1 unowned, 2 wrong, 4 dying, 9 dead, 2 healthy; would retire 3 objects, mint 11 links, 610.00 USD; 5 wait; 17 need a person
    digest: DIGEST
    next: relink regen --tournament-id 3 --rps 0 --commit
    "#);
}

#[tokio::test]
async fn what_can_still_be_paid_of_an_overpaid_order_is_closed_before_the_refund() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let look = ["inspect", "--order-id", "316"];
    let before = world.relink(&look).await.stdout;
    let next = "\nnext\n  relink retire --order-id 316\n";
    assert!(before.ends_with(next), "{before}");
    let retire = ["retire", "--order-id", "316", "--commit", "--yes"];
    let output = world.relink(&retire).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    let after = world.relink(&look).await.stdout;
    let next = "\nnext\n  refund in Stripe, then `relink inspect --order-id 316`\n";
    assert!(after.ends_with(next), "{after}");
}

#[tokio::test]
async fn the_plan_for_the_incident_is_as_it_was() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let output = world.relink(&["regen", "--tournament-id", "2"]).await;
    insta::assert_snapshot!(without_digests(&output.stdout), @"
    ┌───────┬──────────────────┬───────────┬───────────────────────────────────┬─────────┬────────────────────┐
    │ order ┆ player           ┆ amount    ┆ old object                        ┆ verdict ┆ what would be done │
    ╞═══════╪══════════════════╪═══════════╪═══════════════════════════════════╪═════════╪════════════════════╡
    │   201 ┆ Avery Nakamura   ┆ 55.00 USD ┆ cs_test_utah201 (session paid)    ┆ settled ┆ —                  │
    │   202 ┆ Gabriel Santos   ┆ 55.00 USD ┆ cs_test_utah202 (session paid)    ┆ settled ┆ —                  │
    │   203 ┆ Hazel Thornton   ┆ 55.00 USD ┆ cs_test_utah203 (session paid)    ┆ settled ┆ —                  │
    │   204 ┆ Omar Farouk      ┆ 55.00 USD ┆ cs_test_utah204 (session paid)    ┆ settled ┆ —                  │
    │   205 ┆ Wren Castellano  ┆ 65.00 USD ┆ cs_test_utah205 (session paid)    ┆ settled ┆ —                  │
    │   206 ┆ Ivy Sorensen     ┆ 55.00 USD ┆ cs_test_utah206 (session expired) ┆ dead    ┆ would mint         │
    │   207 ┆ Mateo Reyes      ┆ 55.00 USD ┆ cs_test_utah207 (session expired) ┆ dead    ┆ would mint         │
    │   208 ┆ Clara Fitzgerald ┆ 55.00 USD ┆ cs_test_utah208 (session expired) ┆ dead    ┆ would mint         │
    │   209 ┆ Dmitri Volkov    ┆ 55.00 USD ┆ cs_test_utah209 (session expired) ┆ dead    ┆ would mint         │
    │   210 ┆ Amara Diallo     ┆ 55.00 USD ┆ cs_test_utah210 (session expired) ┆ dead    ┆ would mint         │
    │   211 ┆ Theo Blackwood   ┆ 55.00 USD ┆ cs_test_utah211 (session expired) ┆ dead    ┆ would mint         │
    │   212 ┆ Ingrid Halvorsen ┆ 55.00 USD ┆ cs_test_utah212 (session expired) ┆ dead    ┆ would mint         │
    │   213 ┆ Caleb Yazzie     ┆ 55.00 USD ┆ cs_test_utah213 (session expired) ┆ dead    ┆ would mint         │
    │   214 ┆ Zoe Papadakis    ┆ 55.00 USD ┆ cs_test_utah214 (session expired) ┆ dead    ┆ would mint         │
    │   215 ┆ Isla Reyes       ┆ 55.00 USD ┆ cs_test_utah215 (session expired) ┆ dead    ┆ would mint         │
    │   216 ┆ Finn Gallagher   ┆ 55.00 USD ┆ cs_test_utah216 (session expired) ┆ dead    ┆ would mint         │
    │   217 ┆ Nadia Kowalczyk  ┆ 55.00 USD ┆ cs_test_utah217 (session expired) ┆ dead    ┆ would mint         │
    │   218 ┆ Elias Bergman    ┆ 65.00 USD ┆ cs_test_utah218 (session expired) ┆ dead    ┆ would mint         │
    │   219 ┆ Ruby Tanaka      ┆ 65.00 USD ┆ cs_test_utah219 (session expired) ┆ dead    ┆ would mint         │
    │   220 ┆ Malik Johnson    ┆ 65.00 USD ┆ cs_test_utah220 (session expired) ┆ dead    ┆ would mint         │
    │   221 ┆ Freya Whitlock   ┆ 65.00 USD ┆ cs_test_utah221 (session expired) ┆ dead    ┆ would mint         │
    │   222 ┆ Lucas Moreau     ┆ 65.00 USD ┆ cs_test_utah222 (session expired) ┆ dead    ┆ would mint         │
    │   223 ┆ Test Player      ┆ 55.00 USD ┆ cs_test_utah223 (session expired) ┆ settled ┆ —                  │
    └───────┴──────────────────┴───────────┴───────────────────────────────────┴─────────┴────────────────────┘
    23 orders: 6 settled, 17 dead; would mint 17 links, 985.00 USD; 0 need a person
    digest: DIGEST
    next: relink regen --tournament-id 2 --rps 0 --commit
    ");
}

#[tokio::test]
async fn one_order_is_explained_in_full() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let output = world.relink(&["inspect", "--order-id", "315"]).await;
    insta::assert_snapshot!(output.stdout, @"
    order 315
      status        pending
      amount        55.00 USD
      player        Yara Haddad (id 1315)
      parent        Samir Haddad <s…@example.com>
      product       Odd Cases Classic entry, U12 (id 31, category tournament)
      tournaments   Odd Cases Classic (id 3)
      checkout id   plink_odd315
      checkout URL  https://buy.stripe.com/test_odd315
      created       2026-03-08T16:15:00Z

    stripe (account acct_1SandboxRelink, test mode, read at 2026-03-14T09:00:00Z)
      payment link plink_odd315, in the row
        state      active
        URL        https://buy.stripe.com/test_odd315
        asks for   55.00 USD
        metadata   names order 315
        completed  0 by its own count
        sessions   none
      payment link plink_odd315second, not in the row
        state      active
        URL        https://buy.stripe.com/test_odd315second
        asks for   55.00 USD
        metadata   names order 315
        completed  0 by its own count
        sessions   none

    verdict
      verdict  duplicate
      reason   plink_odd315second can be paid too
      action   would retire plink_odd315second

    next
      relink regen --order-id 315
    ");
}

on_each_backend! {
    async fn the_commit_over_the_odd_cases_leaves_each_worked_order_with_one_live_object(world) {
        world.load_sample().await;
        let output = world.relink(&["regen", "--tournament-id", "3", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        for row in table() {
            let order: i64 = row[0].parse().unwrap();
            let live = world.live_objects_of(OrderId(order)).await;
            match row[3].split(' ').next().unwrap() {
                "mint" | "replace" => {
                    assert_eq!(live, [world.row(order).await.reference.unwrap()], "order {order}");
                }
                "close" => assert_eq!(live.len(), 1, "order {order}"),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_hold_goes_when_its_flag_is_given_and_only_for_the_named_order_where_that_is_asked() {
    for (order, flags) in [
        (302, vec!["--min-age", "0s"]),
        (304, vec!["--allow-amount-change"]),
        (305, vec!["--allow-currency-change"]),
        (322, vec!["--missing-is-dead"]),
        (325, vec!["--adopt-unowned"]),
        (326, vec!["--accept-recovery-url"]),
        (327, vec!["--accept-recovery-url"]),
    ] {
        let world = World::on(Backend::Sqlite).await;
        world.load_sample().await;
        let id = order.to_string();
        let plain = ["regen", "--order-id", &id, "-o", "json"];
        let kind = |output: &Output| {
            let plan: Value = serde_json::from_str(&output.stdout).unwrap();
            plan["orders"][0]["action"]["kind"].clone()
        };
        assert_eq!(
            kind(&world.relink(&plain).await),
            json!("hold"),
            "order {order}"
        );
        let mut released = plain.to_vec();
        released.extend(flags.iter().copied());
        assert_eq!(
            kind(&world.relink(&released).await),
            json!("replace"),
            "order {order} {flags:?}"
        );
        let mut commit: Vec<&str> = vec!["regen", "--order-id", &id, "--commit", "--yes"];
        commit.extend(flags.iter().copied());
        let output = world.relink(&commit).await;
        assert_eq!(
            output.code,
            Some(0),
            "order {order}: {}{}",
            output.stdout,
            output.stderr
        );
        let row = world.row(order).await.reference.unwrap();
        assert_eq!(
            world.live_objects_of(OrderId(order)).await,
            [row],
            "order {order}"
        );
    }
}

#[tokio::test]
async fn a_missing_object_is_taken_for_dead_only_where_another_object_of_the_database_is_seen() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    world
        .rows
        .set(order.0, "stripe_checkout_session_id", "'cs_test_gone'")
        .await;
    let id = order.to_string();
    let output = world
        .relink(&[
            "regen",
            "--order-id",
            &id,
            "--missing-is-dead",
            "--commit",
            "--yes",
        ])
        .await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.writes().await, Vec::<Value>::new());
}
