//! `query`: what it shows, exports, counts and draws.

use std::fs::{self, File};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use session::Session;

mod session;

/// Six rounds of two sites, and one record that is like none of them.
fn session() -> Session {
    let session = Session::with_demo();
    for round in 1..=6 {
        let (round, loss) = (format!("round={round}"), format!("loss={}", 1.0 / f64::from(round)));
        let site = if round.ends_with(['1', '3', '5']) { "site=a" } else { "site=b" };
        session.run(&["log", "traces", "demo", "round", &round, &loss, site]).done();
    }
    session
}

fn query(session: &Session, arguments: &[&str]) -> session::Said {
    session.run(&[&["query", "traces", "demo"], arguments].concat())
}

#[test]
fn a_table_of_what_is_selected() {
    let session = session();
    let all = query(&session, &[]).done();
    assert_eq!(all.lines().count(), 1 + 8, "{all}");
    let some = query(&session, &["payload.loss < 0.3 AND payload.site = 'b'"]).done();
    assert!(some.contains("round=4 ") && some.contains("round=6 "), "{some}");
    assert_eq!(some.lines().count(), 1 + 2, "{some}");
    let ordered = query(&session, &["stage = 'round' ORDER BY payload.loss LIMIT 2"]).done();
    let rounds: Vec<_> = ordered.lines().skip(1).map(|line| line.contains("round=6")).collect();
    assert_eq!(rounds, [true, false], "{ordered}");
    let none = query(&session, &["stage = 'none'"]);
    assert!(none.err().contains("no records"));
    assert_eq!(none.done(), "");
}

#[test]
fn the_words_before_a_filter_may_come_from_the_environment() {
    let session = session();
    let variables = [("QUARK_TRACE_STORE", "traces"), ("QUARK_TRACE_PROJECT", "demo")];
    for arguments in [
        &["query", "payload.round = 3"][..],
        &["query", "demo", "payload.round = 3"],
        &["query", "traces/", "payload.round=3"],
        &["query", "--limit", "1", "payload.round>2"],
    ] {
        let said = session.run_with(&variables, arguments).done();
        assert!(said.lines().count() == 2 && said.contains("round=3"), "{arguments:?}: {said}");
    }
}

#[test]
fn what_would_be_passed_over_is_refused() {
    let session = session();
    let counted = ["--group-by", "payload.site"];
    for (arguments, word) in [
        (&["--limit", "2"][..], "a limit"),
        (&["payload.round > 1 LIMIT 2"], "a limit"),
        (&["--order", "stage"], "an order"),
        (&["--csv", "--columns", "stage"], "--columns"),
    ] {
        let said = query(&session, &[&counted, arguments].concat());
        said.fails(3, &format!("{word} means nothing there"));
    }
    for form in [&["--chart", "payload.loss"][..], &counted, &[]] {
        let said = query(&session, &[form, &["--columns", "stage"]].concat());
        said.fails(3, "--columns are those of --csv and --parquet");
    }
    query(&session, &["--chart", "payload.loss", "--limit", "3"]).done();
    let pattern = query(&session, &["payload.site ~ '('"]);
    pattern.fails(3, "used: unclosed group\n  payload.site ~ '('\n                 ^^^\n");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let session = session();
    let said = query(&session, &["--parquet", "none/records.parquet"]);
    said.fails(2, "could not write none/records.parquet: No such file");
    fs::create_dir(session.folder.join("folder")).unwrap();
    query(&session, &["--parquet", "folder"]).fails(2, "could not write folder: Is a directory");
    let left = |entry: std::io::Result<fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().ends_with(".part")
    };
    assert!(!fs::read_dir(&session.folder).unwrap().any(left), "what was begun is removed");
}

