//! Charts as SVG, drawn on the server: no script, no style attribute, readable in print.
//!
//! The geometry is worked out here; `templates/parts/chart.html` writes it down. Colours are classes,
//! so that the style sheet can have them light and dark; what a colour says is also said by a dash
//! pattern and a label. Every chart has its numbers in a table beside it.

mod lane;
mod line;
mod scale;
mod spark;
mod thin;

pub use lane::{Lane, Lanes};
pub use line::{LineChart, Series};
pub use scale::{Ticks, short_number};
pub use spark::Spark;

/// One place in a chart; `y` may be NaN or infinite, which is shown as such.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Where it stands from left to right.
    pub x: f64,
    /// The value.
    pub y: f64,
}

/// A coordinate as SVG has it: two decimal places, no trailing zeros.
fn place(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        assert_eq!(place(1.0), "1");
        assert_eq!(place(-0.001), "0");
        assert_eq!(place(12.345), "12.35");
        assert_eq!(place(100.0), "100");
    }
}
