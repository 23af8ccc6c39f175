//! The only place that writes files, the sandbox's own aside, and that judges whether one is private enough to be read.
//!
//! A file is written whole or not at all, and only one of its own kind is ever replaced.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use secrecy::zeroize::Zeroizing;
use uuid::Uuid;

use crate::error::Error;

/// The text of a file that somebody names, or of standard input for `-`; at most 256 MiB. A pipe with a name of its own is
/// refused: one that nobody writes to would keep us waiting.
///
/// # Errors
/// Usage: it cannot be read, is too long, or is no text.
pub fn read_input(path: &Path) -> Result<String, Error> {
    const LONGEST: u64 = 256 * 1024 * 1024;
    const TOO_LONG: &str = "it has more than 256 MiB";
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
        let file = open_input(path).map_err(|e| unusable(&e))?;
        let length = file.metadata().map_err(|e| unusable(&e))?.len();
        // Found out by reading, it would have filled the memory first.
        if length > LONGEST {
            return Err(unusable(&TOO_LONG));
        }
        Box::new(file)
    };
    let mut text = String::new();
    let read = source.take(LONGEST + 1).read_to_string(&mut text);
    let length = read.map_err(|e| unusable(&e))?;
    if length as u64 > LONGEST {
        return Err(unusable(&TOO_LONG));
    }
    Ok(text)
}

/// Text that is too long to be held and must not be shown before all of it is there. It has no name that anybody could
/// open, and ends with the process.
#[derive(Debug)]
pub struct Spool(fs::File);

impl Spool {
    /// # Errors
    /// No file can be made in the folder for temporary ones.
    pub fn new() -> io::Result<Self> {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("relink.{}", Uuid::now_v7()));
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path);
        let file = file.map_err(|why| within(&folder, &why))?;
        fs::remove_file(&path)?;
        Ok(Spool(file))
    }

    /// # Errors
    /// The disk is full, or fails.
    pub fn add(&mut self, text: &str) -> io::Result<()> {
        let written = self.0.write_all(text.as_bytes());
        written.map_err(|why| within(&std::env::temp_dir(), &why))
    }

    /// From its beginning.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(mut self) -> io::Result<impl Read> {
        self.0.seek(SeekFrom::Start(0))?;
        Ok(self.0)
    }
}

fn within(folder: &Path, why: &io::Error) -> io::Error {
    let shown = folder.display();
    let told = format!("a temporary file in `{shown}` (TMPDIR names another folder): {why}");
    io::Error::new(why.kind(), told)
}

/// The text of a file of ours that may be missing, of a long one the first MiB. `None` too for what cannot be read or is
/// no text.
#[must_use]
pub fn read_if_there(path: &Path) -> Option<String> {
    const LONGEST: u64 = 1024 * 1024;
    let file = open_file(path).ok()?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A file of settings.
pub struct FoundText {
    /// It may hold the database's URL, with a password.
    pub text: Zeroizing<String>,
    /// Everybody on this host may read it.
    pub is_open: bool,
    /// Everybody on this host may write it.
    pub is_writable: bool,
}

/// `None` where there is no such file.
///
/// # Errors
/// Configuration: it cannot be read, is too long, or is no text.
pub fn read_settings(path: &Path) -> Result<Option<FoundText>, Error> {
    const LONGEST: u64 = 1024 * 1024;
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::configuration(
            format!(
                "the configuration file `{}` cannot be read: {why}",
                path.display()
            ),
            "let this user read it, or name another file with --config",
        )
    };
    let file = match open_file(path) {
        Ok(file) => file,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    let metadata = file.metadata().map_err(|e| unreadable(&e))?;
    let mut text = room_for(metadata.len().min(LONGEST));
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    if read.map_err(|e| unreadable(&e))? as u64 > LONGEST {
        return Err(unreadable(&"it has more than 1 MiB"));
    }
    Ok(Some(FoundText {
        text,
        is_open: metadata.permissions().mode() & 0o007 != 0,
        is_writable: metadata.permissions().mode() & 0o002 != 0,
    }))
}

/// A text that is wiped when it is done with. It must not grow beyond: what it grew out of is not wiped.
fn room_for(length: u64) -> Zeroizing<String> {
    let length = usize::try_from(length).unwrap_or(0);
    Zeroizing::new(String::with_capacity(length + 64))
}

/// What a shell hands over as `/dev/stdin` or `<(…)` is open already: nobody is waited for at its opening.
fn open_input(path: &Path) -> io::Result<fs::File> {
    const HANDED_OVER: [&str; 3] = ["/dev/stdin", "/dev/fd", "/proc/self/fd"];
    match HANDED_OVER.iter().any(|place| path.starts_with(place)) {
        true => fs::File::open(path),
        false => open_file(path),
    }
}

/// Opens what is a file indeed: a pipe would keep whoever opens it waiting, deaf to every signal.
///
/// # Errors
/// The operating system's word, or that it is no regular file.
pub fn open_file(path: &Path) -> io::Result<fs::File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    fs::File::open(path)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// # Errors
/// Configuration: whether there is such a file cannot be seen.
pub fn exists(path: &Path) -> Result<bool, Error> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(Error::configuration(
            format!("`{}` cannot be looked at: {error}", path.display()),
            "let this user read it",
        )),
    }
}

