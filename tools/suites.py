"""The test suites: which commands each one runs, and what those need."""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TEST_PYTHON = ".venv/bin/python"
API_PYTHON = ".venv-api/bin/python"
PAGES_PYTHON = ".venv-pages/bin/python"
TARGET = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")
COMMAND_LINE = TARGET / "debug" / "quark-trace"
SHARED_ENVIRONMENT = {
    "QUARK_TRACE_COMMAND": str(COMMAND_LINE),
    "QUARK_TRACE_SEED_PYTHON": str(REPOSITORY / ".venv-seed" / "bin" / "python"),
}


@dataclass
class Step:
    """One command of a suite; `absent` says why it cannot run in this checkout, if so."""

    title: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=lambda: dict(SHARED_ENVIRONMENT))
    absent: str = ""
    is_test: bool = True


def suite_steps(name: str) -> Iterable[Step]:
    """The steps of a suite, found now: an earlier suite may have made what they need."""
    return (SUITES | OTHER_SUITES)[name]()


def rust() -> list[Step]:
    # Tests kill programs of the examples folder, which the test runner does not build.
    examples = ["cargo", "build", "--quiet", "--workspace", "--examples", "--locked"]
    return [*format_and_lints(), Step("example programs", examples, is_test=False),
            Step("tests", rust_tests("--tests")),
            Step("examples in the documentation", ["cargo", "test", "--doc", "--workspace",
                                                   "--locked"])]


def format_and_lints() -> list[Step]:
    return [Step("formatting", ["cargo", "fmt", "--all", "--check"]),
            Step("lints", ["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--",
                           "-D", "warnings"])]


def rust_tests(*arguments: str, ignored: bool = False) -> list[str]:
    """The command that runs the Rust tests: with cargo-nextest where it is installed."""
    common = ["--workspace", "--locked", "--no-fail-fast", *arguments]
    if not shutil.which("cargo-nextest"):
        return ["cargo", "test", "--quiet", *common, *(["--", "--ignored"] if ignored else [])]
    selected = ["--run-ignored", "only", "--no-tests", "pass"] if ignored else []
    return ["cargo", "nextest", "run", "--status-level", "fail", "--final-status-level", "slow",
            *common, *selected]


def python() -> list[Step]:
    return [
        set_up("venv", "seed", "command"),
        folder_step("tests", "python/tests", [TEST_PYTHON, "-m", "pytest", "-rs", "-q",
                                              "python/tests"]),
    ]


def shell() -> list[Step]:
    scripts = sorted((REPOSITORY / "tests" / "shell").glob("*.sh"))
    if not scripts:
        return [Step("scripts", [], absent="tests/shell holds no script")]
    return [set_up("command", "parts"),
            *(Step(script.stem, ["sh", str(script)]) for script in scripts)]


def crash() -> list[Step]:
    return [set_up("parts"), folder_step("faults, kills and power cuts", "tests/crash/run",
                                         ["tests/crash/run"])]


def api() -> list[Step]:
    """The server against its OpenAPI document."""
    return [set_up(".venv-api/.ready", "command"),
            folder_step("calls, right and wrong", "tests/api/run",
                        [API_PYTHON, "tests/api/run"])]


def pages() -> Iterator[Step]:
    """The pages in a real browser, which the first step installs where it may."""
    yield set_up("browser")
    if not any(map(shutil.which, ["chromium", "chromium-browser"])):
        yield Step("ways and looks", [], absent="there is no Chromium on this machine")
        return
    yield set_up(".venv-pages/.ready", "command")
    yield folder_step("ways and looks", "tests/pages",
                      [PAGES_PYTHON, "-m", "pytest", "-rs", "-q", "tests/pages"])


def postgres() -> list[Step]:
    """The PostgreSQL store against a server that is started for it."""
    return [set_up("parts"), *postgres_store(),
            folder_step("kills and failovers", "tests/crash/run-postgres",
                        ["tests/crash/run-postgres"])]


def postgres_store() -> list[Step]:
    tests = ["-p", "quark-trace", "--locked", "--features", "postgres,conformance", "--test",
             "postgres", "--test", "copy"]
    return [Step("lints", ["cargo", "clippy", *tests, "--", "-D", "warnings"], is_test=False),
            Step("store", ["tools/with-postgres", "cargo", "test", "--quiet", *tests])]


