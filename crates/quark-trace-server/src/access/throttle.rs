//! How many bytes somebody may send in a second.
//!
//! Whoever sends faster is not refused but read more slowly: TCP makes the sender wait. What a flood
//! of large bodies costs is paid for in processors and memory that all share.

use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::share::Holder;

/// Bytes that are counted as one.
const UNIT: usize = 1024;

/// What each holder has sent of late.
#[derive(Debug)]
pub struct Throttle {
    limiter: DefaultKeyedRateLimiter<Holder>,
    clock: DefaultClock,
    most_at_once: NonZeroU32,
}

/// Bytes of one body that are not accounted for yet.
#[derive(Debug, Default)]
pub struct Unpaid(usize);

impl Throttle {
    /// So many KiB in a second, and as many at once.
    pub fn new(kib_per_second: NonZeroU32) -> Self {
        Self {
            limiter: RateLimiter::keyed(Quota::per_second(kib_per_second)),
            clock: DefaultClock::default(),
            most_at_once: kib_per_second,
        }
    }

    /// Accounts for bytes that a holder sent, and waits until more may come.
    pub async fn wait(&self, holder: &Holder, unpaid: &mut Unpaid, bytes: usize) {
        unpaid.0 += bytes;
        // A clock is asked now and then, not for each packet.
        if unpaid.0 < 64 * UNIT {
            return;
        }
        let units = u32::try_from(unpaid.0 / UNIT).ok().and_then(NonZeroU32::new);
        unpaid.0 %= UNIT;
        let Some(units) = units.map(|units| units.min(self.most_at_once)) else { return };
        while let Ok(Err(early)) = self.limiter.check_key_n(holder, units) {
            tokio::time::sleep(early.wait_time_from(self.clock.now())).await;
        }
    }

    /// Forgets who has sent nothing for a while; call it now and then.
    pub fn forget(&self) {
        self.limiter.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::access::Caller;

    fn holder(address: &str) -> Holder {
        Holder::of(&Caller::Anonymous, Some(address.parse().unwrap()))
    }

    /// Whether bytes are accounted for at once.
    fn is_free(throttle: &Throttle, holder: &Holder, bytes: usize) -> bool {
        let mut unpaid = Unpaid::default();
        let mut waited = pin!(throttle.wait(holder, &mut unpaid, bytes));
        waited.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[tokio::test]
    async fn who_sends_too_much_waits_and_nobody_else_does() {
        let throttle = Throttle::new(NonZeroU32::new(64).unwrap());
        let (one, other) = (holder("10.0.0.1:1"), holder("10.0.0.2:1"));
        assert!(is_free(&throttle, &one, 64 * UNIT));
        assert!(!is_free(&throttle, &one, 64 * UNIT));
        assert!(is_free(&throttle, &other, 64 * UNIT));
        // More than may come in a second is not waited for for ever.
        throttle.wait(&one, &mut Unpaid::default(), 1000 * UNIT).await;
    }

    #[tokio::test]
    async fn parts_of_a_body_are_counted_together_and_small_bodies_are_not() {
        let throttle = Throttle::new(NonZeroU32::new(64).unwrap());
        let one = holder("10.0.0.1:1");
        assert!((0..1000).all(|_| is_free(&throttle, &one, 63 * UNIT)));
        let mut unpaid = Unpaid::default();
        for _ in 0..2 {
            throttle.wait(&one, &mut unpaid, 32 * UNIT + 1).await;
        }
        assert_eq!(unpaid.0, 2);
        assert!(!is_free(&throttle, &one, 64 * UNIT));
    }

    #[test]
    fn who_sends_nothing_is_forgotten() {
        let throttle = Throttle::new(NonZeroU32::new(1_000_000).unwrap());
        assert!(is_free(&throttle, &holder("10.0.0.1:1"), 64 * UNIT));
        while !throttle.limiter.is_empty() {
            throttle.forget();
        }
    }
}
