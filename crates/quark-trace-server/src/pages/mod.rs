//! The pages: what people see of a server, made there, usable without a script.
//!
//! A page is a struct that is made from the library and rendered by a template of `templates/`. What
//! came from a log is a [`text::Shown`]; templates escape everything and mark nothing as safe.
//!
//! | file | what it holds |
//! |---|---|
//! | `frame` | what stands around every page |
//! | `sign_in`, `projects`, `project`, `records`, `record`, `sheet`, `verification`, `registry`, `api`, `fault` | one page each |
//! | `chart/` | curves, lanes and sparks as SVG |
//! | `recent`, `newest` | reading the end of a log, and records backwards, within bounds |
//! | `text`, `payload`, `words`, `links` | hostile text, payloads, verdicts and addresses for people |
//! | `assets` | the style sheet, the script and the icon |

pub mod api;
pub mod assets;
pub mod chart;
pub mod fault;
pub mod frame;
pub mod links;
pub mod newest;
pub mod payload;
pub mod project;
pub mod projects;
pub mod recent;
pub mod record;
pub mod records;
pub mod registry;
pub mod sheet;
pub mod sign_in;
pub mod text;
pub mod verification;
pub mod words;

/// What a browser may do with a page: show it, load our own files, and send forms to us.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'";
