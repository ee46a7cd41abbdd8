"""Delivery through the spool, from Python, against a small server of 0.1.0 on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from quark_trace import BackendWriteError, HttpBackend, Project, TraceLog, TraceRecord
from quark_trace._core import spooled
from quark_trace.trace.backends.http_backend import DeliveryWarning

sys.path.insert(0, str(Path(__file__).parent / "compat"))

from server import Server  # noqa: E402

KEY = "the-secret-key"
PATH = "POST /projects/p/records"


def record(number: int) -> TraceRecord:
    return TraceRecord(f"r{number}", "p", "s", "2026-01-02T03:04:05+00:00", {"number": number})


@pytest.fixture
def server():
    running = Server()
    running.answers[PATH] = (201, {})
    yield running
    running.close()


def sent(server: Server) -> list[str]:
    """The ids that arrived, each once, whatever was sent twice."""
    bodies = [body for method, path, _, _, body in server.requests if f"{method} {path}" == PATH]
    lines = [line for body in bodies for line in body.splitlines()]
    return list(dict.fromkeys(json.loads(line)["record_id"] for line in lines))


def goes_wrong(server: Server, status: int = 503) -> None:
    server.answers[PATH] = (status, {"detail": "why"})


def test_records_wait_while_the_server_does_not_answer(server: Server, tmp_path: Path) -> None:
    backend = HttpBackend(server.url, "active", KEY, spool=tmp_path)
    backend.save(record(0))
    goes_wrong(server)
    with pytest.warns(DeliveryWarning, match="cannot be reached") as told:
        for number in range(1, 20):
            backend.save(record(number))
    assert len(told) == 1 and KEY not in str(told[0].message)
    status = backend.delivery_status()
    assert status["waiting"] == 19 and "503" in str(status["reason"])
    assert [row["records"] for row in spooled(tmp_path)] == [19]
    # One by one, since a server of 0.1.0 knows no other way; and it says nothing of receipts.
    server.answers[PATH] = (201, {"records": [{"record_id": f"r{n}"} for n in range(1, 20)]})
    assert backend.flush(20)["waiting"] == 0
    assert sent(server) == [f"r{number}" for number in range(20)]
    backend.close()
    assert [row["records"] for row in spooled(tmp_path)] == [0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_a_server_that_answers_raises(status: int, server: Server, tmp_path: Path) -> None:
    backend = HttpBackend(server.url, "active", KEY, spool=tmp_path / "spool")
    goes_wrong(server, status)
    with pytest.raises(BackendWriteError, match=str(status)) as caught:
        backend.save(record(1))
    assert caught.value.record.record_id == "r1"
    assert not (tmp_path / "spool").exists()


def test_a_server_that_asks_to_wait_stops_nothing(server: Server, tmp_path: Path) -> None:
    backend = HttpBackend(server.url, "active", KEY, spool=tmp_path / "spool", drain=0.1)
    goes_wrong(server, 429)
    with pytest.warns(DeliveryWarning, match="429"):
        backend.save(record(1))
    assert backend.delivery_status()["waiting"] == 1
    backend.close()


def test_an_unreachable_server_stops_nothing(tmp_path: Path) -> None:
    with pytest.warns(DeliveryWarning, match="could not be verified"):
        backend = HttpBackend("http://127.0.0.1:1", "active", KEY, spool=tmp_path, drain=0.1)
    assert backend.institution_id == ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TraceLog("p", backend).log("s", loss=0.5)
    assert backend.flush(0.2)["waiting"] == 1
    with pytest.raises(BackendWriteError) as caught:
        HttpBackend("http://127.0.0.1:1", "n", KEY, spool=tmp_path)._client.begin("p", b"{}")
    assert caught.value.outcome == "not_written"


def test_a_full_spool(server: Server, tmp_path: Path) -> None:
    goes_wrong(server)
    big = {"text": "x" * 3000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for policy in ("raise", "drop"):
            backend = HttpBackend(server.url, "active", KEY, spool=tmp_path / policy,
                                  delivery="background", on_full=policy, spool_limit=5000,
                                  drain=0.1)
            log = TraceLog("p", backend)
            log.log("s", **big)
            if policy == "raise":
                with pytest.raises(BackendWriteError, match="full") as caught:
                    log.log("s", **big)
                assert caught.value.outcome == "not_written"
            else:
                log.log("s", **big)
                log.log("s", **big)
                assert backend.delivery_status()["dropped"] == 2
                server.answers[PATH] = (201, {})
                assert backend.flush(20) | {"reason": None} == {
                    "waiting": 0, "waiting_bytes": 0, "refused": 0, "refused_gaps": 0,
                    "dropped": 2, "untold": 0, "reason": None}
                gap = json.loads(server.requests[-1][4].splitlines()[-1])
                assert (gap["stage"], gap["payload"]["count"]) == ("delivery_gap", 2)
            backend.close()


def test_settings_that_are_none(server: Server) -> None:
    for wrong in ({"delivery": "sometimes"}, {"on_full": "ignore"}, {"proxy": "no proxy"}):
        with pytest.raises((ValueError, BackendWriteError)):
            HttpBackend(server.url, "active", KEY, **wrong).load_all("p")
    with pytest.raises(ValueError, match="clear"):
        HttpBackend("http://192.0.2.1", "active", KEY)


def test_threads_share_a_backend(server: Server, tmp_path: Path) -> None:
    goes_wrong(server)
    backend = HttpBackend(server.url, "active", KEY, spool=tmp_path, delivery="background",
                          drain=0.1)

    def work(first: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number in range(first, first + 50):
                backend.save(record(number))

    threads = [threading.Thread(target=work, args=(100 * at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert backend.delivery_status()["waiting"] == 200
    (spool,) = tmp_path.glob("*/*/*.records")
    numbers = [json.loads(line)["payload"]["number"] for line in spool.read_bytes().splitlines()]
    for at in range(4):
        assert [n for n in numbers if n // 100 == at] == list(range(100 * at, 100 * at + 50))
    backend.close()


def test_the_end_of_a_program_is_bounded(tmp_path: Path) -> None:
    program = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from quark_trace import HttpBackend, TraceLog\n"
        "backend = HttpBackend('http://127.0.0.1:1', 'n', 'k', spool=sys.argv[1], drain=0.3)\n"
        "TraceLog('p', backend).log('s', a=1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True,
                          text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [(row["records"], row["in_use"]) for row in spooled(tmp_path)] == [(1, False)]


def test_a_sheet_is_never_spooled(server: Server, sheet: Path, tmp_path: Path) -> None:
    backend = HttpBackend(server.url, "active", KEY, spool=tmp_path / "spool")
    server.answers["POST /projects/"] = (503, {"detail": "later"})
    with pytest.raises(BackendWriteError, match="503"):
        Project.load(sheet, backend)
    assert not os.path.exists(tmp_path / "spool")


@pytest.mark.skipif(os.name == "nt", reason="signals are sent by other means there")
@pytest.mark.parametrize("wait", ["backend.flush(60)", "backend.close()"])
def test_ctrl_c_ends_a_wait(wait: str, tmp_path: Path) -> None:
    program = (
        "import sys, time, warnings; warnings.simplefilter('ignore')\n"
        "from quark_trace import HttpBackend, TraceLog\n"
        "backend = HttpBackend('http://127.0.0.1:1', 'n', 'k', spool=sys.argv[1], drain=60)\n"
        "TraceLog('p', backend).log('s', a=1)\n"
        "print('waits', flush=True)\n"
        "try:\n"
        f"    {wait}\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
        "    import os; os._exit(0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)],
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - began < 0.8
    assert [row["records"] for row in spooled(tmp_path)] == [1], "it is kept"


def test_what_tells_of_a_gap_and_is_refused_is_told(server: Server, tmp_path: Path) -> None:
    goes_wrong(server)
    backend = HttpBackend(server.url, "active", KEY, spool=tmp_path, delivery="background",
                          on_full="drop", spool_limit=10, drain=0.1)
    with pytest.warns(DeliveryWarning, match="left out"):
        backend.save(record(1))
    assert spooled(tmp_path)[0]["untold"] == 1
    server.answers[PATH] = (422, {"code": "schema_broken", "detail": "no such stage"})
    with pytest.warns(DeliveryWarning, match="nothing else tells of them"):
        status = backend.flush(20)
    assert (status["refused_gaps"], status["untold"]) == (1, 0)
    backend.close()
    assert spooled(tmp_path)[0]["refused_gaps"] == 1
