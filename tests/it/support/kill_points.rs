//! The listening side of the kill points: a process under test says here that it is about to commit, or has just
//! committed, and waits until it may go on. It needs the feature `kill-points` in the binary.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// For the environment of the process under test.
pub const ADDRESS: &str = "RELINK_KILL_POINTS";

pub struct KillPoints {
    listener: TcpListener,
}

/// A process waits here. Dropped, it goes on.
#[derive(Debug)]
pub struct Reached {
    pub before: bool,
    /// Counts the commits of the process from 1.
    pub number: u64,
    stream: TcpStream,
}

impl KillPoints {
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        KillPoints { listener }
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next point that a process reaches.
    pub async fn next(&self) -> Reached {
        loop {
            let (mut stream, _) = self.listener.accept().await.unwrap();
            let mut line = Vec::new();
            let mut byte = [0; 1];
            // A process that was killed while it spoke says nothing.
            while matches!(stream.read(&mut byte).await, Ok(1)) && byte[0] != b'\n' {
                line.push(byte[0]);
            }
            if let Some(reached) = read(&String::from_utf8(line).unwrap(), stream) {
                return reached;
            }
        }
    }

    /// The next point, or `None` when none is reached in this time.
    pub async fn next_within(&self, wait: Duration) -> Option<Reached> {
        tokio::time::timeout(wait, self.next()).await.ok()
    }
}

impl Reached {
    pub fn go_on(self) {
        drop(self.stream);
    }
}

fn read(line: &str, stream: TcpStream) -> Option<Reached> {
    let mut words = line.splitn(3, ' ');
    let (side, number, _what) = (words.next()?, words.next()?, words.next()?);
    Some(Reached {
        before: side == "before",
        number: number.parse().ok()?,
        stream,
    })
}
