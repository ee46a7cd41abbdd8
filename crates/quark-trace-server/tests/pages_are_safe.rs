//! Whoever may log may write anything: no text of a log becomes markup, and no text hides.

use std::sync::Arc;

use askama::Template;
use quark_trace::core::payload::Payload;
use quark_trace::core::sheet::{Amendment, FactSheet};
use quark_trace::store::{MemoryStore, Store};
use quark_trace::{Project, TraceLog};
use quark_trace_server::pages::frame::{Account, Frame};
use quark_trace_server::pages::text::Shown;
use quark_trace_server::pages::{
    api, fault, project, projects, record, records, registry, sheet, sign_in, verification,
};
use serde_json::{Value, json};

/// Strings that break out of text, attributes, addresses, scripts, styles and SVG where those are
/// written carelessly, and some that hide or reorder what stands beside them.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "\" onmouseover=alert(1) x=\"",
    "' autofocus onfocus=alert(1) '",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#x3C;script&#x3E;",
    "\u{202e}txt.exe\u{202c}",
    "\u{0}\u{1b}[31m\u{7}\u{9b}",
    "a\u{200b}b\u{feff}c\u{2066}d",
    "\u{fdfd}\u{1f468}\u{200d}\u{1f469}",
    "' OR 1=1 --",
    "../../etc/passwd",
    "\\u003cscript\\u003e",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
];

fn frame() -> Frame {
    let hostile = HOSTILE.concat();
    Frame {
        account: Some(Account {
            name: Shown::of(&hostile),
            role: "admin",
            institution: Some(Shown::of(&hostile)),
            manages: true,
        }),
        csrf: "token".to_owned(),
        notice: Some(Shown::of(&hostile)),
        ..Frame::default()
    }
}

/// A page is markup of ours alone: every tag is one that a template writes, every attribute is
/// quoted, no script but from a file, nothing that hides.
fn check(page: &str, what: &str) {
    let tags = "a abbr bdi body br button caption circle code dd del details div dl doctype dt figcaption \
                figure footer form g h1 h2 h3 head header html input ins label li line link main meta nav \
                option p path pre rect script section select span strong summary svg table tbody td text \
                textarea th thead title tr ul";
    let known: Vec<&str> = tags.split_whitespace().collect();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end =
            tag_end(rest).unwrap_or_else(|| panic!("{what}: a tag is not closed: {rest:.80}"));
        let tag = &rest[..end];
        let name = tag.trim_start_matches(['/', '!']);
        let name = name.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        assert!(known.contains(&name), "{what}: <{tag}>");
        check_attributes(tag, what);
        rest = &rest[end + 1..];
    }
    // A field is sent back as it is; everywhere else hidden characters are written out.
    let page = &without_fields(page);
    let hidden = |c: char| c != '\n' && quark_trace::core::visible::is_hidden(c);
    let found = page.find(hidden);
    assert!(
        found.is_none(),
        "{what}: hidden text at {found:?}: {:?}",
        found.map(|at| &page[at.saturating_sub(60)..at])
    );
    assert!(!page.contains("49$"), "{what}: an expression was worked out");
}

/// The page without what stands in the fields of its forms.
fn without_fields(page: &str) -> String {
    let mut parts = page.split(" value=\"");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('"').map_or("", |(_, rest)| rest));
    }
    let mut parts = out.split("<textarea");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        rest.push_str(part.split_once("</textarea>").map_or("", |(_, rest)| rest));
    }
    rest
}

/// Where a tag ends; `>` in quotes is text.
fn tag_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, character)| match character {
        '"' => {
            quoted = !quoted;
            None
        }
        '>' if !quoted => Some(at),
        _ => None,
    })
}

