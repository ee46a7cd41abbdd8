//! Filters that MLflow's users type, from its documentation, its tests, its issues and public projects:
//! each is read as it is and selects what MLflow selects.
//!
//! A run is a record here: its metrics, parameters and tags are members of the payload, its start is the
//! record's time, its id the record's. MLflow keeps parameters and tags as text, `0.1` and `True` among
//! them; whoever logs here may log numbers and booleans, and the same filter finds them.

use quark_trace_core::query::{Asked, Filter, Matcher, Order};

/// What stands for MLflow's runs, by a letter.
const RUNS: [(&str, &str); 4] = [
    (
        "a",
        r#"{"acc": 0.95, "rmse": 0.5, "XYZ": 3, "accuracy": 0.93, "error": 0.04, "f1_score": 0.6, "loss": 0.2,
        "legit name": 0.3, "X-Y-Z": 3, "X//Y#$$@&Z": 3.0, "accuracy.2.0": 6, "spacey name": 7, "cpu usage": 10,
        "m": "tf", "model": "LogisticRegression", "model_class": "LR", "lambda": 0.001, "cat dog": "pets",
        "batch_size": 2, "learning_rate": "0.01", "p.a.r.a.m": "b", "version": "commit-hash",
        "source_name": "a notebook", "t.a.g": "a", "artifact_uri": "1/23/4", "status": "RUNNING",
        "mlflow.parentRunId": "7b08", "mlflow.runName": "trial_7", "mlflow.source.type": "NOTEBOOK",
        "debug": true, "selected": "true", "user_id": "ann", "run_name": "base-1", "end_time": "x",
        "dataset": {"name": "custom", "digest": "s8ds", "context": "train"}, "1st_metric": 5,
        "task": "answer_generation", "lr": 0.1}"#,
    ),
    (
        "b",
        r#"{"acc": 100, "rmse": 2, "XYZ": 4, "accuracy": 0.5, "error": 0.5, "f1_score": 0.1, "loss": 0.9,
        "legit name": 0.2, "m": "torch", "model": "LinearRegression", "model_class": "SVM", "lambda": "0.1",
        "batch_size": 4, "learning_rate": 0.001, "p.a.r.a.m": "a", "version": "other", "t.a.g": "b",
        "status": "FAILED", "mlflow.parentRunId": "none", "mlflow.runName": "Random-Forest", "debug": false,
        "user_id": "bob", "run_name": "Base_2", "dataset": {"name": "other", "context": "test"}, "lr": 1e-05}"#,
    ),
    (
        "c",
        r#"{"acc": {"$numberDouble": "NaN"}, "status": "FINISHED", "model": "GPT-3.5", "m": "TF",
        "task": "classification", "mlflow.source.type": "JOB", "mlflow.runName": "trial"}"#,
    ),
    ("d", "{}"),
];

/// Start of the first run, in milliseconds; each starts a second after the one before.
const START_MS: u64 = 1_664_067_852_747;

fn selected(filter: &str) -> String {
    let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let mut matcher = Matcher::new(&filter, 0).unwrap();
    let mut found = String::new();
    for (at, (id, payload)) in RUNS.into_iter().enumerate() {
        let time = quark_trace_core::time::iso8601((START_MS as i64 + at as i64 * 1000) * 1000);
        let line = format!(
            "{{\"record_id\": \"{id}\", \"project_id\": \"p\", \"stage\": \"run\", \
             \"timestamp\": \"{time}\", \"payload\": {payload}}}"
        )
        .replace('\n', " ");
        match matcher.ask(Some(at as u64), line.as_bytes()) {
            Asked::Selected => found.push_str(id),
            Asked::Other => {}
            Asked::Unreadable => panic!("{line}"),
        }
    }
    found
}

