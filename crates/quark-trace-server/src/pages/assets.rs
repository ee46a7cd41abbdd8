//! The files that pages load: a style sheet, a script, an icon. They are part of the binary.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use quark_trace::core::ledger::Digest;

use crate::problem::Problem;
use crate::routes::asked::Named;

/// A file that pages load.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its name.
    pub name: &'static str,
    /// What it is, as a browser wants to know.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

/// All of them.
pub const ASSETS: [Asset; 3] = [
    Asset {
        name: "style.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/style.css"),
    },
    Asset {
        name: "live.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/live.js"),
    },
    Asset {
        name: "icon.svg",
        content_type: "image/svg+xml",
        bytes: include_bytes!("../../assets/icon.svg"),
    },
];

/// The asset of a name.
pub fn asset(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// A text that changes when any asset does, so that browsers may keep them for good.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let parts: Vec<&[u8]> = ASSETS.iter().map(|asset| asset.bytes).collect();
        Digest::of_parts(&parts).to_string()[..12].to_owned()
    });
    &VERSION
}

/// Sends an asset.
pub async fn show(Named(name): Named<String>) -> Result<Response, Problem> {
    let found = asset(&name).ok_or_else(Problem::missing)?;
    // Pages name them with their version.
    let headers = [
        (header::CONTENT_TYPE, found.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, found.bytes).into_response())
}
