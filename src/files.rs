//! The only place that writes files, and that judges whether one is private enough to be read.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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
