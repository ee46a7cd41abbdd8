//! What becomes of a record that breaks the schema of its stage.

use std::fmt;
use std::str::FromStr;

/// How a project holds itself to a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Records are not checked.
    Off,
    /// The record is kept, and its faults are told.
    #[default]
    Warn,
    /// The record is refused, and nothing is written.
    Strict,
}

impl Mode {
    /// `off`, `warn` or `strict`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "warn" => Ok(Self::Warn),
            "strict" => Ok(Self::Strict),
            _ => {
                let shown = crate::visible::shortened(text, 40);
                Err(format!("{:?} is no mode; give off, warn or strict", shown))
            }
        }
    }
}
