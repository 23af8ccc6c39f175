//! On the way to Stripe, through the whole binary: whose word is taken for Stripe's, which proxy is asked, and where a key
//! is never sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::authority::Authority;
use crate::support::front::{self, Front};
use crate::support::world::*;

/// A proxy that leads nowhere and remembers what it was asked.
struct Proxy {
    base: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start() -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // Whoever hangs up before a word has asked nothing.
                if let Ok(head) = front::head(&mut stream).await {
                    log.lock().unwrap().push(head);
                    let no = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
                    let _ = stream.write_all(no).await;
                }
            }
        });
        Proxy { base, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Every variable that names a proxy names this one.
    fn everywhere(&self) -> Vec<(&str, &str)> {
        [
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "ALL_PROXY",
            "https_proxy",
            "http_proxy",
            "all_proxy",
        ]
        .map(|name| (name, self.base.as_str()))
        .to_vec()
    }
}

/// The double behind TLS, at an address that is not loopback by its name and yet never leaves this host.
async fn double_behind_tls(world: &World, authority: &Authority) -> String {
    let acceptor = front::acceptor(&authority.vouch("double", "IP:0.0.0.0", 2));
    let double = world.stripe.base().trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("https://0.0.0.0:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, double) = (acceptor.clone(), double.clone());
            tokio::spawn(async move {
                let mut inside = acceptor.accept(stream).await?;
                let mut stripe = TcpStream::connect(double).await?;
                copy_bidirectional(&mut inside, &mut stripe).await
            });
        }
    });
    base
}

#[tokio::test]
async fn papers_that_do_not_hold_are_where_it_ends() {
    let world = World::live().await;
    world.order(pending(5500).behind(expired_session())).await;
    let (known, stranger) = (Authority::new(), Authority::new());
    let stripe = "DNS:api.stripe.com";
    let expired = known.vouch("expired", stripe, 0);
    let papers = [
        (known.vouch("good", stripe, 2), ""),
        (stranger.vouch("strange", stripe, 2), "UnknownIssuer"),
        (
            known.vouch("other", "DNS:api.stripe.com.example.com", 2),
            "not valid for name",
        ),
        (
            known.vouch("address", "IP:127.0.0.1", 2),
            "not valid for name",
        ),
        (expired, "xpired"),
    ];
    // The last one ended in the second in which it began.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let authority = known.file();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    for (papers, said) in papers {
        let before = world.requests().await.len();
        let front = Front::showing(world.stripe.base(), &papers).await;
        let way = [
            ("HTTPS_PROXY", front.address()),
            ("SSL_CERT_FILE", authority.as_str()),
            ("SSLKEYLOGFILE", keys.to_str().unwrap()),
        ];
        let words = ["inspect", "--all", "--live"];
        let output = world.relink_with(&words, &way).await;
        let told = format!("{papers:?}: {}{}", output.stdout, output.stderr);
        assert!(front.reached() > 0, "{told}");
        if said.is_empty() {
            assert_eq!(output.code, Some(0), "{told}");
            assert!(front.trusted() > 0);
            assert!(!keys.exists(), "the session's keys are written down");
            continue;
        }
        assert_eq!(output.code, Some(9), "{told}");
        assert!(output.stderr.contains(said), "{told}");
        assert_eq!(
            (front.trusted(), world.requests().await.len()),
            (0, before),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_way_and_told_nothing_else() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let authority = Authority::new();
    let base = double_behind_tls(&world, &authority).await;
    let (proxy, trusted) = (Proxy::start().await, authority.file());
    let mut way = vec![
        ("STRIPE_API_BASE", base.as_str()),
        ("SSL_CERT_FILE", trusted.as_str()),
        ("HTTPS_PROXY", proxy.base.as_str()),
    ];
    let output = world.relink_with(&["inspect", "--all"], &way).await;
    assert_eq!(output.code, Some(9), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.requests().await.len(), 0, "the proxy was passed by");
    let heard = proxy.heard();
    assert!(!heard.is_empty());
    let place = base.trim_start_matches("https://");
    for head in &heard {
        assert!(head.starts_with(&format!("CONNECT {place} ")), "{head}");
        let quiet = !head.contains(KEY) && !head.to_lowercase().contains("\nauthorization");
        assert!(quiet, "{head}");
    }

    way.push(("NO_PROXY", "localhost,0.0.0.0"));
    let output = world.relink_with(&["inspect", "--all"], &way).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert!(!world.requests().await.is_empty());
    assert_eq!(proxy.heard().len(), heard.len());
}

#[tokio::test]
async fn no_proxy_comes_between_two_processes_of_one_host() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let proxy = Proxy::start().await;
    let words = ["regen", "--all", "--commit", "--yes"];
    let output = world.relink_with(&words, &proxy.everywhere()).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(proxy.heard(), Vec::<String>::new());
}

/// A base that somebody slipped into the environment. Whatever name it has, all ways out lead to the listener.
#[tokio::test]
async fn no_key_leaves_for_an_address_that_is_not_safe() {
    let world = World::on(Backend::Sqlite).await;
    let proxy = Proxy::start().await;
    let test = [
        "http://api.stripe.com",
        "http://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0:9",
        "https://ops:hunter2secret@example.com",
        "https://example.com/?to=api.stripe.com",
        "https://example.com/#api.stripe.com",
        "ftp://example.com",
        "file:///etc/passwd",
    ];
    let live = [
        "https://api.stripe.com.example.com",
        "https://api.stripe.com@example.com",
        "https://example.com/api.stripe.com",
        "https://api.stripe.com:8443",
        "https://api.stripe.com/another",
        "https://api.\u{455}tripe.com",
        "http://api.stripe.com",
        "http://127.0.0.1:9",
    ];
    let test = test.map(|base| (base, "sk_test_slippedslipped", &["inspect", "--all"][..]));
    let live = live.map(|base| {
        (
            base,
            "sk_live_slippedslipped",
            &["inspect", "--all", "--live"][..],
        )
    });
    for (base, key, words) in test.into_iter().chain(live) {
        let mut way = proxy.everywhere();
        way.extend([("STRIPE_API_BASE", base), ("STRIPE_API_KEY", key)]);
        let output = world.relink_with(words, &way).await;
        let told = format!("{base}: {}{}", output.stdout, output.stderr);
        assert!(matches!(output.code, Some(2 | 4)), "{told}");
        assert!(!told.contains("slippedslipped"), "{told}");
        let shown = format!("{}{}", output.stdout, output.stderr);
        assert!(!shown.contains("hunter2secret"), "{told}");
    }
    assert_eq!(proxy.heard(), Vec::<String>::new());
}