fn check_attributes(tag: &str, what: &str) {
    // Of what stands between quotes nothing can be an attribute.
    let outside: String = tag.split('"').step_by(2).collect();
    for word in outside.split_whitespace().skip(1) {
        let bare = ["html", "defer", "required", "autofocus", "open", "selected", "/"];
        let is_named = word.trim_end_matches('/').ends_with('=') || bare.contains(&word);
        assert!(is_named, "{what}: <{tag}> has {word:?}");
        let name = word.trim_end_matches('=').to_ascii_lowercase();
        assert!(!name.starts_with("on") && name != "style" && name != "srcdoc", "{what}: <{tag}>");
    }
    for address in ["href=\"", "src=\"", "action=\""] {
        for value in tag.split(address).skip(1) {
            let ok = value.starts_with("/ui")
                || value.starts_with("/projects/")
                || value.starts_with("/openapi.json")
                || value.starts_with('#');
            assert!(ok, "{what}: an address that leaves the pages: <{tag}>");
        }
    }
    assert!(!tag.starts_with("script") || tag.contains("src=\"/ui/assets/"), "{what}: <{tag}>");
}

fn sheet_of(project: &str, text: &str) -> FactSheet {
    let object = |value: Value| json!([value]);
    let content = json!({
        "project_id": project,
        "institution_id": text,
        "purpose": text,
        "domain": text,
        "ml_type": "supervised",
        "algorithm": object(json!({"name": text, "variant": text})),
        "input": object(json!({"name": text, "type": "other", "description": text})),
        "output": object(json!({"name": text, "type": "other", "description": text})),
        "performance_metrics": [text],
        "bias": {"type": text, "affected_group": text, "severity": "low", "notes": text},
        "stakeholders": object(json!({"name": text, "role": text, "contact": text})),
    });
    let content = content.as_object().unwrap().clone();
    FactSheet::from_content(content, "2026-01-02T03:04:05+00:00").unwrap().0
}

/// A project in which everything that can be is `text`.
fn hostile_log(store: &Arc<dyn Store>, number: usize, text: &str) -> TraceLog {
    let plain: String = text.chars().filter(|c| !c.is_control() && !"/\\".contains(*c)).collect();
    let id = format!("p{number}{plain}");
    let log = TraceLog::new(store.clone(), id.parse().unwrap());
    let mut project = Project::load(sheet_of(&id, text), log.clone()).unwrap();
    let stage = if plain.is_empty() { "stage" } else { &plain };
    for round in 0..4 {
        let payload = Payload::new()
            .with("round", round)
            .with("site", text)
            .with("loss", if round == 2 { f64::NAN } else { 1.0 / f64::from(round + 1) })
            .with(if text == "site" { "x" } else { text }, Payload::new().with(text, round * round))
            .with("list", vec![text; 3])
            .with("long", text.repeat(60));
        log.log(stage, &payload).unwrap();
    }
    let fields = json!({"domain": format!("{text} 2")});
    let amendment = Amendment::parse(fields.as_object().unwrap(), text, text);
    if let Ok(amendment) = amendment {
        project.amend(&amendment, "2026-01-03T03:04:05+00:00").unwrap();
    }
    log
}