def server() -> list[Step]:
    """The server as it is shipped, over the network of this machine."""
    return [
        set_up("venv", "seed", "command"),
        folder_step("clients", "tests/server", [TEST_PYTHON, "-m", "pytest", "-rs", "-q",
                                                "tests/server"]),
        server_kills("SQLite"), server_kills("PostgreSQL"),
    ]


def server_kills(database: str, *arguments: str) -> Step:
    """Kills of servers under load; on PostgreSQL of two that share a database."""
    around = ["tools/with-postgres"] if database == "PostgreSQL" else []
    return folder_step(f"kills, {database}", "tests/crash/run-server",
                       [*around, "tests/crash/run-server", "--only", database, *arguments])


def docs() -> list[Step]:
    return [
        Step("reference", ["cargo", "doc", "--workspace", "--lib", "--no-deps", "--locked"],
             {"RUSTDOCFLAGS": "-D warnings -A rustdoc::private-intra-doc-links"}),
        set_up("venv", "command"),
        folder_step("examples", "tests/docs", [TEST_PYTHON, "-m", "pytest", "-rs", "-q",
                                               "tests/docs"]),
    ]


def demo() -> list[Step]:
    return [
        set_up("demo-venv", "command"),
        folder_step("federated run", "examples/federated/test_demo.py",
                    [".venv-demo/bin/python", "-m", "pytest", "-rs", "-q",
                     "examples/federated/test_demo.py"]),
    ]


def tools() -> list[Step]:
    return [set_up(".venv/.ready"),
            Step("tests", [TEST_PYTHON, "-m", "pytest", "-rs", "-q", "tools"])]


def check() -> list[Step]:
    """The everyday loop: under five minutes, so without the demo, crashes and slow tests."""
    quick = [TEST_PYTHON, "-m", "pytest", "-rs", "-q", "-m", "not slow", "python/tests"]
    return [*format_and_lints(), Step("unit tests", rust_tests("--lib", "--bins")),
            set_up("venv"),
            folder_step("quick Python tests", "python/tests", quick)]


def soak() -> list[Step]:
    return [set_up("parts", ".venv-api/.ready", "command"),
            # Two halves, because a step has its time.
            *(folder_step(f"fifty thousand calls, {half} half", "tests/api/run",
                          [API_PYTHON, "tests/api/run", "--requests", "50000"])
              for half in ("first", "second")),
            Step("ignored Rust tests", rust_tests(ignored=True)),
            Step("ignored tests of PostgreSQL",
                 ["tools/with-postgres", "cargo", "test", "--quiet", "-p", "quark-trace", "--locked",
                  "--features", "postgres,conformance", "--test", "postgres", "--", "--ignored"]),
            folder_step("faults, kills and power cuts", "tests/crash/run",
                        ["tests/crash/run", "--soak"]),
            folder_step("kills and failovers of PostgreSQL", "tests/crash/run-postgres",
                        ["tests/crash/run-postgres", "--soak"]),
            server_kills("SQLite", "--soak"), server_kills("PostgreSQL", "--soak"),
            folder_step("what is foreign and what is missing take one time", "tests/server",
                        [TEST_PYTHON, "tests/server/foreign_timing.py"])]


def set_up(*targets: str) -> Step:
    """Makes what a suite needs. It counts only when it fails."""
    return Step("set-up", ["make", "--no-print-directory", *targets], is_test=False)


def folder_step(title: str, path: str, command: list[str]) -> Step:
    """A step over a part of the repository; one that is not there is reported as skipped."""
    absent = "" if (REPOSITORY / path).exists() else f"this checkout has no {path}"
    return Step(title, command, absent=absent)


SUITES = {"rust": rust, "python": python, "shell": shell, "crash": crash, "postgres": postgres,
          "server": server, "api": api, "pages": pages,
          "docs": docs, "demo": demo, "tools": tools}

# Run by a target of their own, not by `make test`.
OTHER_SUITES = {"check": check, "soak": soak}
