//! `relink webhook serve` as a process of a world: started, found healthy, told something, stopped or killed.
//!
//! It judges nothing; a test looks at the world for that.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::world::*;

pub const SECRET: &str = "whsec_for_these_tests";

/// A receiver of this world, ready to be told.
pub struct Serving {
    process: Running,
    port: u16,
}

impl Serving {
    pub async fn start(world: &World) -> Serving {
        let port = free_port();
        Serving::on(world, port, &[]).await
    }

    pub async fn on(world: &World, port: u16, environment: &[(&str, &str)]) -> Serving {
        let listen = format!("127.0.0.1:{port}");
        let mut command = world.command(&["webhook", "serve", "--commit", "--listen", &listen]);
        command.envs(environment.iter().copied());
        command.env(
            "STRIPE_WEBHOOK_SECRET",
            format!("whsec_an_old_one {SECRET}"),
        );
        let serving = Serving {
            process: Running::start(command),
            port,
        };
        serving.once_healthy().await
    }

    async fn once_healthy(mut self) -> Serving {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(40) && !self.process.has_ended() {
            if self
                .get("healthz")
                .await
                .is_some_and(|(code, _)| code == 200)
            {
                return self;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if !self.process.has_ended() {
            self.process.signal("KILL");
        }
        let said = self.process.finish().await;
        panic!("the receiver is not healthy: {said:?}");
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/stripe/webhook", self.port)
    }

    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let answer = client().get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    pub async fn post(&self, signature: Option<&str>, body: Vec<u8>) -> (u16, String) {
        let mut request = client().post(self.url()).body(body);
        if let Some(signature) = signature {
            request = request.header("Stripe-Signature", signature);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub async fn stop(self) -> Output {
        self.process.signal("TERM");
        self.process.finish().await
    }

    /// Kibibytes that the process holds in memory just now.
    pub fn memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub async fn kill(self) {
        self.process.signal("KILL");
        self.process.finish().await;
    }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// One that nobody listens on, below those that a system gives to connections: one of these may be taken by a connection
/// of another test before the receiver listens there.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const HOW_MANY: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    for _ in 0..HOW_MANY {
        let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + next % HOW_MANY).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
