//! The double's state on disk: an append-only log, one line per request that changed something, written before the
//! answer leaves, so that a process killed at any moment loses nothing it answered. A torn last line is dropped, the
//! log is compacted at start, and a lock keeps a second process out of the directory. No file in it is open to others.

use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::private;
use super::DoubleError;
use super::world::{Entry, World};

const LOG: &str = "stripe.jsonl";
const ADDRESS: &str = "address";
const LOCK: &str = "lock";

/// Where entries go; in memory they go nowhere.
#[derive(Debug)]
pub(super) enum Log {
    Memory,
    Dir {
        file: File,
        dir: PathBuf,
        _lock: File,
        announced: bool,
    },
    /// After `stop`: nothing may be written any more.
    Closed,
}

impl Log {
    /// Opens `dir` for this process alone and reads what it holds.
    pub async fn open(dir: &Path) -> Result<(Log, World), DoubleError> {
        let failed = |doing, source| DoubleError::State {
            doing,
            dir: dir.to_owned(),
            source,
        };
        private::folder(dir).map_err(|source| failed("create", source))?;
        let lock = lock(dir).await?;
        let world = read(dir).map_err(|source| failed("read", source))?;
        let file = compact(dir, &world).map_err(|source| failed("write", source))?;
        Ok((
            Log::Dir {
                file,
                dir: dir.to_owned(),
                _lock: lock,
                announced: false,
            },
            world,
        ))
    }

    /// Writes one batch as one line: it is there as a whole or not at all.
    pub fn append(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        match self {
            Log::Memory => Ok(()),
            Log::Closed => Err(std::io::Error::other("the double has been stopped")),
            Log::Dir { file, .. } => {
                let start = file.stream_position()?;
                let line = line(entries)?;
                let written = file.write_all(&line);
                if written.is_err() {
                    // A half-written line in the middle would hide every later one.
                    file.set_len(start)?;
                    file.seek(SeekFrom::Start(start))?;
                }
                written
            }
        }
    }

    /// Tells other processes where the double of this directory answers.
    pub fn announce(&mut self, base_url: &str) -> Result<(), DoubleError> {
        let Log::Dir { dir, announced, .. } = self else {
            return Ok(());
        };
        let path = dir.join(ADDRESS);
        let written = private::file()
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|mut file| file.write_all(format!("{base_url}\n").as_bytes()));
        written.map_err(|source| DoubleError::State {
            doing: "announce in",
            dir: dir.clone(),
            source,
        })?;
        *announced = true;
        Ok(())
    }

    /// Flushes, withdraws the address and gives the directory back.
    pub fn close(&mut self) -> Result<(), DoubleError> {
        if let Log::Dir {
            file,
            dir,
            announced,
            ..
        } = self
        {
            file.sync_all().map_err(|source| DoubleError::State {
                doing: "flush",
                dir: dir.clone(),
                source,
            })?;
            if *announced {
                let _ = std::fs::remove_file(dir.join(ADDRESS));
            }
        }
        *self = Log::Closed;
        Ok(())
    }

    pub fn is_closed(&self) -> bool {
        matches!(self, Log::Closed)
    }
}

/// The address of the double that serves `dir` in another process, if one answers there.
pub fn running_address(dir: &Path) -> Option<String> {
    let base = std::fs::read_to_string(dir.join(ADDRESS))
        .ok()?
        .trim()
        .to_owned();
    let address = base.strip_prefix("http://")?.parse().ok()?;
    let patience = Duration::from_secs(2);
    let mut stream = std::net::TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream
        .write_all(b"GET /_sandbox/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    (&head == b"HTTP/1.1 200").then_some(base)
}

async fn lock(dir: &Path) -> Result<File, DoubleError> {
    let failed = |source| DoubleError::State {
        doing: "lock",
        dir: dir.to_owned(),
        source,
    };
    let file = private::file()
        .create(true)
        .truncate(false)
        .open(dir.join(LOCK))
        .map_err(failed)?;
    let give_up = Instant::now() + Duration::from_secs(5);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(DoubleError::InUse {
                    dir: dir.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

fn read(dir: &Path) -> std::io::Result<World> {
    let mut world = World::new();
    let file = match File::open(dir.join(LOG)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(world),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || line.last() != Some(&b'\n') {
            return Ok(world);
        }
        let entries: Vec<Entry> = serde_json::from_slice(&line)?;
        entries.into_iter().for_each(|entry| world.apply(entry));
    }
}

/// Rewrites the log as the state it amounts to; the old log stays until the new one is complete.
fn compact(dir: &Path, world: &World) -> std::io::Result<File> {
    let path = dir.join(LOG);
    let fresh = dir.join("stripe.jsonl.new");
    let mut file = private::file()
        .create(true)
        .truncate(true)
        .read(true)
        .open(&fresh)?;
    file.write_all(&line(&world.entries())?)?;
    file.sync_all()?;
    std::fs::rename(&fresh, &path)?;
    Ok(file)
}

fn line(entries: &[Entry]) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entries)?;
    line.push(b'\n');
    Ok(line)
}
