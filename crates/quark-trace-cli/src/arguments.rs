//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use quark_trace::core::stages::Mode;
use quark_trace::verify::Level;

use crate::environment;

pub mod registry;
pub mod serve;

/// The flight recorder of machine learning: fact sheets and append-only, verifiable trace records.
#[derive(Debug, Parser)]
#[command(name = "quark-trace", version, after_help = environment::HELP)]
#[command(max_term_width = 100, infer_subcommands = false, arg_required_else_help = true)]
pub struct Arguments {
    /// Write JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Write nothing but what was asked for
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub verb: Verb,
}

/// `[STORE] [PROJECT]`: a URL or plain folder, and a project in it. What is left out comes from
/// QUARK_TRACE_STORE and QUARK_TRACE_PROJECT; one word alone is the project, with a `/` the store.
#[derive(Debug, clap::Args)]
pub struct Words {
    /// [STORE] [PROJECT]: a folder or URL, and a project in it (else from the environment)
    #[arg(value_name = "STORE PROJECT", num_args = 0..=2)]
    pub words: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write a commented fact sheet to begin with
    Init {
        /// Id of the project
        #[arg(default_value = "my-project-001")]
        project: String,
        /// The file to write; `-` writes to the output
        #[arg(long, short, default_value = "fact_sheet.yaml")]
        file: PathBuf,
    },
    /// Check fact sheets, and show every fault at once
    Check {
        /// YAML files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Begin a project with a fact sheet, or take it up
    Open {
        #[command(flatten)]
        target: Words,
        /// The fact sheet (YAML); without it the project must exist
        #[arg(long, short)]
        sheet: Option<PathBuf>,
    },
    /// Append a record
    #[command(after_help = "Examples:\n  \
        quark-trace log traces/ my-project client_round round=1 loss=0.21 site=north\n  \
        quark-trace log traces/ my-project evaluation --payload @metrics.json\n\n\
        A value is JSON where it reads as JSON (0.21, true, [1, 2]) and text otherwise;\n\
        quote it twice to have text all the same: version='\"1.0\"'.")]
    Log {
        /// [STORE] [PROJECT] STAGE [NAME=VALUE]...
        #[arg(value_name = "STORE PROJECT STAGE NAME=VALUE", required = true)]
        words: Vec<String>,
        /// The payload as JSON; `@FILE` reads a file, `-` the input
        #[arg(long)]
        payload: Option<String>,
        /// Return when the record is on the disk
        #[arg(long)]
        sync: bool,
    },
    /// Show the records
    History {
        #[command(flatten)]
        target: Words,
        /// Only the last N
        #[arg(long, short = 'n', value_name = "N")]
        last: Option<usize>,
        /// Only this stage
        #[arg(long)]
        stage: Option<String>,
    },
    /// Show the records that a filter selects, export them, count or draw them
    #[command(after_help = QUERY_HELP)]
    Query(Box<Query>),
    /// Show what there is of a project
    Summary {
        #[command(flatten)]
        target: Words,
    },
    /// Show the stages, and say what their records must hold
    #[command(after_help = "Examples:\n  \
        quark-trace stages traces/ my-project\n  \
        quark-trace stages --show client_round\n  \
        quark-trace stages traces/ my-project --use client_round --mode strict\n  \
        quark-trace stages traces/ my-project --use my_stage --schema my_stage.json\n  \
        quark-trace stages traces/ my-project --use '*' --mode warn\n\n\
        Without one of these it lists the vocabulary, and what is in force in the project.")]
    Stages {
        #[command(flatten)]
        target: Words,
        /// Show the schema of this stage: the one in force, else the vocabulary's
        #[arg(long, value_name = "STAGE")]
        show: Option<String>,
        /// Hold the records of this stage to a schema from now on; `*` is for all other stages
        #[arg(long = "use", value_name = "STAGE", conflicts_with = "show")]
        adopt: Option<String>,
        /// The schema, a JSON Schema in a file or `quark:stage/NAME/1`; else the one in force or
        /// the vocabulary's
        #[arg(long, value_name = "FILE", requires = "adopt", conflicts_with_all = ["show", "infer", "coverage"])]
        schema: Option<PathBuf>,
        /// What becomes of a record that breaks it: off, warn or strict
        #[arg(long, value_name = "MODE", requires = "adopt", conflicts_with_all = ["show", "infer", "coverage"])]
        mode: Option<Mode>,
        /// Draft a schema from the records of this stage
        #[arg(long, value_name = "STAGE", conflicts_with_all = ["show", "adopt"])]
        infer: Option<String>,
        /// Show which stages of the vocabulary the project has, lacks, or names otherwise
        #[arg(long, conflicts_with_all = ["show", "adopt", "infer"])]
        coverage: bool,
    },
    /// Change the fact sheet; the earlier versions stay
    #[command(after_help = "Example:\n  quark-trace amend traces/ my-project \
        purpose='Detect fraud sooner' --by 'Jane Doe' --reason 'asked by the board'")]
    Amend {
        /// [STORE] [PROJECT] FIELD=VALUE...; a value is JSON or text, `FIELD=@FILE` reads JSON
        #[arg(value_name = "STORE PROJECT FIELD=VALUE", required = true)]
        words: Vec<String>,
        /// Who changes it
        #[arg(long, value_name = "WHO")]
        by: String,
        /// Why
        #[arg(long, value_name = "WHY")]
        reason: String,
    },
    /// Show the versions of the fact sheet and what changed between them
    Sheets {
        #[command(flatten)]
        target: Words,
        /// Write version N as it is stored
        #[arg(long, value_name = "N")]
        show: Option<u64>,
        /// Show only what changed from version A to version B
        #[arg(long, value_names = ["A", "B"], num_args = 2, conflicts_with = "show")]
        diff: Option<Vec<u64>>,
    },
    /// Check the whole log and say what is proven
    Verify {
        #[command(flatten)]
        target: Words,
        /// Ask for this level: L0 legacy, L1 chained, L2 signed, L3 witnessed, L4 anchored
        #[arg(long, default_value = "L1")]
        level: Level,
        /// A verifier key known from elsewhere (name+hash+key, or @FILE with one a line)
        #[arg(long, value_name = "VKEY")]
        key: Vec<String>,
        /// A checkpoint known from elsewhere, which the log must contain
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Prove to a third party that a record stands in the log
    Prove {
        /// [STORE] [PROJECT] RECORD_ID or INDEX
        #[arg(value_name = "STORE PROJECT RECORD", required = true, num_args = 1..=3)]
        words: Vec<String>,
        /// Write the proof to this file; the output gets it otherwise
        #[arg(long, short)]
        out: Option<PathBuf>,
    },
    /// Sign a checkpoint; a folder of quark-trace 0.1.0 is adopted first
    Seal {
        #[command(flatten)]
        target: Words,
        /// Go on from here although the key has signed another history after it: for a backup that
        /// was put back on purpose. The reason is logged
        #[arg(long, value_name = "REASON")]
        new_epoch: Option<String>,
    },
    /// Copy projects to another store, to the same root
    Copy {
        /// The store to copy from
        from: String,
        /// The store to copy to
        to: String,
        /// The projects; all of them unless given
        projects: Vec<String>,
    },
    /// Take up what the indexes of a database do not hold yet, so that queries read less
    #[command(after_help = "Examples:\n  quark-trace index sqlite:trace.db\n  \
        quark-trace index postgres://quark@db.example.org/traces my-project-001")]
    Index {
        /// The store
        store: String,
        /// The projects; all of them unless given
        projects: Vec<String>,
    },
    /// Show the last records
    Tail {
        #[command(flatten)]
        target: Words,
        /// Go on with records as they come
        #[arg(long, short)]
        follow: bool,
        /// How many to begin with
        #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
        lines: usize,
    },
    /// List the projects of a store
    Projects {
        /// A folder or URL (else from the environment)
        store: Option<String>,
    },
    /// Show the records that wait on this machine for a server, and send them
    #[command(after_help = "Examples:\n  quark-trace spool\n  \
        QUARK_TRACE_API_KEY=qt_... quark-trace spool --send --server https://trace.example.org")]
    Spool {
        /// Send what waits, as far as no running process does
        #[arg(long)]
        send: bool,
        /// Only what is for this server
        #[arg(long, value_name = "URL")]
        server: Option<String>,
        /// How many seconds to wait for the server at most
        #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "send")]
        wait: u64,
    },
    /// Answer over HTTP: the API for clients, and pages for people
    #[command(after_help = serve::HELP)]
    Serve(Box<serve::Serve>),
    /// Manage who may use a server: institutions, nodes and keys
    #[command(after_help = registry::HELP)]
    Registry(registry::Registry),
    /// Write shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man page
    Man,
}

const QUERY_HELP: &str = "Examples:
  quark-trace query traces/ my-project \"stage = 'client_round' AND payload.loss < 0.3\"
  quark-trace query traces/ my-project 'ORDER BY payload.loss LIMIT 5'
  quark-trace query traces/ my-project --group-by payload.site --aggregate payload.loss
  quark-trace query traces/ my-project --chart payload.loss --group-by payload.site
  quark-trace query traces/ my-project --parquet records.parquet

A filter is what MLflow's search and SQL's WHERE have; fields are record_id, stage, timestamp,
index and payload.NAME. ORDER BY and LIMIT may stand behind it.";

/// What `query` is asked.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("form").args(["csv", "parquet", "chart"]))]
pub struct Query {
    /// [STORE] [PROJECT] [FILTER]: a folder or URL, a project in it, and a filter
    #[arg(value_name = "STORE PROJECT FILTER", num_args = 0..=3)]
    pub words: Vec<String>,
    /// At most N records
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Order by these fields: `payload.loss DESC, stage`
    #[arg(long, value_name = "FIELDS")]
    pub order: Option<String>,
    /// Go on where the limit ended the same query
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// The log as it was: up to an index, before a time, or as a checkpoint (@FILE) covers it
    #[arg(long, value_name = "INDEX|TIME|@FILE")]
    pub as_of: Option<String>,
    /// Write CSV (RFC 4180); formulas in it are made text
    #[arg(long)]
    pub csv: bool,
    /// Write a Parquet file
    #[arg(long, value_name = "FILE")]
    pub parquet: Option<PathBuf>,
    /// The columns of CSV and Parquet; all there are unless given
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Draw a field
    #[arg(long, value_name = "FIELD")]
    pub chart: Option<String>,
    /// Draw it over this field; `payload.round` or else the time unless given
    #[arg(long, value_name = "FIELD", requires = "chart")]
    pub over: Option<String>,
    /// Count the numbers of these fields: how many, least, greatest, mean, last
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', conflicts_with_all = ["parquet", "chart"])]
    pub aggregate: Vec<String>,
    /// Count or draw in groups that are alike in these fields
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', conflicts_with = "parquet")]
    pub group_by: Vec<String>,
}
