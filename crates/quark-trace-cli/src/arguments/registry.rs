//! What can be typed behind `registry`.

use clap::Subcommand;

pub const HELP: &str = "Example: a hospital whose node may log, and somebody who may look.
  quark-trace registry sqlite:server.db add-institution hospital-a
  quark-trace registry sqlite:server.db add-node site-1 --institution hospital-a
  quark-trace registry sqlite:server.db issue-key --node site-1
  quark-trace registry sqlite:server.db issue-key --auditor-of hospital-a

It works on the store itself; whoever may write there needs no key. A server that runs takes
changes up within a second.";

/// What `registry` is told.
#[derive(Debug, clap::Args)]
pub struct Registry {
    /// The server's store
    pub store: String,
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show institutions, nodes and keys
    List,
    /// Let an institution take part
    AddInstitution {
        id: String,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Say whether an institution takes part
    SetInstitution { id: String, status: Status },
    /// Let a node of an institution take part
    AddNode {
        id: String,
        /// Whose it is
        #[arg(long)]
        institution: String,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Say whether a node takes part
    SetNode { id: String, status: Status },
    /// Make a key; it is shown this once
    IssueKey {
        #[command(flatten)]
        holder: Holder,
        /// What it is for
        #[arg(long, default_value = "")]
        name: String,
        /// When it ends by itself, such as 2027-01-31
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// End a key at once
    RevokeKey { key_id: String },
    /// Make a key in place of another one
    RotateKey {
        key_id: String,
        /// How long the old one goes on, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        overlap: u32,
    },
    /// Give a project that was in the store before the server to an institution
    Claim { project: String, institution: String },
    /// Say what may be read of a project without a key
    Open { project: String, readers: Readers },
}

/// Who holds a key.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Holder {
    /// A node
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// An auditor of an institution, who reads
    #[arg(long, value_name = "INSTITUTION")]
    pub auditor_of: Option<String>,
    /// An administrator of an institution
    #[arg(long, value_name = "INSTITUTION")]
    pub admin_of: Option<String>,
    /// An operator of the server
    #[arg(long)]
    pub operator: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Status {
    Active,
    Inactive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Readers {
    /// Nobody
    Nobody,
    /// Anybody reads checkpoints and entries, which have no content
    Ledger,
    /// Anybody reads everything
    Records,
}
