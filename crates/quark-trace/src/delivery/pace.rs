//! How fast time passes for delivery: tests let an hour pass in seconds.

use std::time::{Duration, Instant};

/// A clock that only goes forward, at a chosen speed.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    begun: Instant,
    speed: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self::times(1)
    }
}

impl Pace {
    /// A clock that runs so many times as fast as the real one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use quark_trace::delivery::Pace;
    /// let hour = Pace::times(3600);
    /// assert_eq!(hour.really(Duration::from_secs(3600)), Duration::from_secs(1));
    /// ```
    pub fn times(speed: u32) -> Self {
        Self { begun: Instant::now(), speed: speed.max(1) }
    }

    /// The time since this clock was made.
    pub fn now(&self) -> Duration {
        self.begun.elapsed().saturating_mul(self.speed)
    }

    /// How long a wait of this clock takes really.
    pub fn really(&self, wait: Duration) -> Duration {
        wait / self.speed
    }
}
