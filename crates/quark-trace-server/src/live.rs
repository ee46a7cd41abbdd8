//! Who follows a project: woken when something was appended here, and once a second for what other
//! servers appended.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use quark_trace::core::ids::ProjectId;
use tokio::sync::watch;

use crate::access::share::{Full, Holder, Place, Places};

/// Wakes those who follow projects.
#[derive(Debug)]
pub struct Live {
    projects: Mutex<HashMap<ProjectId, watch::Sender<u64>>>,
    places: Places,
    ended: watch::Sender<bool>,
}

/// Follows one project.
#[derive(Debug)]
pub struct Follower {
    size: watch::Receiver<u64>,
    ended: watch::Receiver<bool>,
    _place: Place,
}

impl Live {
    /// Room for so many followers.
    pub fn new(places: usize) -> Self {
        let places = Places::new(places);
        Self { projects: Mutex::default(), places, ended: watch::Sender::new(false) }
    }

    /// Follows a project, unless too many follow already.
    pub fn follow(&self, project: &ProjectId, holder: &Holder) -> Result<Follower, Full> {
        let place = self.places.take(holder)?;
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        projects.retain(|_, sender| sender.receiver_count() > 0);
        let sender = projects.entry(project.clone()).or_insert_with(|| watch::Sender::new(0));
        let (size, ended) = (sender.subscribe(), self.ended.subscribe());
        Ok(Follower { size, ended, _place: place })
    }

    /// Says that the log of a project has this size now.
    pub fn appended(&self, project: &ProjectId, size: u64) {
        let projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = projects.get(project) {
            sender.send_replace(size);
        }
    }

    /// Ends all followers.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }
}

impl Follower {
    /// Waits until something may have been appended; `false` when the server goes down.
    pub async fn wait(&mut self) -> bool {
        tokio::select! {
            _ = self.size.changed() => {}
            _ = self.ended.wait_for(|ended| *ended) => return false,
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
        }
        !*self.ended.borrow()
    }
}
