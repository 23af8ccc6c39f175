//! The index: what it finds, how it is kept up to date, and that nothing rests on it alone.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use relink::domain::{CheckoutReference, LinkId, Timestamp};
use relink::stripe::{Client, Recall, Rps, Settings, SharedIndex, observe_order, observe_watched};
use serde_json::json;

use crate::client_facts::{order, others};
use crate::client_server::{Request, Server, error, settings};
use crate::client_world::{Shared, World, link, session};

#[tokio::test]
async fn a_refresh_finds_what_came_up_since_also_after_one_that_failed() {
    let world = Arc::new(Mutex::new(World {
        sessions: vec![session("cs_test_a1", 1, json!({}))],
        ..World::default()
    }));
    let broken = Arc::new(Mutex::new(false));
    let is_broken = broken.clone();
    let fault = move |request: &Request| {
        let hit = *is_broken.lock().unwrap() && request.path() == "/v1/events";
        hit.then(|| error(500, "api_error", None, "oops"))
    };
    let server = world.serve_shared(Box::new(fault)).await;
    let client = server.client();
    let index = client.live_index(None).await.unwrap();
    {
        let mut world = world.lock().unwrap();
        let new = link("plink_2", 1, json!({}));
        world.events.push(json!({
            "id": "evt_1", "object": "event", "type": "payment_link.created", "created": 1_795_500_010,
            "livemode": false, "data": {"object": new}, "request": {"id": "req_9", "idempotency_key": "k"},
        }));
        world.links.push(new);
        let open = json!({"status": "open", "created": 1_795_500_020});
        world.sessions.push(session("cs_test_b1", 1, open));
        *broken.lock().unwrap() = true;
    }
    assert!(index.refresh(&client).await.is_err());
    assert_eq!(index.gap(), None, "a failure is its asker's own");
    *broken.lock().unwrap() = false;
    index.refresh(&client).await.unwrap();
    let facts = observe_order(&client, order(1, "cs_test_a1").into(), &index)
        .await
        .unwrap();
    assert_eq!(others(&facts), ["plink_2", "cs_test_b1"]);
}

#[tokio::test]
async fn what_names_another_order_by_now_is_no_duplicate() {
    let world = Arc::new(Mutex::new(World {
        links: vec![link("plink_2", 1, json!({}))],
        ..World::default()
    }));
    let server = world.serve_shared(Box::new(|_| None)).await;
    let client = server.client();
    let index = client.live_index(None).await.unwrap();
    world.lock().unwrap().links = vec![link("plink_2", 2, json!({}))];
    let facts = observe_order(&client, order(1, "").into(), &index)
        .await
        .unwrap();
    assert!(others(&facts).is_empty());
}

#[tokio::test]
async fn a_watched_object_shows_in_every_look_whatever_became_of_it() {
    let world = World {
        links: vec![link("plink_2", 1, json!({"active": false, "metadata": {}}))],
        ..World::default()
    };
    let server = world.serve().await;
    let client = server.client();
    let index = client.live_index(None).await.unwrap();
    let recall = Recall::default();
    let watched = [CheckoutReference::classify("plink_2")].into();
    let facts = observe_watched(&client, order(1, "").into(), &index, &watched, &recall)
        .await
        .unwrap();
    assert_eq!(others(&facts), ["plink_2"]);
    let watched = [CheckoutReference::classify("plink_gone")].into();
    let facts = observe_watched(&client, order(1, "").into(), &index, &watched, &recall)
        .await
        .unwrap();
    // One that does not exist is missing from the look, and that is for its watcher to see.
    assert_eq!(others(&facts), Vec::<String>::new());
}

#[tokio::test]
async fn a_lost_mint_is_found_by_its_key_or_by_its_metadata() {
    let event = |id: &str, link: &str, key: &str, relink_key: &str| {
        json!({
            "id": id, "object": "event", "type": "payment_link.created", "created": 1_795_500_010, "livemode": false,
            "request": {"idempotency_key": key},
            "data": {"object": {"id": link, "metadata": {"relink_key": relink_key}}},
        })
    };
    let world = World {
        events: vec![
            event("evt_1", "plink_1", "the-key", "other"),
            event("evt_2", "plink_2", "another", "the-key"),
            event("evt_3", "plink_3", "another", "other"),
        ],
        ..World::default()
    };
    let server = world.serve().await;
    let key = relink::actions::IdempotencyKey::parse("the-key").unwrap();
    let found = server
        .client()
        .links_minted_with(&key, "the-key", Timestamp(0))
        .await
        .unwrap();
    let found: Vec<&str> = found.iter().map(LinkId::as_str).collect();
    assert_eq!(found, ["plink_1", "plink_2"]);
}

