//! Projects: none, and many with names that look like one another.

use quark_trace_core::ids::ProjectId;

use super::{Place, all, append, new_record, project, record};
use crate::store::{Plan, Select};

pub(super) fn empty(place: &Place) {
    let (store, project) = (place(), project());
    assert_eq!(store.projects().unwrap(), []);
    assert_eq!(store.head(&project).unwrap(), None);
    assert_eq!(store.beside(&project).unwrap(), None);
    assert_eq!(store.seal(&project).unwrap(), None);
    for select in [Select::All, Select::Records, Select::Sheets, Select::Schemas, Select::Entries] {
        let plan = Plan { select, ..Plan::default() };
        store.scan(&project, &plan, &mut |row| panic!("nothing is there, got {row:?}")).unwrap();
    }
    assert_eq!(store.projects().unwrap(), [], "looking made something");
}

pub(super) fn isolated(place: &Place) {
    let store = place();
    let long = "ü".repeat(100);
    let names = [
        "demo",
        "demo2",
        "demo_trace_log",
        "demo_fact_sheet",
        "demo.qtlog",
        "demo_trace_log.jsonl",
        "a:b",
        "a%3Ab",
        "a%253Ab",
        "%",
        "é",
        "e\u{301}",
        "two words",
        " lead",
        "trail ",
        "trail.",
        "CON",
        "-rf",
        "$(id)",
        "'; drop table qt_log; --",
        "\"quoted\"",
        "<script>",
        "日本語",
        "\u{202e}reversed",
        &long,
    ];
    let mut projects: Vec<ProjectId> = names.iter().map(|name| name.parse().unwrap()).collect();
    for project in &projects {
        assert_eq!(store.head(project).unwrap(), None, "{project} is there already");
        let line = record(project, project.as_str().trim_matches('"'), "x");
        assert_eq!(append(store.as_ref(), project, &[new_record(&line)]).unwrap().size, 2);
    }
    for project in &projects {
        let line = record(project, "second", project.as_str().trim_matches('"'));
        assert_eq!(append(store.as_ref(), project, &[new_record(&line)]).unwrap().size, 3);
    }
    projects.sort();
    assert_eq!(store.projects().unwrap(), projects);
    let other = place();
    for project in &projects {
        let seen = all(other.as_ref(), project);
        let second = record(project, "second", project.as_str().trim_matches('"'));
        assert_eq!((seen.len(), seen[2].object.as_ref()), (3, Some(&second)), "{project}");
    }
}
