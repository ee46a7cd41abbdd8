//! The folders of the spool: one for each server and node, in it one for each project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::Digest;

use super::claim::Claim;
use super::segment::{count_lines, names, read_shipped, with};
use super::{refused, tally};
use crate::error::{Error, Result};
use crate::store::file::folder;

const READ: &str = "read the spool";
const ABOUT: &str = "about";
const PROJECT: &str = "project";

/// Records of one project that wait on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The server that they are for.
    pub server: String,
    /// The node that sends them.
    pub node: String,
    /// The project.
    pub project: String,
    /// How many wait.
    pub records: u64,
    /// Their size.
    pub bytes: u64,
    /// How many the server refused for good; they are kept in the folder.
    pub refused: u64,
    /// How many records that were to tell of missing ones the server refused for good.
    pub refused_gaps: u64,
    /// How many were left out without room for them, of which no record tells yet.
    pub untold: u64,
    /// Whether a process is at work on some of them.
    pub in_use: bool,
    /// Where they are.
    pub folder: PathBuf,
}

fn named(root: &Path, server: &str, node: &str) -> (PathBuf, String) {
    let about = format!("{server}\n{node}\n");
    (root.join(&Digest::of(about.as_bytes()).to_string()[..32]), about)
}

/// The folder for a server and a node, if there is one.
pub(super) fn find(root: &Path, server: &str, node: &str) -> io::Result<Option<PathBuf>> {
    match fs::canonicalize(named(root, server, node).0) {
        Ok(place) => Ok(Some(place)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the records of a project wait, whether there is a folder already or not.
#[derive(Debug, Clone)]
pub(super) struct Home {
    spool: PathBuf,
    server: String,
    node: String,
    project: ProjectId,
}

impl Home {
    pub fn new(spool: &Path, server: &str, node: &str, project: ProjectId) -> Self {
        let (server, node) = (server.to_owned(), node.to_owned());
        Self { spool: spool.to_owned(), server, node, project }
    }

    pub fn spool(&self) -> &Path {
        &self.spool
    }

    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    /// The folder, made where it is missing.
    pub fn make(&self) -> io::Result<PathBuf> {
        lane(&open(&self.spool, &self.server, &self.node)?, &self.project)
    }
}

/// The folder for a server and a node, which is made where it is missing.
fn open(root: &Path, server: &str, node: &str) -> io::Result<PathBuf> {
    let (place, about) = named(root, server, node);
    folder::create_private_folder(&place)?;
    if folder::read_if_there(&place.join(ABOUT))?.as_deref() != Some(about.as_bytes()) {
        folder::replace(&place.join(ABOUT), about.as_bytes(), true)?;
    }
    fs::canonicalize(place)
}

/// The folder of a project, which is made where it is missing.
fn lane(place: &Path, project: &ProjectId) -> io::Result<PathBuf> {
    let lane = place.join(&Digest::of(project.as_str().as_bytes()).to_string()[..32]);
    folder::create_private_folder(&lane)?;
    if folder::read_if_there(&lane.join(PROJECT))?.is_none() {
        folder::replace(&lane.join(PROJECT), format!("{project}\n").as_bytes(), true)?;
    }
    Ok(lane)
}

/// The projects that have a folder, with it.
pub(super) fn lanes(place: &Path) -> io::Result<Vec<(ProjectId, PathBuf)>> {
    let mut found = Vec::new();
    for lane in folders(place)? {
        let named = folder::read_if_there(&lane.join(PROJECT))?;
        let named = named.and_then(|name| String::from_utf8(name).ok());
        if let Some(project) = named.and_then(|name| name.trim_end_matches('\n').parse().ok()) {
            found.push((project, lane));
        }
    }
    Ok(found)
}

fn folders(place: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// What waits in a spool, by server, node and project. Nothing is changed.
pub fn list(root: &Path) -> Result<Vec<Waiting>> {
    let wrap = |error| Error::io(READ, root.display().to_string(), error);
    let mut found = Vec::new();
    // One name for each lock: this process may hold some of them.
    let known = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    for place in folders(&known).map_err(wrap)? {
        let about = folder::read_if_there(&place.join(ABOUT)).map_err(wrap)?.unwrap_or_default();
        let about = String::from_utf8_lossy(&about).into_owned();
        let mut words = about.lines();
        let (Some(server), Some(node)) = (words.next(), words.next()) else { continue };
        for (project, folder) in lanes(&place).map_err(wrap)? {
            let (server, node) = (server.to_owned(), node.to_owned());
            let project = project.as_str().to_owned();
            let empty = Waiting {
                server,
                node,
                project,
                records: 0,
                bytes: 0,
                refused: 0,
                refused_gaps: 0,
                untold: 0,
                in_use: false,
                folder,
            };
            found.push(count(empty).map_err(wrap)?);
        }
    }
    Ok(found)
}

fn count(mut waiting: Waiting) -> io::Result<Waiting> {
    for name in names(&waiting.folder)? {
        let path = waiting.folder.join(&name);
        waiting.in_use |= Claim::take(&with(&path, "lock"))?.is_none();
        let Ok(mut records) = folder::open_read(&with(&path, "records")) else { continue };
        let shipped = read_shipped(&path)?;
        io::Seek::seek(&mut records, io::SeekFrom::Start(shipped))?;
        let (lines, bytes) = count_lines(&records)?;
        waiting.records += lines;
        waiting.bytes += bytes;
    }
    let (untold, counting) = tally::untold(&waiting.folder)?;
    (waiting.untold, waiting.in_use) = (untold, waiting.in_use || counting);
    (waiting.refused, waiting.refused_gaps) = refused::count(&waiting.folder)?;
    Ok(waiting)
}
