//! Names of files, and opening them so that no link or mode opens a door.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::Digest;

/// The paths of one project's files.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// `{P}_trace_log.jsonl`
    pub records: PathBuf,
    /// `{P}_fact_sheet.json`
    pub sheet: PathBuf,
    /// `{P}.qtlog`, or `{P}.qtlog-{extension}` where that is not `jsonl`
    pub log: PathBuf,
}

impl Names {
    /// The paths of `project` in `folder`; `extension` is `jsonl` unless the caller of the
    /// original chose another.
    pub fn new(folder: &Path, project: &ProjectId, extension: &str) -> Self {
        let raw = project.as_str().to_owned();
        let portable = portable_name(&raw);
        // The original used the id as it is; a file that it left under that name stays in use.
        let exists = |name: &str| {
            fs::symlink_metadata(folder.join(format!("{name}_trace_log.{extension}"))).is_ok()
                || fs::symlink_metadata(folder.join(format!("{name}_fact_sheet.json"))).is_ok()
        };
        // Not when that name is what another id is written as.
        let free = decode(&raw).is_none_or(|other| portable_name(&other) != raw);
        let name = if raw != portable && free && exists(&raw) { raw } else { portable };
        // Records of another ending are another log, and no id is written with this one.
        let ending = if extension == "jsonl" { String::new() } else { format!("-{extension}") };
        Self {
            records: folder.join(format!("{name}_trace_log.{extension}")),
            sheet: folder.join(format!("{name}_fact_sheet.json")),
            log: folder.join(format!("{name}.qtlog{ending}")),
        }
    }

    pub fn ledger(&self) -> PathBuf {
        self.log.join("ledger")
    }

    pub fn checkpoint(&self) -> PathBuf {
        self.log.join("checkpoint")
    }

    pub fn verifier_keys(&self) -> PathBuf {
        self.log.join("log.vkey")
    }

    pub fn state(&self) -> PathBuf {
        self.log.join("state")
    }

    pub fn batch(&self) -> PathBuf {
        self.log.join("batch")
    }

    pub fn owed(&self) -> PathBuf {
        self.log.join("owed")
    }

    pub fn begun(&self) -> PathBuf {
        self.log.join("begun")
    }

    pub fn object(&self, digest: Digest) -> PathBuf {
        let hex = digest.to_string();
        self.log.join("objects").join(&hex[..2]).join(&hex[2..])
    }
}

/// The id as a file name that every system can have: itself for most ids, with `%XX` for what
/// Windows refuses. Injective, because `%` itself is encoded.
fn portable_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    let last = id.len() - id.chars().next_back().map_or(0, char::len_utf8);
    for (at, character) in id.char_indices() {
        let trailing = at == last && matches!(character, '.' | ' ');
        if trailing || "<>:\"|?*%".contains(character) {
            name.push_str(&format!("%{:02X}", u32::from(character)));
        } else {
            name.push(character);
        }
    }
    name
}

/// The project that a file name belongs to, if it is one of ours.
pub(crate) fn project_of(file_name: &str, extension: &str) -> Option<ProjectId> {
    let name = file_name
        .strip_suffix(&format!("_trace_log.{extension}"))
        .or_else(|| file_name.strip_suffix("_fact_sheet.json"))
        .or_else(|| file_name.strip_suffix(".qtlog"))?;
    let decoded = decode(name).filter(|id| portable_name(id) == name);
    decoded.unwrap_or_else(|| name.to_owned()).parse().ok()
}

fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Options that never follow a link in the last part of the path and make files for the owner
/// alone.
fn private() -> OpenOptions {
    #[allow(unused_mut, reason = "only Unix adds to it")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Without NONBLOCK, opening a FIFO waits for its other end.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options
}

/// Refuses a link, a folder or a device where a file should be.
fn plain(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"))
}

fn explain_link(error: io::Error) -> io::Error {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a symbolic link, and links are not followed",
        );
    }
    error
}

/// Opens for reading.
pub(crate) fn open_read(path: &Path) -> io::Result<File> {
    private().read(true).open(path).map_err(explain_link).and_then(plain)
}

/// Opens for reading and appending, and makes the file when it is missing.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    private().read(true).append(true).create(true).open(path).map_err(explain_link).and_then(plain)
}

/// Opens a file that is there for reading and writing.
#[cfg(feature = "http")]
pub(crate) fn open_there(path: &Path) -> io::Result<File> {
    private().read(true).write(true).open(path).map_err(explain_link).and_then(plain)
}

/// Opens for writing anywhere in the file, and makes it when it is missing.
pub(crate) fn open_write(path: &Path) -> io::Result<File> {
    private().write(true).create(true).open(path).map_err(explain_link).and_then(plain)
}

/// Makes a file that must not exist.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    private().write(true).create_new(true).open(path).map_err(explain_link)
}

/// Makes the folder and its parents, for the owner alone where it is new, durably.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => {
            let message = "a file stands where a folder should be; give another folder";
            return Err(io::Error::new(io::ErrorKind::NotADirectory, message));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_private_folder(parent)?;
    }
    #[allow(unused_mut, reason = "only Unix changes it")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(parent.unwrap_or(Path::new("."))),
    }
}

/// Makes renames and new names in the folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder) {
        // A folder that may be written but not read (a parent, mostly) cannot be flushed alone.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other?.sync_all(),
    }
}

/// Reads a whole file; `None` when there is none.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match open_read(path) {
        Ok(mut file) => {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut file, &mut bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a file in one step: a reader sees the old bytes or the new ones.
pub(crate) fn replace(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let staged = folder.join(name);
    let mut file = private().write(true).create(true).truncate(true).open(&staged)?;
    let written = io::Write::write_all(&mut file, bytes)
        .and_then(|()| if durable { file.sync_data() } else { Ok(()) })
        .and_then(|()| fs::rename(&staged, path));
    if let Err(error) = written {
        // What could not be put in place is no one's data.
        let _ = fs::remove_file(&staged);
        return Err(error);
    }
    if durable { sync_folder(folder) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_where_every_system_can_have_them() {
        for id in ["p", "my-project-001", "Klinik Köln", "x_trace_log", "A.b"] {
            assert_eq!(portable_name(id), id);
        }
        assert_eq!(portable_name("a:b%"), "a%3Ab%25");
        assert_eq!(portable_name("a. "), "a.%20");
        for id in ["a:b%", "50%", "%41", "a?", "x."] {
            let project: ProjectId = id.parse().unwrap();
            let file = format!("{}_trace_log.jsonl", portable_name(id));
            assert_eq!(project_of(&file, "jsonl"), Some(project), "{id}");
        }
        assert_eq!(project_of("notes.txt", "jsonl"), None);
    }
}