/// Whether this process may write a file, or into a folder. Nothing is opened, and nothing is written.
///
/// # Errors
/// The operating system's word.
pub fn may_write(path: &Path) -> std::io::Result<()> {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(std::io::Error::from)
}

/// Far more than any key; a device or a huge file given by mistake must not fill the memory.
const LARGEST_SECRET: u64 = 64 * 1024;

/// Reads a secret's file; `name` is what it is called in an error, and `remedy` what to do where it cannot be read. What
/// was read is wiped when it is dropped.
///
/// # Errors
/// Configuration: it is missing, unreadable, not a regular file, readable by others, or not text.
pub fn read_private(path: &Path, name: &str, remedy: &str) -> Result<Zeroizing<String>, Error> {
    let shown = path.display();
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::configuration(format!("{name} `{shown}` cannot be read: {why}"), remedy)
    };
    let file = open_file(path).map_err(|e| unreadable(&e))?;
    let metadata = file.metadata().map_err(|e| unreadable(&e))?;
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(Error::configuration(
            format!("{name} `{shown}` is open to everybody on this host"),
            format!("chmod 600 {shown}"),
        ));
    }
    let mut text = room_for(LARGEST_SECRET);
    file.take(LARGEST_SECRET)
        .read_to_string(&mut text)
        .map_err(|e| unreadable(&e))?;
    Ok(text)
}

/// What a file of ours is known by, so that no other file is ever replaced: an output under a mistyped name must not cost
/// anybody the orders' database, a key or a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of orders with addresses, as CSV.
    List,
    /// For Prometheus.
    Gauges,
    SavedPlan,
    /// A manual's page or a schema, under a name of ours.
    Page,
}

impl Kind {
    fn is_known_by(self, beginning: &str) -> bool {
        match self {
            Kind::List => beginning.starts_with("order,player,parent_email,"),
            Kind::Gauges => beginning.starts_with("# HELP relink_"),
            Kind::SavedPlan => {
                beginning.starts_with('{') && beginning.contains("\"relink.saved_plan/")
            }
            Kind::Page => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::List => "a list of orders",
            Kind::Gauges => "relink's gauges",
            Kind::SavedPlan => "a saved plan",
            Kind::Page => "a page",
        }
    }
}

/// Puts a whole file in place: whoever reads `path`, at any moment and after a crash, finds the old content or the new
/// one. It has exactly `mode`, whatever the umask. Only a file of the same kind is replaced, or an empty one: not a link,
/// since somebody else may have put it there, not a device, and nothing that relink itself may be reading.
///
/// # Errors
/// Configuration: it cannot be written; whatever was there before still is.
pub fn write_atomically(path: &Path, kind: Kind, bytes: &[u8], mode: u32) -> Result<(), Error> {
    replace(path, kind, bytes, mode).map_err(|why| unwritable(path, &why))
}

/// Makes a directory and those above it, where they are missing.
///
/// # Errors
/// Configuration: it cannot be made.
pub fn make_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|why| unwritable(path, &why))
}

fn unwritable(path: &Path, why: &io::Error) -> Error {
    Error::configuration(
        format!("`{}` cannot be written: {why}", path.display()),
        "name a place that you may write to",
    )
}

