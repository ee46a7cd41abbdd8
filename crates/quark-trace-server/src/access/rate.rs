//! How often somebody may call: by key, and by address for who has none that is good.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::settings::Limits;

/// Whether it is somebody's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Now,
    /// Not before so long.
    In(Duration),
}

/// The counters.
#[derive(Debug)]
pub struct Rates {
    keys: Option<DefaultKeyedRateLimiter<String>>,
    anonymous: Option<DefaultKeyedRateLimiter<IpAddr>>,
    failed: Option<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
}

impl Rates {
    /// Counters that allow what the limits say, and twice as much in a burst.
    pub fn new(limits: &Limits) -> Self {
        Self {
            keys: quota(limits.key_rate).map(RateLimiter::keyed),
            anonymous: quota(limits.address_rate).map(RateLimiter::keyed),
            failed: quota(limits.address_rate).map(RateLimiter::keyed),
            clock: DefaultClock::default(),
        }
    }

    /// A call with a good key.
    pub fn known(&self, key_id: &str) -> Turn {
        let Some(keys) = &self.keys else { return Turn::Now };
        self.turn(keys.check_key(&key_id.to_owned()))
    }

    /// A call without a key.
    pub fn anonymous(&self, address: Option<SocketAddr>) -> Turn {
        let Some(anonymous) = &self.anonymous else { return Turn::Now };
        self.turn(anonymous.check_key(&network(address)))
    }

    /// A call with a key that was refused. The key itself is not locked: whoever knows its public
    /// part could otherwise lock out its holder.
    pub fn failed(&self, address: Option<SocketAddr>) -> Turn {
        let Some(failed) = &self.failed else { return Turn::Now };
        self.turn(failed.check_key(&network(address)))
    }

    /// Forgets who has not called for a while; call it now and then.
    pub fn forget(&self) {
        if let Some(keys) = &self.keys {
            keys.retain_recent();
        }
        for addresses in [&self.anonymous, &self.failed].into_iter().flatten() {
            addresses.retain_recent();
        }
    }

    fn turn(
        &self,
        checked: Result<(), governor::NotUntil<<DefaultClock as Clock>::Instant>>,
    ) -> Turn {
        match checked {
            Ok(()) => Turn::Now,
            Err(not_until) => Turn::In(not_until.wait_time_from(self.clock.now())),
        }
    }
}

fn quota(rate: u32) -> Option<Quota> {
    let rate = NonZeroU32::new(rate)?;
    Some(
        Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1))),
    )
}

/// The address, and of IPv6 the network of 64 bits that one customer has.
pub fn network(address: Option<SocketAddr>) -> IpAddr {
    match address.map(|address| address.ip().to_canonical()) {
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        Some(IpAddr::V6(address)) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        Some(address) => address,
    }
}
