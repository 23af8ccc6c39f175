//! The only place that writes files, and that judges whether one is private enough to be read.
//!
//! A file is written whole or not at all: whoever reads it meanwhile finds the old one.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The text of a file that somebody names, or of standard input for `-`; at most 256 MiB.
///
/// # Errors
/// Usage: it cannot be read, is too long, or is no text.
pub fn read_input(path: &Path) -> Result<String, Error> {
    const LONGEST: u64 = 256 * 1024 * 1024;
    let shown = path.display();
    let unusable = |why: &dyn std::fmt::Display| {
        Error::usage(
            format!("`{shown}` cannot be read: {why}"),
            "give a readable file of text, or `-` for standard input",
        )
    };
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(fs::File::open(path).map_err(|e| unusable(&e))?)
    };
    let mut text = String::new();
    let read = source.take(LONGEST + 1).read_to_string(&mut text);
    let length = read.map_err(|e| unusable(&e))?;
    if length as u64 > LONGEST {
        return Err(unusable(&"it has more than 256 MiB"));
    }
    Ok(text)
}

/// Writes a file in one go, in place of one that may be there; only `mode`'s rights are given, whatever the umask.
///
/// # Errors
/// Configuration: it cannot be written there. What was there before is untouched.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let draft = draft_of(path)?;
    let written = write_draft(&draft, bytes, mode).and_then(|()| fs::rename(&draft, path));
    if let Err(error) = written {
        // Whatever there is of it is of no use to anybody.
        let _ = fs::remove_file(&draft);
        return Err(unwritable(path, &error));
    }
    // The file is there; that it is there after a power cut as well is best effort.
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// A name beside the file, so that renaming it stays within one file system.
fn draft_of(path: &Path) -> Result<PathBuf, Error> {
    let Some(name) = path.file_name() else {
        return Err(unwritable(path, &"it names no file"));
    };
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}", uuid::Uuid::new_v4().simple()));
    Ok(path.with_file_name(draft))
}

fn write_draft(draft: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(draft)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn unwritable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::configuration(
        format!("`{}` cannot be written: {why}", path.display()),
        "name a file in a folder that this user may write to",
    )
}

/// Far more than any key; a device or a huge file given by mistake must not fill the memory.
const LARGEST_SECRET: u64 = 64 * 1024;

/// Reads a secret's file.
///
/// # Errors
/// Configuration: it is missing, unreadable, not a regular file, readable by others, or not text.
pub fn read_private(path: &Path) -> Result<String, Error> {
    let shown = path.display();
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::configuration(
            format!("key file `{shown}` cannot be read: {why}"),
            "give --stripe-key-file a readable file that holds the key alone",
        )
    };
    let file = fs::File::open(path).map_err(|e| unreadable(&e))?;
    let metadata = file.metadata().map_err(|e| unreadable(&e))?;
    if !metadata.is_file() {
        return Err(unreadable(&"it is not a regular file"));
    }
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(Error::configuration(
            format!("key file `{shown}` is open to everybody on this host"),
            format!("chmod 600 {shown}"),
        ));
    }
    let mut text = String::new();
    file.take(LARGEST_SECRET)
        .read_to_string(&mut text)
        .map_err(|e| unreadable(&e))?;
    Ok(text)
}