/// Whether a file could be put into this place, as far as can be seen without writing.
///
/// # Errors
/// The operating system's word, or that something else is in the place.
pub fn may_replace(path: &Path, kind: Kind) -> io::Result<()> {
    path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    may_write(directory_of(path))?;
    refuse_another(path, kind)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn refuse_another(path: &Path, kind: Kind) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => Err(io::Error::other(
            "something else than a regular file is there",
        )),
        Ok(_) if !is_of(kind, path)? => Err(io::Error::other(format!(
            "another file is there, not {}; move it away, or name another place",
            kind.name()
        ))),
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Of an empty one nothing is lost.
fn is_of(kind: Kind, path: &Path) -> io::Result<bool> {
    const ENOUGH: u64 = 128;
    let mut beginning = Vec::new();
    open_file(path)?.take(ENOUGH).read_to_end(&mut beginning)?;
    let beginning = String::from_utf8_lossy(&beginning);
    Ok(beginning.is_empty() || kind.is_known_by(&beginning))
}

fn replace(path: &Path, kind: Kind, bytes: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    refuse_another(path, kind)?;
    let directory = directory_of(path);
    // Only within one directory is the renaming one step.
    let new = directory.join(format!(".{}.{}", name.to_string_lossy(), Uuid::new_v4()));
    let written = write_durably(&new, bytes, mode).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // It may never have been made; what is left of it is in nobody's way.
        let _ = fs::remove_file(&new);
        return written;
    }
    // The name is durable with its directory. A file system that cannot sync one has no promise to break.
    let _ = fs::File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// The file is its owner's alone until it is whole.
fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("orders.csv");
        for (content, bits) in [("a longer content\n", 0o600), ("new\n", 0o664), ("", 0o640)] {
            write_atomically(&path, Kind::Page, content.as_bytes(), bits).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(mode(&path), bits, "of {content:?}");
        }
        assert_eq!(names(directory.path()), ["orders.csv"]);
    }

    #[test]
    fn who_reads_meanwhile_sees_one_content_or_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.prom");
        let contents = ["a".repeat(300_000), "b".repeat(300_000)];
        write_atomically(&path, Kind::Page, contents[0].as_bytes(), 0o644).unwrap();
        std::thread::scope(|threads| {
            let writer = threads.spawn(|| {
                for content in contents.iter().cycle().take(100) {
                    write_atomically(&path, Kind::Page, content.as_bytes(), 0o644).unwrap();
                }
            });
            while !writer.is_finished() {
                let seen = fs::read_to_string(&path).unwrap();
                assert!(
                    contents.contains(&seen),
                    "a torn file of {} bytes",
                    seen.len()
                );
            }
        });
    }

    #[test]
    fn a_link_a_directory_and_a_device_are_left_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        fs::write(&target, "mine").unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for path in [link.as_path(), directory.path(), Path::new("/dev/null")] {
            let why = write_atomically(path, Kind::Page, b"theirs", 0o600).unwrap_err();
            let shown = path.display().to_string();
            assert!(why.to_string().contains(&shown), "{why}");
            assert_eq!(why.describe().status.code(), 4);
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(directory.path()), ["link", "target"]);
    }

    #[test]
    fn only_a_file_of_the_same_kind_or_an_empty_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let kinds = [
            (Kind::List, "order,player,parent_email,tournament\n"),
            (Kind::Gauges, "# HELP relink_orders Orders by verdict\n"),
            (
                Kind::SavedPlan,
                "{\n  \"schema\": \"relink.saved_plan/1\",\n",
            ),
        ];
        for (kind, content) in kinds {
            fs::write(&path, "").unwrap();
            for _ in 0..2 {
                may_replace(&path, kind).unwrap();
                write_atomically(&path, kind, content.as_bytes(), 0o600).unwrap();
            }
            let others = kinds.iter().filter(|(other, _)| *other != kind);
            for (other, theirs) in others {
                assert!(may_replace(&path, *other).is_err());
                let why = write_atomically(&path, *other, theirs.as_bytes(), 0o600);
                assert!(
                    why.unwrap_err()
                        .to_string()
                        .contains("another file is there")
                );
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        fs::write(&path, b"SQLite format 3\0").unwrap();
        for (kind, content) in kinds {
            assert!(write_atomically(&path, kind, content.as_bytes(), 0o600).is_err());
        }
        assert_eq!(fs::read(&path).unwrap(), b"SQLite format 3\0");
    }

    /// Whoever opens a pipe for reading waits until somebody writes: a run would never come to its end.
    #[test]
    fn a_pipe_in_a_files_place_is_no_file_of_ours_and_keeps_nobody_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("metrics.prom");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let (said, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || said.send(read_if_there(&pipe)));
        let patience = std::time::Duration::from_secs(10);
        assert_eq!(heard.recv_timeout(patience), Ok(None));
    }

    #[test]
    fn a_failure_names_the_path_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing/plan.json");
        let why = write_atomically(&path, Kind::Page, b"{}", 0o600).unwrap_err();
        assert!(why.to_string().contains("missing/plan.json"), "{why}");
        let too_long = directory.path().join("x".repeat(250));
        assert!(write_atomically(&too_long, Kind::Page, b"{}", 0o600).is_err());
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }
}