#[test]
fn no_text_of_a_log_becomes_markup() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    for (number, text) in HOSTILE.iter().enumerate() {
        let log = hostile_log(&store, number, text);
        let overview = project::ProjectPage::read(frame(), &log).unwrap().render().unwrap();
        check(&overview, &format!("overview {text:?}"));
        assert!(overview.contains("<svg"), "{text:?} has no chart");
        for asked in [
            records::Asked::default(),
            records::Asked { filter: (*text).to_owned(), ..Default::default() },
            records::Asked { text: (*text).to_owned(), ..Default::default() },
            records::Asked { after: Some((*text).to_owned()), ..Default::default() },
            records::Asked {
                filter: "ORDER BY index".into(),
                after: Some((*text).into()),
                ..Default::default()
            },
        ] {
            let page = records::RecordsPage::read(frame(), &log, asked).unwrap().render().unwrap();
            check(&page, &format!("records {text:?}"));
        }
        let version = projects::sheet_version(&log).unwrap();
        let page = sheet::SheetPage::read(frame(), &log, version, None).unwrap();
        check(&page.render().unwrap(), &format!("sheet {text:?}"));
        let id = log.history().unwrap()[2].record_id();
        let page = record::RecordPage::read(frame(), &log, &id).unwrap().render().unwrap();
        check(&page, &format!("record {text:?}"));
        let asked = verification::VerifyAsked {
            level: Some("L2".to_owned()),
            key: String::new(),
            checkpoint: (*text).to_owned(),
        };
        let page = verification::VerifyPage::read(frame(), &log, asked).unwrap().render().unwrap();
        check(&page, &format!("verify {text:?}"));
    }
    let all = store.projects().unwrap();
    for search in HOSTILE {
        let page = projects::ProjectsPage::read(frame(), &store, &all, search, None).unwrap();
        check(&page.render().unwrap(), "projects");
    }
}

#[test]
fn no_text_of_a_record_written_elsewhere_becomes_markup() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let log = TraceLog::new(store, "elsewhere".parse().unwrap());
    for (number, text) in HOSTILE.iter().enumerate() {
        let id = format!("{number}{text}");
        let line = json!({"record_id": id, "project_id": "elsewhere", "stage": "s",
            "timestamp": text, "payload": text});
        let line = quark_trace::Record::from_line(line.to_string().into_bytes()).unwrap();
        log.append(&line).unwrap();
        let page = record::RecordPage::read(frame(), &log, &id).unwrap().render().unwrap();
        check(&page, &format!("record {text:?}"));
    }
    let page = project::ProjectPage::read(frame(), &log).unwrap().render().unwrap();
    check(&page, "overview");
}

#[test]
fn no_text_of_the_registry_or_a_fault_becomes_markup() {
    for text in HOSTILE {
        let shown = || Shown::of(text);
        let mut page = registry::RegistryPage::new(frame());
        page.refusal = Some(shown());
        page.roles = vec!["node"];
        page.may_add_institutions = true;
        page.new_key = Some(registry::NewKey { key: "qt_x".to_owned(), owner: shown() });
        let (name, id, value) = (shown(), shown(), shown().to_string());
        page.institutions.push(registry::InstitutionRow { id, name, value, is_active: true });
        page.nodes.push(registry::NodeRow {
            id: shown(),
            name: shown(),
            institution: shown(),
            value: shown().to_string(),
            action: quark_trace_server::pages::links::node_status(text),
            is_active: false,
        });
        page.keys.push(registry::KeyRow {
            id: shown(),
            name: shown(),
            role: shown(),
            owner: shown(),
            created: shown(),
            expires: shown(),
            used: shown(),
            status: "active",
            action: quark_trace_server::pages::links::key_revoke(text),
        });
        check(&page.render().unwrap(), &format!("registry {text:?}"));
        for status in [400, 401, 403, 404, 409, 413, 429, 500, 503] {
            let page = fault::FaultPage::new(frame(), status, Some(text), Some(text));
            check(&page.render().unwrap(), &format!("fault {text:?}"));
        }
        let document = json!({"info": {"title": text, "version": text, "description": text},
            "paths": {(*text): {"get": {"tags": [text], "summary": text, "description": text,
                "parameters": [{"name": text, "in": text, "description": text}],
                "responses": {(*text): {"description": text}}}}}});
        check(&api::ApiPage::new(frame(), &document).render().unwrap(), &format!("api {text:?}"));
        let next = sign_in::next_page(Some(text));
        let page = sign_in::SignInPage { frame: frame(), refusal: Some("no"), next };
        check(&page.render().unwrap(), "sign in");
    }
}

#[test]
#[should_panic(expected = "a test")]
fn the_check_finds_markup() {
    check("<p>a</p><iframe>", "a test");
}
