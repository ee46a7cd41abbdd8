//! The queries of docs/query.md are queries.

use quark_trace::core::query::{Filter, Query};

#[test]
fn every_query_of_the_guide_is_read() {
    let guide = include_str!("../../../docs/query.md");
    let mut queries = 0;
    for block in guide.split("```sql\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let query = Query::parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(Query::parse(&query.to_string()).unwrap(), query, "{line}");
            queries += 1;
        }
    }
    assert!(queries >= 18, "the blocks were not found");
    let mistake = guide.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let text = mistake.lines().nth(1).unwrap().trim();
    assert_eq!(Filter::parse(text).unwrap_err().to_string(), mistake.trim_end());
}
