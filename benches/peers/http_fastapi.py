"""FastAPI and sqlite3: the server that somebody would write for the client of 0.1.0 in an hour.

Endpoints of 0.1.0 and one for batches, a table of records, `synchronous = FULL`, a key that is
looked up. No ledger, no receipts.
"""

import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import http_client
import measure

KEY = "a-key-of-the-benchmark"
PATH = f"/projects/{http_client.PROJECT}/records"


def application(database: str):
    """The server's routes."""
    from fastapi import Depends, FastAPI, Header, HTTPException
    from pydantic import BaseModel

    class Record(BaseModel):
        record_id: str
        project_id: str
        stage: str
        timestamp: str
        payload: dict

    connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table if not exists record (record_id text primary key, project_id "
                       "text, stage text, timestamp text, payload text)")
    app = FastAPI()

    def known(x_api_key: str = Header()) -> str:
        if x_api_key != KEY:
            raise HTTPException(401)
        return "hospital"

    def row(record: Record) -> tuple:
        import json
        return (record.record_id, record.project_id, record.stage, record.timestamp,
                json.dumps(record.payload))

    insert = "insert into record values (?, ?, ?, ?, ?)"

    @app.post("/projects/{project_id}/records", status_code=201)
    async def append(project_id: str, record: Record, _: str = Depends(known)) -> dict:
        connection.execute(insert, row(record))
        return {"record_id": record.record_id}

    @app.post("/projects/{project_id}/batch", status_code=201)
    async def append_many(project_id: str, records: list[Record], _: str = Depends(known)) -> dict:
        connection.execute("begin")
        connection.executemany(insert, [row(record) for record in records])
        connection.execute("commit")
        return {"records": len(records)}

    return app


class Running:
    """The server in a process of its own."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen([sys.executable, __file__, "serve", str(self.port),
                                         str(folder / "fastapi.db")])

    def __enter__(self) -> int:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self.port
            except OSError:
                time.sleep(0.1)
        raise SystemExit("FastAPI did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)


HEADERS = {"X-API-Key": KEY, "Content-Type": "application/json"}


def single(count: int, folder: Path) -> float:
    with Running(folder) as port:
        return http_client.post_all(port, PATH, HEADERS, http_client.lines(count))


def batches(count: int, folder: Path) -> float:
    with Running(folder) as port:
        lines = http_client.lines(count)
        bodies = [b"[" + b",".join(lines[at:at + 1000]) + b"]" for at in range(0, count, 1000)]
        return http_client.post_all(port, PATH.replace("/records", "/batch"), HEADERS, bodies)


def from_many(count: int, folder: Path) -> float:
    with Running(folder) as port:
        found = http_client.post_from_many(port, PATH, HEADERS, folder)
    measure.NOTES.append(f"p50 {found['p50_ms']:.2f} ms, p99 {found['p99_ms']:.2f} ms")
    return count / found["rate"]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        import uvicorn
        uvicorn.run(application(sys.argv[3]), host="127.0.0.1", port=int(sys.argv[2]),
                    log_level="error")
    else:
        measure.main({"single": single, "batches": batches, "from_many": from_many})
