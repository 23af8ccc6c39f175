//! How a case spells what a file of text cannot hold: a byte, ten million of them, the folder that it runs in.
//!
//! `<<dir>>`, `<<byte ff 00>>`, `<<times 1000 x>>`, and of the world `<<database>>`, `<<file>>`, `<<stripe>>`, `<<key>>`, and
//! `<<wrongly>>` for the database with another password.
//! Anything else between those brackets is an error.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// What a run must show to nobody has this word in it.
pub const CANARY: &str = "canary";
pub const KEY: &str = "sk_test_corpuscanary";

/// What the words between brackets stand for.
pub struct Spelling<'a> {
    pub folder: &'a Path,
    pub database: &'a str,
    pub stripe: &'a str,
}

impl Spelling<'_> {
    pub fn bytes(&self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("<<") {
            out.extend_from_slice(before.as_bytes());
            let (word, after) = after
                .split_once(">>")
                .unwrap_or_else(|| panic!("`<<` is never closed in {text}"));
            self.word(word, &mut out);
            rest = after;
        }
        out.extend_from_slice(rest.as_bytes());
        out
    }

    pub fn text(&self, text: &str) -> String {
        String::from_utf8(self.bytes(text)).unwrap()
    }

    pub fn os(&self, text: &str) -> OsString {
        OsString::from_vec(self.bytes(text))
    }

    fn word(&self, word: &str, out: &mut Vec<u8>) {
        let (verb, rest) = word.split_once(' ').unwrap_or((word, ""));
        match verb {
            "dir" => out.extend_from_slice(self.folder.to_str().unwrap().as_bytes()),
            "database" => out.extend_from_slice(self.database.as_bytes()),
            "file" => {
                let file = self.database.trim_start_matches("sqlite://");
                out.extend_from_slice(file.as_bytes());
            }
            "stripe" => out.extend_from_slice(self.stripe.as_bytes()),
            "wrongly" => {
                let mut url = url::Url::parse(self.database).unwrap();
                url.set_password(Some("corpuscanary")).unwrap();
                out.extend_from_slice(url.as_str().as_bytes());
            }
            "key" => out.extend_from_slice(KEY.as_bytes()),
            "byte" => out.extend(
                rest.split(' ')
                    .map(|digits| u8::from_str_radix(digits, 16).unwrap()),
            ),
            "times" => {
                let (count, what) = rest.split_once(' ').unwrap();
                let count: usize = count.parse().unwrap();
                out.extend_from_slice(&what.as_bytes().repeat(count));
            }
            other => panic!("nothing is spelt `<<{other}>>`"),
        }
    }
}

/// Enough of a long text to see what it is.
pub fn shown(text: &str) -> String {
    const ENDS: usize = 1500;
    if text.len() <= 2 * ENDS {
        return text.to_owned();
    }
    let first: String = text.chars().take(ENDS).collect();
    let tail = text.chars().rev().take(ENDS).collect::<Vec<_>>();
    let last: String = tail.into_iter().rev().collect();
    format!("{first}\n  … {} bytes in all …\n{last}", text.len())
}
