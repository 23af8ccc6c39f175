//! Clients that have a connection and leave it: they ask and never read, or say nothing. None keeps its place for as long
//! as it likes, and a stop waits for none.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::serving::Serving;
use crate::support::world::*;

/// As many connections as the receiver has at once.
const CONNECTIONS: usize = 512;
/// The time that an answer waits (5 s), and more than a busy machine adds.
const SOON: Duration = Duration::from_secs(15);

fn address(serving: &Serving) -> String {
    let url = serving.url();
    let address = url.strip_prefix("http://").unwrap();
    address.strip_suffix("/stripe/webhook").unwrap().to_owned()
}

/// One that asks again and again, reads nothing, and is told when it is hung up on.
struct Deaf(TcpStream);

impl Deaf {
    async fn connect(address: &str) -> Deaf {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2048).unwrap();
        Deaf(socket.connect(address.parse().unwrap()).await.unwrap())
    }

    async fn ask_until_hung_up_on(&self) {
        let asking = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
        loop {
            match self.0.try_write(asking.as_bytes()) {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(_) => return,
            }
        }
    }
}

async fn deaf_ones(serving: &Serving) -> Vec<Deaf> {
    let address = address(serving);
    join_all((0..8).map(|_| Deaf::connect(&address))).await
}

#[tokio::test]
async fn whoever_reads_no_answer_is_hung_up_on() {
    let world = World::on(Backend::Sqlite).await;
    let serving = Serving::start(&world).await;
    let deaf = deaf_ones(&serving).await;
    let all = join_all(deaf.iter().map(Deaf::ask_until_hung_up_on));
    let all = tokio::time::timeout(SOON, all).await;
    assert!(all.is_ok(), "some have their places still");
    serving.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_whoever_reads_no_answer() {
    let world = World::on(Backend::Sqlite).await;
    let serving = Serving::start(&world).await;
    let deaf = deaf_ones(&serving).await;
    let all = join_all(deaf.iter().map(Deaf::ask_until_hung_up_on));
    let asked = tokio::time::timeout(Duration::from_secs(1), all).await;
    assert!(asked.is_err(), "hung up on while the answers had room");
    let begun = Instant::now();
    let output = serving.stop().await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let is_whole = !output.stderr.contains("did not end in time");
    assert!(is_whole, "{}", output.stderr);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
}

#[tokio::test]
async fn that_all_connections_are_taken_is_said_once() {
    let world = World::on(Backend::Sqlite).await;
    let serving = Serving::start(&world).await;
    let address = address(&serving);
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        silent.push(TcpStream::connect(&address).await.unwrap());
    }
    let asked = tokio::time::timeout(Duration::from_secs(1), serving.get("healthz")).await;
    assert!(asked.is_err(), "there was room for {asked:?}");
    drop(silent);
    let asked = tokio::time::timeout(SOON, serving.get("healthz")).await;
    assert_eq!(asked.unwrap().unwrap().0, 200);
    let output = serving.stop().await;
    let said = output.stderr.matches("connections are taken").count();
    assert_eq!(said, 1, "{}", output.stderr);
}
