//! Places that are shared out, so that nobody has them all: long answers, streams, reads at a time.
//!
//! A key (with those that were made in its place) or, without one, a network has a quarter of the
//! places at most, and an institution, or all who have no key, three quarters: whatever one of them
//! does, a place is left for another. What is counted is who holds or wants a place now, so it does
//! not grow with what somebody invents, and a place is given back when it is dropped.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::caller::Caller;
use super::rate::network;
use crate::problem::Problem;

/// For whom a place is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    one: One,
    group: Group,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum One {
    /// The first of the keys that were made in place of one another.
    Key(String),
    Network(IpAddr),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Group {
    Institution(String),
    Operators,
    WithoutKey,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Counted {
    One(One),
    Group(Group),
}

tokio::task_local! {
    /// For whom the request that is answered now is.
    static HOLDER: Holder;
}

/// Does the work of a request, whose turns are counted for this holder.
pub async fn for_holder<T>(holder: Holder, work: impl Future<Output = T>) -> T {
    HOLDER.scope(holder, work).await
}

impl Holder {
    /// For whom the request that is answered now is; outside of one, nobody with a key.
    pub fn of_request() -> Self {
        HOLDER.try_with(Self::clone).unwrap_or_else(|_| Self::of(&Caller::Anonymous, None))
    }

    /// Whoever calls from this address.
    pub fn of(caller: &Caller, address: Option<SocketAddr>) -> Self {
        match caller.identity() {
            None => Self { one: One::Network(network(address)), group: Group::WithoutKey },
            Some(identity) => Self {
                one: One::Key(identity.first_key_id.clone()),
                group: match &identity.institution_id {
                    Some(institution) => Group::Institution(institution.clone()),
                    None => Group::Operators,
                },
            },
        }
    }
}

/// Places of one kind.
#[derive(Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    most: usize,
    counted: Mutex<HashMap<Counted, Weak<Semaphore>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    one: OwnedSemaphorePermit,
    group: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
    most: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The key or network has its share, of so many.
    One(usize),
    /// Its institution, or all who have no key, have theirs.
    Group(usize),
    /// All are taken.
    All(usize),
}

impl Places {
    /// So many places, at least one.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { all: Arc::new(Semaphore::new(most)), most, counted: Mutex::default() }
    }

    /// A place, if there is one now.
    pub fn take(&self, holder: &Holder) -> Result<Place, Full> {
        self.take_many(holder, 1)
    }

    /// So many places in one, if there are as many now.
    pub fn take_many(&self, holder: &Holder, count: u32) -> Result<Place, Full> {
        let (one, group) = self.counted_for(holder);
        let refused = |full: Full| move |_: TryAcquireError| full;
        let of_one = Full::One(share(self.most));
        let one = one.try_acquire_many_owned(count).map_err(refused(of_one))?;
        let of_group = Full::Group(group_share(self.most));
        let group = group.try_acquire_many_owned(count).map_err(refused(of_group))?;
        let all = Arc::clone(&self.all).try_acquire_many_owned(count);
        let all = all.map_err(refused(Full::All(self.most)))?;
        Ok(Place { one, group, all, most: self.most })
    }

    /// A place, as soon as there is one. Who waits for its own share is in nobody's way.
    pub async fn wait(&self, holder: &Holder) -> Result<Place, AcquireError> {
        let (one, group) = self.counted_for(holder);
        let one = one.acquire_owned().await?;
        let group = group.acquire_owned().await?;
        let all = Arc::clone(&self.all).acquire_owned().await?;
        Ok(Place { one, group, all, most: self.most })
    }

    fn counted_for(&self, holder: &Holder) -> (Arc<Semaphore>, Arc<Semaphore>) {
        let counted = &mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let one = semaphore(counted, Counted::One(holder.one.clone()), share(self.most));
        let group = Counted::Group(holder.group.clone());
        (one, semaphore(counted, group, group_share(self.most)))
    }
}

impl Place {
    /// Keeps another place of the same kind and holder with this one.
    pub fn merge(&mut self, other: Self) {
        self.one.merge(other.one);
        self.group.merge(other.group);
        self.all.merge(other.all);
    }

    /// Whether half of the places, or half of its holder's share, is taken.
    pub fn is_crowded(&self) -> bool {
        let left = |permit: &OwnedSemaphorePermit| permit.semaphore().available_permits();
        left(&self.all) < self.most.div_ceil(2) || left(&self.one) < share(self.most).div_ceil(2)
    }
}

/// Places that one key or network may have.
fn share(most: usize) -> usize {
    (most / 4).max(2).min(most)
}

/// Places that an institution, or all who have no key, may have.
fn group_share(most: usize) -> usize {
    (most - most / 4).max(1)
}