#[test]
fn json_is_the_stored_lines() {
    let session = session();
    let stored = session.run(&["history", "traces", "demo", "--json"]).done();
    assert_eq!(query(&session, &["--json"]).done(), stored);
    let some = query(&session, &["payload.round >= 5", "--json"]).done();
    assert_eq!(some, stored.lines().skip(6).map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn pages_follow_each_other() {
    let session = session();
    let mut after = Vec::new();
    let mut pages = Vec::new();
    loop {
        let mut arguments =
            vec!["stage = 'round'", "--json", "--order", "payload.loss DESC", "--limit", "4"];
        arguments.extend(after.iter().flat_map(|cursor: &String| ["--after", cursor.as_str()]));
        let said = query(&session, &arguments);
        pages.push(said.out().lines().count());
        let next = said.err().split("--after ").nth(1).map(|rest| rest.trim().to_owned());
        assert_eq!(said.code, 0, "{}", said.err());
        match next {
            Some(cursor) => after = vec![cursor],
            None => break,
        }
    }
    assert_eq!(pages, [4, 2]);
    query(&session, &["--after", "q1-00"]).fails(3, "this is no cursor");
}

#[test]
fn the_log_as_it_was() {
    let session = session();
    let whole = session.run(&["verify", "traces", "demo", "--json"]).done();
    assert!(whole.contains("\"size\":10"), "{whole}");
    session.run(&["seal", "traces", "demo"]).done();
    fs::copy(session.folder.join("traces/demo.qtlog/checkpoint"), session.folder.join("then"))
        .unwrap();
    session.run(&["log", "traces", "demo", "round", "round=7"]).done();
    assert_eq!(query(&session, &["--as-of", "3", "--json"]).done().lines().count(), 2);
    assert_eq!(query(&session, &["--as-of", "@then", "--json"]).done().lines().count(), 8);
    assert_eq!(query(&session, &["--as-of", "2001-01-01", "--json"]).done(), "");
    query(&session, &["--as-of", "soon"]).fails(3, "neither an index");
    query(&session, &["--as-of", "@none"]).fails(2, "could not read none");
}

#[test]
fn mistakes_are_shown_at_their_place() {
    let session = session();
    let said = query(&session, &["stag = 'x'"]);
    said.fails(3, "error: there is no field `stag`; did you mean `stage`?\n  stag = 'x'\n  ^^^^\n");
    query(&session, &["lss < 1"]).fails(3, "did you mean `payload.loss`?\n  lss < 1\n  ^^^\n");
    query(&session, &["stage = 'x' AND"]).fails(3, "\n  stage = 'x' AND\n");
    query(&session, &["--order", "payload.a SIDEWAYS"]).fails(3, "^");
    query(&session, &["--group-by", "sites"]).fails(3, "sites");
    query(&session, &["--columns", "payload.a[0]", "--csv"]).fails(3, "name the array");
    query(&session, &["--columns", "stage"]).fails(3, "--csv");
    query(&session, &["--csv", "--chart", "payload.loss"]).fails(3, "cannot be used with");
    query(&session, &["--csv", "--json"]).fails(3, "--json");
    query(&session, &["--over", "stage"]).fails(3, "--chart");
    query(&session, &["a", "b"]).fails(3, "unexpected");
    session.run(&["query", "traces", "none"]).fails(2, "there is no project \"none\"");
    let long = "x".repeat(100_000);
    query(&session, &[&long]).fails(3, "the limit is 65536");
}

#[test]
fn csv_for_spreadsheets() {
    let session = session();
    let columns = "index,stage,payload.round,payload.site,payload.loss";
    let said = query(&session, &["payload.round <= 2", "--csv", "--columns", columns]).done();
    assert_eq!(said, format!("{columns}\r\n4,round,1,a,1.0\r\n5,round,2,b,0.5\r\n"));
    let texts = ["=1+1", "+1", "\"-5\"", "-5+1", "@SUM(A1)", "\t=1", "a,\"b"];
    for (at, text) in texts.iter().enumerate() {
        let (text, at) = (format!("text={text}"), format!("at={at}"));
        session.run(&["log", "traces", "demo", "formula", &text, &at, "number=-0.5"]).done();
    }
    let columns = "payload.at,payload.text,payload.number";
    let said = query(&session, &["stage = 'formula'", "--csv", "--columns", columns]).done();
    let expected = [
        columns,
        "0,\"'=1+1\",-0.5",
        "1,+1,-0.5",
        "2,-5,-0.5",
        "3,\"'-5+1\",-0.5",
        "4,\"'@SUM(A1)\",-0.5",
        "5,\"'\t=1\",-0.5",
        "6,\"a,\"\"b\",-0.5",
        "",
    ];
    assert_eq!(said.split("\r\n").collect::<Vec<_>>(), expected);
    let empty = query(&session, &["stage = 'none'", "--csv"]).done();
    assert_eq!(empty, "record_id,stage,timestamp,index\r\n");
}

#[test]
fn parquet_for_data_frames() {
    let session = session();
    session
        .run(&["log", "traces", "demo", "odd", "--payload", r#"{"loss": NaN, "l": [1]}"#])
        .done();
    let said = query(&session, &["--parquet", "records.parquet"]);
    assert!(said.err().contains("wrote 9 records to records.parquet"), "{}", said.err());
    assert_eq!(said.done(), "");
    let reader =
        SerializedFileReader::new(File::open(session.folder.join("records.parquet")).unwrap());
    let rows: Vec<Vec<(String, Field)>> = reader
        .unwrap()
        .get_row_iter(None)
        .unwrap()
        .map(|row| row.unwrap().into_columns())
        .collect();
    let of = |row: usize, name: &str| {
        let found = rows[row].iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap()
    };
    assert_eq!(rows.len(), 9);
    assert_eq!(of(0, "stage"), Field::Str("train".to_owned()));
    assert_eq!(of(0, "payload.loss"), Field::Double(0.5));
    assert_eq!(of(0, "payload.round"), Field::Null);
    assert_eq!(of(1, "payload.ok"), Field::Bool(true));
    assert_eq!(of(2, "payload.round"), Field::Long(1));
    assert_eq!(of(2, "index"), Field::Long(4));
    assert!(matches!(of(2, "timestamp"), Field::TimestampMicros(_)));
    assert!(matches!(of(8, "payload.loss"), Field::Double(value) if value.is_nan()));
    assert_eq!(of(8, "payload.l"), Field::Str("[1]".to_owned()));
    let names: Vec<_> = fs::read_dir(&session.folder).unwrap().flatten().collect();
    assert!(names.iter().all(|name| !name.file_name().to_string_lossy().ends_with(".part")));
    query(&session, &["--parquet", "none/records.parquet"]).fails(2, "could not write none");
    query(&session, &["stage = 'none'", "--parquet", "empty.parquet"]).done();
    assert!(fs::read(session.folder.join("empty.parquet")).unwrap().starts_with(b"PAR1"));
}

#[test]
fn counts_in_groups() {
    let session = session();
    let arguments =
        ["stage = 'round'", "--group-by", "payload.site", "--aggregate", "payload.loss"];
    let shown = query(&session, &arguments).done();
    let words: Vec<Vec<_>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["payload.site", "records", "count", "min", "max", "mean", "last"]);
    assert_eq!(words[1], ["a", "3", "3", "0.2", "1", "0.5111", "0.2"]);
    assert_eq!(words[2][..5], ["b", "3", "3", "0.1667", "0.5"]);
    let csv = query(&session, &[&arguments[..], &["--csv"]].concat()).done();
    assert!(csv.starts_with("payload.site,records,count,min,max,mean,last\r\na,3,3,0.2,1,0.5"));
    let json = query(&session, &[&arguments[..], &["--json"]].concat()).done();
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["payload.site"], "a");
    assert_eq!(first["records"], 3);
    assert_eq!(first["payload.loss"]["max"], 1.0);
    let whole = query(&session, &["--aggregate", "payload.loss,payload.round", "--json"]).done();
    assert!(
        whole.contains("\"payload.round\":{\"count\":6,\"min\":1,\"max\":6,\"mean\":3.5"),
        "{whole}"
    );
    let stages = query(&session, &["--group-by", "stage"]).done();
    assert!(stages.contains("train") && stages.lines().count() == 4, "{stages}");
}

#[test]
fn charts_in_the_terminal() {
    let session = session();
    let utf8 = [("LC_ALL", "C.UTF-8")];
    let plain = [("LC_ALL", "C")];
    let arguments = ["query", "traces", "demo", "--chart", "payload.loss"];
    let drawn = session.run_with(&utf8, &arguments);
    assert!(drawn.out().starts_with("payload.loss over payload.round, 6 records\n"));
    assert!(drawn.out().contains('└') && drawn.err().contains("2 records have no finite number"));
    let ascii = session.run_with(&plain, &arguments).done();
    assert!(ascii.is_ascii() && ascii.contains('*') && ascii.contains("+---"), "{ascii}");
    assert!(ascii.lines().all(|line| line.len() <= 80));
    let groups = [&arguments[..], &["--group-by", "payload.site", "--over", "timestamp"]].concat();
    let groups = session.run_with(&utf8, &groups).done();
    let names: Vec<_> = groups.lines().map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names[1..4], [Some("(none)"), Some("a"), Some("b")], "{groups}");
    assert!(groups.contains("1 -> 0.2") && groups.lines().count() == 6, "{groups}");
    query(&session, &["--chart", "payload.site"]).fails(2, "none of the 8 records has a number");
    query(&session, &["--chart", "sites"]).fails(3, "there is no field `sites`");
}
