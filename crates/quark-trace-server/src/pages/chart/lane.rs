//! When something happened: one lane for each stage, all on the same span of time.

use super::place;

/// Columns of a lane; what falls into the same one is drawn as one mark.
const COLUMNS: usize = 240;
/// Width of a lane in its own units; the page stretches it.
const WIDTH: f64 = 1000.0;
const LEAST: f64 = 4.0;

/// Lanes on one span of time.
#[derive(Debug, Clone, Copy)]
pub struct Lanes {
    from_us: i64,
    until_us: i64,
}

/// One lane.
#[derive(Debug, Clone, Default)]
pub struct Lane {
    /// The marks.
    pub marks: Vec<Mark>,
}

/// Something that happened, or several things so close that they are one mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it begins.
    pub x: String,
    /// How wide it is.
    pub width: String,
    /// How dense, from 1 to 3.
    pub density: u8,
}

impl Lanes {
    /// Lanes over the span of all these instants, in microseconds since 1970.
    pub fn over(instants: impl Iterator<Item = i64>) -> Option<Self> {
        let span = instants.fold(None, |span: Option<(i64, i64)>, at| {
            Some(span.map_or((at, at), |(from, until)| (from.min(at), until.max(at))))
        });
        span.map(|(from_us, until_us)| Self { from_us, until_us })
    }

    /// When the lanes begin.
    pub fn from_us(&self) -> i64 {
        self.from_us
    }

    /// When they end.
    pub fn until_us(&self) -> i64 {
        self.until_us
    }

    /// The lane of these instants.
    pub fn lane(&self, instants: &[i64]) -> Lane {
        let span = (self.until_us as f64 - self.from_us as f64).max(1.0);
        let mut counts = [0_u32; COLUMNS];
        for at in instants {
            let part = (*at as f64 - self.from_us as f64) / span;
            counts[((part * COLUMNS as f64) as usize).min(COLUMNS - 1)] += 1;
        }
        let column = WIDTH / COLUMNS as f64;
        let mut lane = Lane::default();
        let mut at = 0;
        while at < COLUMNS {
            let density = density(counts[at]);
            let run = counts[at..].iter().take_while(|count| self::density(**count) == density);
            let run = run.count();
            if density > 0 {
                let x = (at as f64 * column).min(WIDTH - LEAST);
                let width = (run as f64 * column).max(LEAST);
                lane.marks.push(Mark { x: place(x), width: place(width), density });
            }
            at += run;
        }
        lane
    }
}

fn density(count: u32) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2..=4 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_mark() {
        let lanes = Lanes::over([0, 1_000_000].into_iter()).unwrap();
        let lane = lanes.lane(&[0, 5_000, 1_000_000]);
        assert_eq!(lane.marks.len(), 2, "{lane:?}");
        assert_eq!(lane.marks[0].x, "0");
        assert_eq!(lane.marks[1].x, "995.83");
    }

    #[test]
    fn one_instant_and_the_whole_of_time_are_spans() {
        assert_eq!(Lanes::over([7].into_iter()).unwrap().lane(&[7]).marks.len(), 1);
        let lanes = Lanes::over([i64::MIN, i64::MAX].into_iter()).unwrap();
        assert_eq!(lanes.lane(&[i64::MIN, 0, i64::MAX]).marks.len(), 3);
        assert!(Lanes::over(std::iter::empty()).is_none());
    }
}