const FILTERS: [(&str, &str); 56] = [
    // The reference and the guides.
    ("metrics.accuracy > 0.92", "a"),
    (
        r#"params.model = "LogisticRegression" and params.lambda = "0.001" and metrics.error <= 0.05"#,
        "a",
    ),
    (r#"attributes.status = "FAILED""#, "b"),
    ("attributes.status != 'FAILED'", "ac"),
    (r#"params."cat dog" = "pets""#, "a"),
    ("metrics.`cpu usage` >= 10", "a"),
    ("metrics.\"1st_metric\" = 5", "a"),
    ("metrics.f1_score > 0.5 AND params.batch_size = \"2\"", "a"),
    ("metrics.f1_score > 0 AND metrics.loss < 1", "ab"),
    ("params.learning_rate = '0.001'", "b"),
    ("params.batch_size != '2'", "b"),
    ("params.model LIKE 'GPT%'", "c"),
    ("params.model ILIKE 'gpt%'", "c"),
    ("tags.task ILIKE 'CLASSIF%'", "c"),
    ("tags.`mlflow.source.type` = 'NOTEBOOK'", "a"),
    ("tags.mlflow.source.type = 'JOB'", "c"),
    ("attributes.start_time >= 1664067852747", "abcd"),
    ("attributes.start_time > 1664067853747", "cd"),
    ("start_time = 1664067854747", "c"),
    ("attributes.created > 1664067854747", "d"),
    ("attributes.run_id IN ('a', 'd')", "ad"),
    ("attributes.run_id NOT IN ('a', 'd')", "bc"),
    ("run_id = 'b'", "b"),
    ("attributes.user_id = 'ann'", "a"),
    ("run_name LIKE 'base%'", "a"),
    ("attributes.run_name ILIKE 'base%'", "ab"),
    ("status = 'RUNNING'", "a"),
    ("dataset.name = 'custom'", "a"),
    ("datasets.name IN ('custom', 'other')", "ab"),
    ("dataset.digest = 's8ds'", "a"),
    ("dataset.context = 'train' AND dataset.name LIKE '%cust%'", "a"),
    // Its own tests.
    ("metric.acc >= 0.94", "ab"),
    ("metric.acc>=100", "b"),
    ("params.m!='tf'", "bc"),
    (r#"params."m"!="tf""#, "bc"),
    (r#"metric."legit name" >= 0.243"#, "a"),
    ("metrics.XYZ = 3", "a"),
    (r#"metrics."X-Y-Z" = 3"#, "a"),
    (r#"metrics."X//Y#$$@&Z" = 3"#, "a"),
    ("metrics.rmse < 1 and params.model_class = 'LR'", "a"),
    ("`params`.model >= 'LinearRegression'", "ab"),
    ("tags.version = 'commit-hash'", "a"),
    ("`tags`.source_name = 'a notebook'", "a"),
    (r#"metrics."accuracy.2.0" > 5"#, "a"),
    ("metrics.`spacey name` > 5", "a"),
    (r#"params."p.a.r.a.m" != "a""#, "a"),
    (r#"tags."t.a.g" = "a""#, "a"),
    ("attribute.artifact_uri = '1/23/4'", "a"),
    ("run.status = 'RUNNING'", "a"),
    ("tags.version IS NULL", "cd"),
    ("params.lr IS NOT NULL", "ab"),
    (r#"params.m = "L'Hosp""#, ""),
    // Issues and projects.
    ("tags.mlflow.parentRunId = '7b08'", "a"),
    ("tags.mlflow.runName='Random-Forest'", "b"),
    ("tags.`mlflow.runName` LIKE 'trial_%'", "a"),
    ("params.debug = 'True' and tags.selected = 'true'", "a"),
];

#[test]
fn filters_of_mlflow_mean_the_same() {
    for (filter, runs) in FILTERS {
        assert_eq!(selected(filter), runs, "{filter}");
    }
    assert_eq!(selected("params.lr = '1e-05'"), "b");
}

#[test]
fn orders_of_mlflow_are_read() {
    for order in [
        "metrics.rmse ASC",
        "metrics.rouge_l_f1 DESC",
        "attributes.start_time DESC",
        "params.`lr` DESC, tags.\"mlflow.runName\"",
        "start_time",
    ] {
        assert!(Order::parse_list(order).is_ok(), "{order}");
    }
}

/// What MLflow lacks and its users asked for.
#[test]
fn what_was_missed_is_there() {
    for (filter, runs) in [
        ("metrics.acc > 99 OR params.m = 'tf'", "ab"),
        ("NOT (metrics.acc > 99 OR params.m = 'tf')", "c"),
        ("metrics.acc BETWEEN 0.9 AND 1", "a"),
        ("params.model ~ '^(Log|Lin)'", "ab"),
        ("metrics.acc IS NULL", "d"),
        ("params.lr < 0.01", "b"),
        ("metrics.accuracy IN (0.93, 0.5)", "ab"),
    ] {
        assert_eq!(selected(filter), runs, "{filter}");
    }
}
