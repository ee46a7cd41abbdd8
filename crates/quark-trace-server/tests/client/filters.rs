//! A filter means over HTTP what it means anywhere: generated records and filters, asked of a real
//! server by the store that clients have.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use quark_trace::Result;
use quark_trace::TraceLog;
use quark_trace::core::ids::ProjectId;
use quark_trace::core::query::Query;
use quark_trace::store::{
    Appended, Beside, Commit, Head, HttpStore, Plan, Row, Store, StoreInfo, conformance,
};
use quark_trace_server::registry::Role;

use super::running::Running;

/// What is written goes to the server's own store, because clients could not send old or broken
/// lines; what is read comes over HTTP.
#[derive(Debug)]
pub struct Through {
    here: Arc<dyn Store>,
    there: HttpStore,
    running: Arc<Running>,
    claimed: Mutex<HashSet<ProjectId>>,
}

impl Store for Through {
    fn info(&self) -> StoreInfo {
        self.there.info()
    }

    fn projects(&self) -> Result<Vec<ProjectId>> {
        self.there.projects()
    }

    fn head(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.there.head(project)
    }

    fn beside(&self, project: &ProjectId) -> Result<Option<Beside>> {
        self.there.beside(project)
    }

    fn append(&self, project: &ProjectId, commit: &Commit<'_>) -> Result<Appended> {
        let appended = self.here.append(project, commit)?;
        if self.claimed.lock().unwrap().insert(project.clone()) {
            self.running.claim(project);
        }
        Ok(appended)
    }

    fn seal(&self, project: &ProjectId) -> Result<Option<Head>> {
        self.here.seal(project)
    }

    fn scan(
        &self,
        project: &ProjectId,
        plan: &Plan<'_>,
        sink: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.there.scan(project, plan, sink)
    }

    fn flush(&self) -> Result<()> {
        self.here.flush()
    }
}

pub fn through(running: &Arc<Running>) -> Arc<Through> {
    let there = running.store(Role::Admin);
    let (here, running) = (Arc::clone(&running.here), Arc::clone(running));
    Arc::new(Through { here, there, running, claimed: Mutex::default() })
}

fn agree(filters: u32) {
    let running = Arc::new(Running::new());
    let through = through(&running);
    conformance::run_filters(
        &|| {
            let through = Arc::clone(&through);
            Box::new(move || Arc::clone(&through) as Arc<dyn Store>)
        },
        filters,
    );
}

#[test]
fn generated_filters_select_over_http_what_they_do_anywhere() {
    agree(800);
}

#[test]
#[ignore = "takes a minute"]
fn ten_thousand_filters_agree() {
    agree(10_000);
}

#[test]
fn pages_by_cursor_join_to_what_the_library_finds() {
    let running = Arc::new(Running::new());
    let through = through(&running) as Arc<dyn Store>;
    let project: ProjectId = "pages".parse().unwrap();
    let log = TraceLog::new(through, project.clone());
    for number in 0..40 {
        let payload = quark_trace::core::payload::Payload::new()
            .with("round", number / 4)
            .with("loss", 1.0 / f64::from(number + 1));
        log.log(if number % 3 == 0 { "evaluation" } else { "client_round" }, &payload).unwrap();
    }
    let here = TraceLog::new(Arc::clone(&running.here), project);
    for text in [
        "stage = 'client_round' AND payload.loss < 0.2",
        "payload.round IN (1, 2, 7) ORDER BY payload.loss",
        "payload.round > 3 ORDER BY stage DESC, payload.loss",
    ] {
        let query = |limit| Query { limit: Some(limit), ..Query::parse(text).unwrap() };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let mut after = None;
        loop {
            let mut search = log.search(query(3));
            if let Some(cursor) = after {
                search = search.after(cursor);
            }
            let page = search.page().unwrap();
            one.extend(page.hits.into_iter().map(|hit| hit.record));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        other.extend(
            here.search(query(1000)).page().unwrap().hits.into_iter().map(|hit| hit.record),
        );
        assert!(!one.is_empty());
        assert_eq!(one, other, "{text}");
    }
}
