//! What a secret was read into is wiped when it is dropped: a process searches its own memory for one. It knows the
//! secret only masked, so that it does not find its own question.
//!
//! The header that carries the key is not looked for: nothing wipes it (docs/security.md).
#![cfg(target_os = "linux")]

use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use relink::config::Environment;
use relink::secrets::{Candidate, agree_on_key, read_key_file, signing_secrets};
use relink::settings::{ConfigFile, Source};

const FILES: &str = "RELINK_TEST_WIPED_FILES";
const MASK: u8 = 0xa5;
/// Of the secret's end: the allocator overwrites the beginning of what it was given back.
const SOUGHT: usize = 24;
const PIECE: usize = 1 << 20;

/// How often the sought bytes stand in this process's memory.
fn copies(masked: &[u8]) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mut piece = vec![0; PIECE + SOUGHT];
    let own = piece.as_ptr() as usize..piece.as_ptr() as usize + piece.len();
    let mut found = 0;
    for line in maps.lines() {
        let mut words = line.split(' ');
        let range = words.next().unwrap().split_once('-').unwrap();
        if !words.next().unwrap().starts_with("rw") || line.ends_with("[vvar]") {
            continue;
        }
        let bound = |text| usize::from_str_radix(text, 16).unwrap();
        let (from, to) = (bound(range.0), bound(range.1));
        for at in (from..to).step_by(PIECE) {
            let length = (to - at).min(piece.len());
            let read = memory.seek(SeekFrom::Start(at as u64));
            if read
                .and_then(|_| memory.read_exact(&mut piece[..length]))
                .is_err()
            {
                continue;
            }
            let begins = |offset: &usize| {
                let place = at + offset;
                !own.contains(&place)
                    && *offset < PIECE
                    && piece[*offset] ^ MASK == masked[0]
                    && is_there(&piece[*offset..length], masked)
            };
            found += (0..length).filter(begins).count();
        }
    }
    piece.fill(0);
    found
}

fn is_there(bytes: &[u8], masked: &[u8]) -> bool {
    bytes.len() >= masked.len()
        && bytes
            .iter()
            .zip(masked)
            .all(|(byte, sought)| byte ^ MASK == *sought)
}

/// Not a test: what the process does that looks into itself. Alone it does nothing.
#[test]
#[ignore = "started by the other test"]
fn child() {
    let Ok(given) = std::env::var(FILES) else {
        return;
    };
    let (folder, masked) = given.split_once('|').unwrap();
    let masked: Vec<u8> = (0..masked.len() / 2)
        .map(|at| u8::from_str_radix(&masked[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let folder = Path::new(folder);
    assert_eq!(
        copies(&masked),
        0,
        "it knows the secret before it has read it"
    );

    let secret = read_key_file(&folder.join("key")).unwrap();
    assert!(copies(&masked) > 0, "the search finds nothing");
    let candidate = Candidate {
        source: Source::Flag("--stripe-key-file"),
        place: "--stripe-key-file".to_owned(),
        secret,
    };
    let key = agree_on_key(&[candidate]).unwrap();
    assert!(copies(&masked) > 0);
    drop(key);
    assert_eq!(copies(&masked), 0, "of the Stripe key");

    let secrets = signing_secrets("NAME", None, Some(&folder.join("signing")), None).unwrap();
    assert!(copies(&masked) > 0);
    drop(secrets);
    assert_eq!(copies(&masked), 0, "of the secret that signs events");

    let file =
        ConfigFile::find(Some(&folder.join("config.toml")), &Environment::default()).unwrap();
    assert!(copies(&masked) > 0);
    drop(file);
    assert_eq!(copies(&masked), 0, "of the database's password");
}

#[test]
fn a_secret_that_was_dropped_is_nowhere_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let random = format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    );
    let write = |name: &str, text: String| {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(folder.path().join(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    write("key", format!("sk_test_{random}\n"));
    write("signing", format!("whsec_{random}\n"));
    let url = format!("[connection]\ndatabase_url = \"postgres://ops:{random}@db/club\"\n");
    write("config.toml", url);
    let sought = &random.as_bytes()[random.len() - SOUGHT..];
    let masked: String = sought
        .iter()
        .map(|byte| format!("{:02x}", byte ^ MASK))
        .collect();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "wiped::child", "--ignored", "--nocapture"])
        .env(FILES, format!("{}|{masked}", folder.path().display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
