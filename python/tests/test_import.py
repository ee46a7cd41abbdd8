"""Importing is quick, touches nothing, and the package never speaks."""

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from quark_trace import JsonBackend, Project

AUDIT = """
import importlib.machinery, os, sys
import dataclasses, abc, json, datetime, http.client, ssl, weakref, atexit, pathlib, urllib.parse
import copy, warnings, socket, enum, collections.abc
seen = []
class Environment(dict):
    def __getitem__(self, name):
        seen.append(("environment", name)); return dict.__getitem__(self, name)
    def get(self, name, default=None):
        seen.append(("environment", name)); return dict.get(self, name, default)
    __contains__ = lambda self, name: seen.append(("environment", name)) or False
def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.mkdir", "os.remove", "os.rename",
                         "os.putenv", "os.fork", "os.exec", "tempfile.", "shutil.")):
        seen.append((event, arguments))
    if event == "open":
        path = str(arguments[0])
        if not path.endswith((".py", ".pyc", ".so", ".pyd")):
            seen.append((event, path))
sys.addaudithook(watch)
os.environ = Environment(os.environ)
import quark_trace
import quark_trace.trace.backends.http_backend
print(seen)
"""
TIME = """
import sys, time
start = time.process_time()
import quark_trace
print((time.process_time() - start) * 1000)
"""


def output(program: str, *options: str) -> str:
    ran = subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True,
                         check=True, timeout=60)
    assert ran.stderr == ""
    return ran.stdout.strip()


def test_importing_reads_no_environment_file_or_network() -> None:
    assert output(AUDIT) == "[]"


def test_importing_is_quick() -> None:
    """In time of the processor, so that what else runs on the machine does not count."""
    times = [float(output(TIME)) for _ in range(7)]
    print(f"import: {statistics.median(times):.1f} ms (best {min(times):.1f})")
    assert min(times) < 50, times


def test_the_client_is_loaded_when_it_is_asked_for() -> None:
    module = "'quark_trace.trace.backends.http_backend' in sys.modules"
    program = f"import sys, quark_trace; before = {module}; "
    program += f"quark_trace.HttpBackend; print(before, {module}, 'http.client' in sys.modules)"
    assert output(program) == "False True False"
    with pytest.raises(ImportError):
        from quark_trace import Nothing  # type: ignore[attr-defined]  # noqa: F401


def test_importing_starts_no_thread() -> None:
    assert output("import threading, quark_trace; print(threading.active_count())") == "1"
    counted = "import os, quark_trace; print(len(os.listdir('/proc/self/task')))"
    if Path("/proc/self/task").exists():
        assert output(counted) == "1"


def test_nothing_is_installed_for_it() -> None:
    loaded = output("import sys, quark_trace; print(sorted(name.split('.')[0] for name in "
                    "sys.modules if name.split('.')[0] not in sys.stdlib_module_names))", "-I")
    foreign = set(eval(loaded)) - {"quark_trace", "__main__"}
    assert not {name for name in foreign if not name.startswith(("_", "sitecustomize"))}, foreign


def test_the_package_says_nothing(
    sheet: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Project.open(sheet, JsonBackend(tmp_path / "data")) as project:
        record = project.log("s", loss=float("nan"))
        for refused in ({"a": {1}}, {"a": b"x"}):
            with pytest.raises(TypeError):
                project.log("s", payload=refused)
        with pytest.raises(ValueError):
            project.log("")
        project.amend({"purpose": "other"}, "Jane", "why")
        project.history(), project.summary(), project.verify(), project.flush()
        project.prove(record)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_wheel_for_every_python_from_3_11() -> None:
    import quark_trace._core as core

    assert core.__file__.endswith((".abi3.so", ".pyd"))
    assert sys.version_info >= (3, 11)