fn semaphore(
    counted: &mut HashMap<Counted, Weak<Semaphore>>,
    whose: Counted,
    places: usize,
) -> Arc<Semaphore> {
    if let Some(known) = counted.get(&whose).and_then(Weak::upgrade) {
        return known;
    }
    // Nobody holds or waits for a place of those that are gone.
    counted.retain(|_, known| known.strong_count() > 0);
    let new = Arc::new(Semaphore::new(places));
    counted.insert(whose, Arc::downgrade(&new));
    new
}

impl Full {
    /// The answer; `what` names the places: `long answers`.
    pub fn problem(self, what: &str, advice: &str) -> Problem {
        let detail = format!("{self} {what}; {advice}");
        match self {
            Self::All(_) => Problem::busy(detail),
            Self::One(_) | Self::Group(_) => Problem::too_many_at_once(detail),
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(most) => {
                write!(formatter, "this key, or who calls without one, has its share of {most}")
            }
            Self::Group(most) => write!(
                formatter,
                "this institution, or all who call without a key, have their share of {most}"
            ),
            Self::All(most) => write!(formatter, "the server has all its {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, institution: &str) -> Holder {
        Holder { one: One::Key(id.into()), group: Group::Institution(institution.into()) }
    }

    fn address(text: &str) -> Holder {
        Holder::of(&Caller::Anonymous, Some(text.parse().unwrap()))
    }

    fn taken(places: &Places, holders: &[Holder]) -> Vec<Result<Place, Full>> {
        holders.iter().map(|holder| places.take(holder)).collect()
    }

    #[test]
    fn nobody_has_more_than_a_share_and_no_institution_has_all() {
        let places = Places::new(16);
        let all_of = |institution: &str| {
            let ids = ["1", "2", "3", "4", "5"];
            let ids = ids.iter().flat_map(|id| [*id; 5]);
            ids.map(|id| key(&format!("{institution}{id}"), institution)).collect::<Vec<_>>()
        };
        let crowd = taken(&places, &all_of("a"));
        let refused: Vec<_> = crowd.iter().filter_map(|place| place.as_ref().err()).collect();
        assert_eq!((crowd.len(), refused.len()), (25, 13));
        assert_eq!(refused[..3], [&Full::One(4); 3]);
        assert_eq!(refused[3..], [&Full::Group(12); 10]);
        let others = taken(&places, &all_of("b"));
        let (had, last) = (others.iter().filter(|place| place.is_ok()).count(), &others[6]);
        assert_eq!((had, last.as_ref().err()), (4, Some(&Full::All(16))));
        drop((crowd, others));
        assert_eq!(places.all.available_permits(), 16);
    }

    #[test]
    fn a_network_without_a_key_is_one() {
        let places = Places::new(16);
        let one = (1..=6).map(|at| address(&format!("[2001:db8::{at}]:1"))).collect::<Vec<_>>();
        let taken = taken(&places, &one);
        assert_eq!(taken.iter().filter(|place| place.is_ok()).count(), 4);
        assert!(places.take(&address("[2001:db8:0:1::1]:1")).is_ok());
        assert!(places.take(&address("10.0.0.1:1")).is_ok());
    }

    #[test]
    fn what_is_counted_does_not_grow() {
        let places = Places::new(16);
        for id in 0..1000 {
            drop(places.take(&key(&id.to_string(), &id.to_string())));
        }
        assert!(places.counted.lock().unwrap().len() <= 2);
        assert_eq!(places.all.available_permits(), 16);
    }

    #[tokio::test]
    async fn who_waits_for_its_own_share_is_in_nobodys_way() {
        let places = Arc::new(Places::new(8));
        let held = [places.wait(&key("a", "A")).await, places.wait(&key("a", "A")).await];
        let crowd: Vec<_> = (0..100)
            .map(|_| {
                let places = Arc::clone(&places);
                tokio::spawn(async move { drop(places.wait(&key("a", "A")).await) })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(places.take(&key("b", "A")).is_ok());
        drop(held);
        for waiting in crowd {
            waiting.await.unwrap();
        }
        assert_eq!(places.all.available_permits(), 8);
    }

    #[test]
    fn a_place_knows_when_there_are_few() {
        let places = Places::new(16);
        let first = places.take(&key("a", "A")).unwrap();
        assert!(!first.is_crowded());
        let second = (places.take(&key("a", "A")).unwrap(), places.take(&key("a", "A")).unwrap());
        assert!(first.is_crowded() && second.0.is_crowded());
        drop(second);
        assert!(!first.is_crowded());
        let others = ["b", "c", "d", "e"].map(|id| [(); 2].map(|()| places.take(&key(id, "B"))));
        assert!(first.is_crowded());
        drop(others);
    }
}
