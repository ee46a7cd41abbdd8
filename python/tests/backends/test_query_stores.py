"""A query gives the same over every store."""

from pathlib import Path

import pyarrow
from places import Place

from quark_trace import Project

QUERIES = (
    "",
    "stage = 'round' AND payload.loss < 0.3 ORDER BY payload.loss DESC LIMIT 3",
    "payload.site IN ('a', 'it''s') OR payload.more.seen BETWEEN 20 AND 40",
    "payload.site ILIKE 'IT%' OR payload.site IS NULL",
    "payload.more.names[0] = 'x' AND index > 3 ORDER BY timestamp DESC",
)


def test_the_same_records_columns_and_counts(place: Place, make, sheet: Path) -> None:
    records: list = []
    answers = []
    for each in (make("file"), place):
        with each.open() as backend:
            project = Project.open(sheet, backend)
            if not records:
                for number in range(1, 30):
                    site = ("a", "it's", None)[number % 3]
                    project.log("round", round=number, loss=1 / number, site=site,
                                more={"seen": number * 10, "names": ["x", number]})
                records = project.history()
            else:
                for record in records:
                    backend.save(record)
            found = [project.query(query) for query in QUERIES]
            answers.append((
                [[record.record_id for record in one] for one in found],
                [pyarrow.table(one).to_pydict() for one in found],
                project.aggregate("payload.loss", by="payload.site"),
                [record.record_id for record in
                 project.query(limit=5, after=project.query(limit=5).cursor)],
                project.summary(details=True)["numbers"],
            ))
    assert answers[0] == answers[1]
    assert all(answers[0][0]) and len(answers[0][0][0]) == 29
