//! A folder of its own with the command in it, as a person has one.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub const COMMAND: &str = env!("CARGO_BIN_EXE_quark-trace");

/// Goes away with everything in it.
pub struct Session {
    pub folder: PathBuf,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

#[allow(dead_code, reason = "each test program uses some of it")]
impl Said {
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    /// The output, of a command that must have worked.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out(), self.err());
        self.out()
    }

    #[track_caller]
    pub fn fails(&self, code: i32, with: &str) {
        assert_eq!(self.code, code, "{}{}", self.out(), self.err());
        assert!(self.err().contains(with), "{with:?} is not in {}", self.err());
        assert!(!self.err().contains("panicked"), "{}", self.err());
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let code = output.status.code().unwrap_or(-1);
        Self { code, out: output.stdout, err: output.stderr }
    }
}

#[allow(dead_code, reason = "each test program uses some of it")]
impl Session {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("quark-trace-cli-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// With the project `demo` in `traces`: a sheet and two records.
    pub fn with_demo() -> Self {
        let session = Self::new();
        session.run(&["init", "demo"]).done();
        session.run(&["open", "traces", "demo", "--sheet", "fact_sheet.yaml"]).done();
        session.run(&["log", "traces", "demo", "train", "loss=0.5"]).done();
        session.run(&["log", "traces", "demo", "evaluation", "accuracy=0.97", "ok=true"]).done();
        session
    }

    /// The command with none of this machine's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.plain(COMMAND, arguments)
    }

    pub fn plain(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        for name in ["QUARK_TRACE_STORE", "QUARK_TRACE_PROJECT", "NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.env("QUARK_TRACE_KEYS", self.folder.join("keys"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
        self.command(arguments).envs(variables.iter().copied()).output().unwrap().into()
    }

    pub fn run_fed(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().into()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
