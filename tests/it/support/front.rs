//! The way to `https://api.stripe.com` in a live world: a proxy that takes CONNECT, answers the TLS handshake as
//! Stripe would, with a certificate that only the tests' authority vouches for, and hands everything on to the double.
//!
//! Real money's guards hold only against the real address, which no setting changes; nothing here weakens one. It
//! connects to loopback alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Of every process in a live world. It opens nothing.
pub const KEY: &str = "sk_live_world";
const STRIPE: &str = "CONNECT api.stripe.com:443 ";

pub struct Front {
    address: String,
    counts: Arc<Counts>,
}

/// Connections.
#[derive(Default)]
struct Counts {
    reached: AtomicUsize,
    /// On which the handshake was finished.
    trusted: AtomicUsize,
}

impl Front {
    /// `double` is where the double listens, `http://127.0.0.1:PORT`.
    pub async fn start(double: &str) -> Front {
        Front::showing(double, &certificates().join("stripe")).await
    }

    /// One that shows these papers, `PAPERS.pem` and `PAPERS.key`.
    pub async fn showing(double: &str, papers: &Path) -> Front {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let double = double.trim_start_matches("http://").to_owned();
        let acceptor = acceptor(papers);
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counts) = (acceptor.clone(), Arc::clone(&counted));
                tokio::spawn(carry(stream, acceptor, double.clone(), counts));
            }
        });
        Front { address, counts }
    }

    /// What a process must be told to come this way, and to believe what it meets there.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let authority = certificates().join("ca.pem");
        [
            ("HTTPS_PROXY", self.address.clone()),
            ("SSL_CERT_FILE", authority.to_str().unwrap().to_owned()),
        ]
    }

    /// `http://127.0.0.1:PORT`, as `HTTPS_PROXY` takes it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A file of authorities that vouch for nothing that is met here.
    pub fn another_authority(&self) -> String {
        let another = certificates().join("server.pem");
        another.to_str().unwrap().to_owned()
    }

    /// Connections that asked for Stripe.
    pub fn reached(&self) -> usize {
        self.counts.reached.load(Ordering::Relaxed)
    }

    /// Those of them on which the other side believed that this is Stripe.
    pub fn trusted(&self) -> usize {
        self.counts.trusted.load(Ordering::Relaxed)
    }
}

/// `ca.pem`, `stripe.pem`, `stripe.key`, and another's `server.pem`: made by `tests/run`.
fn certificates() -> PathBuf {
    let folder = std::env::var_os("RELINK_TEST_STRIPE_TLS");
    folder
        .expect("RELINK_TEST_STRIPE_TLS is not set: run the tests by tests/run")
        .into()
}

pub fn acceptor(papers: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(papers.with_extension("pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(papers.with_extension("key")).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(settings))
}

/// One connection, until either side ends it. To no other place than Stripe is there a way.
async fn carry(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    double: String,
    counts: Arc<Counts>,
) -> std::io::Result<()> {
    let asked = head(&mut stream).await?;
    if !asked.starts_with(STRIPE) {
        return stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            .await;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    counts.reached.fetch_add(1, Ordering::Relaxed);
    let mut inside = acceptor.accept(stream).await?;
    counts.trusted.fetch_add(1, Ordering::Relaxed);
    let mut stripe = TcpStream::connect(double).await?;
    copy_bidirectional(&mut inside, &mut stripe).await?;
    Ok(())
}

/// The lines of a request, up to the empty one.
pub async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") && read.len() < 8192 {
        read.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}