/// An empty world in which these readings of the events, counted from 1, fail for good.
async fn world_failing(failing: &'static [usize]) -> Server {
    let mut asked = 0;
    let fault = move |request: &Request| {
        asked += usize::from(request.path() == "/v1/events");
        let hit = request.path() == "/v1/events" && failing.contains(&asked);
        hit.then(|| error(400, "invalid_request_error", None, "oops"))
    };
    World::default().serve_with(Box::new(fault)).await
}

fn readings(server: &Server) -> usize {
    let events = |request: &&Request| request.path() == "/v1/events";
    server.heard().iter().filter(events).count()
}

/// Six ask at the same time: the first reading may have begun before the others asked, the second did not.
#[tokio::test]
async fn one_reading_serves_all_who_wait_and_never_one_that_began_before_they_asked() {
    let server = world_failing(&[]).await;
    let client = server.client();
    let index = SharedIndex::new(client.live_index(None).await.unwrap());
    let asked = (0..6).map(|_| async { index.current(&client).await.map(drop) });
    for served in join_all(asked).await {
        served.unwrap();
    }
    assert_eq!(readings(&server), 2);
    index.current(&client).await.map(drop).unwrap();
    assert_eq!(readings(&server), 3, "who asks later is read for anew");
}

#[tokio::test]
async fn a_reading_that_failed_fails_nobody_who_asked_after_it_began() {
    let server = world_failing(&[1]).await;
    let client = server.client();
    let index = SharedIndex::new(client.live_index(None).await.unwrap());
    let asked = (0..6).map(|_| async { index.current(&client).await.map(drop).is_ok() });
    let served = join_all(asked).await;
    assert_eq!(served, [false, true, true, true, true, true]);
    assert_eq!(readings(&server), 2);
    assert_eq!(index.latest().gap(), None);
}

/// The second reading begins when all six have asked: its failure is theirs, and none tries again by itself.
#[tokio::test]
async fn a_reading_that_failed_fails_all_who_asked_before_it_began() {
    let server = world_failing(&[2]).await;
    let client = server.client();
    let index = SharedIndex::new(client.live_index(None).await.unwrap());
    let asked = (0..6).map(|_| async { index.current(&client).await.map(drop).is_ok() });
    let served = join_all(asked).await;
    assert_eq!(served, [true, false, false, false, false, false]);
    assert_eq!(readings(&server), 2);
    assert!(
        index.current(&client).await.is_ok(),
        "who asks later is read for anew"
    );
}

fn client_within(server: &Server, rps: f64) -> Client {
    let rps = Rps::PerSecond(rps);
    let settings = settings(&server.base);
    Client::new(Settings { rps, ..settings }).unwrap()
}

/// Reads the index so often that later readings have a share: each takes two requests, and thirty are free.
async fn spend_the_free_ones(index: &SharedIndex, client: &Client) -> Instant {
    let mut begun = Instant::now();
    for _ in 0..16 {
        begun = Instant::now();
        index.current(client).await.map(drop).unwrap();
    }
    begun
}

/// At ten requests a second a reading of two requests every five seconds is its share.
#[tokio::test]
async fn where_nobody_waits_for_his_turn_the_index_is_read_more_often_than_its_share() {
    let server = world_failing(&[]).await;
    let client = client_within(&server, 10.0);
    let index = SharedIndex::new(client.live_index(None).await.unwrap());
    let begun = spend_the_free_ones(&index, &client).await;
    index.current(&client).await.map(drop).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(1250), "{begun:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{begun:?}");
    assert_eq!(readings(&server), 17);
}

/// 40 requests a second for the account, 25 of them for an endpoint. The readings have 1.6 of them: one every 1.25 seconds.
#[tokio::test]
async fn while_requests_wait_for_their_turn_readings_take_no_more_than_their_share() {
    let server = world_failing(&[]).await;
    let client = client_within(&server, 40.0);
    let index = SharedIndex::new(client.live_index(None).await.unwrap());
    let begun = spend_the_free_ones(&index, &client).await;
    let objects = ["plink_1", "cs_test_1"].map(CheckoutReference::classify);
    let busy = join_all((0..100).map(|n| client.read(&objects[n % 2])));
    let current = async {
        index.current(&client).await.map(drop).unwrap();
        begun.elapsed()
    };
    let (_, elapsed) = tokio::join!(busy, current);
    assert!(elapsed >= Duration::from_millis(1250), "{elapsed:?}");
    assert_eq!(readings(&server), 17);
}
