"""The demo: a real federated training run, logged by everyone who took part, read back, verified.

    python run.py [FOLDER]

FOLDER, which must not exist yet, receives the logs. The default is target/demo in the repository,
made anew each time. `make demo` installs what this needs.
"""

import os
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from ledgers import COORDINATOR, FOLDER_VARIABLE, PROJECT, read_project
from quark_trace import FactSheetNotFoundError, Project, TraceRecord
from sites import SITES
from tables import print_row, print_rule, quote, say, step, table, title

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
TARGET = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")
COMMAND = os.environ.get("QUARK_TRACE_COMMAND", str(TARGET / "debug" / "quark-trace"))
ROUND_COLUMNS = ["round", *(site.name for site in SITES), "average loss", "held-back cases"]
ROUND_WIDTHS = [-len(column) for column in ROUND_COLUMNS]


def main(arguments: list[str]) -> int:
    folder = prepare(arguments)
    title("Quark Trace: a federated training run, logged by everyone who took part")
    train(folder)
    with read_project(COORDINATOR) as project:
        show_summary(project)
        show_last_round(project)
        agreed = compare_both_sides(project)
        verified = verify(project, folder)
    noticed = tamper(folder)
    show_what_next(folder)
    return 0 if agreed and verified and noticed else 1


def prepare(arguments: list[str]) -> Path:
    """An empty folder for the logs, named in the environment for every process of the run."""
    folder = Path(arguments[0]).resolve() if arguments else TARGET / "demo"
    if not arguments:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[FOLDER_VARIABLE] = str(folder)
    os.environ["FLWR_HOME"] = str(folder / "flower")
    os.environ["PYTHONPATH"] = str(HERE)
    return folder


def train(folder: Path) -> None:
    step(1, "Train", f"Three hospitals and a coordinator train a logistic regression on the "
         f"breast-cancer data of scikit-learn: 5 rounds of federated averaging with Flower "
         f"{version('flwr')}. No case leaves its hospital. Flower's own output goes to "
         f"{shown_path(folder / 'training.log')}.")
    print()
    print_rule(ROUND_COLUMNS, ROUND_WIDTHS)
    with (folder / "training.log").open("wb") as log:
        training = subprocess.Popen([sys.executable, HERE / "train.py"], stdout=log, stderr=log)
        shown = 0
        while training.poll() is None:
            time.sleep(0.2)
            shown = show_rounds_after(shown)
    show_rounds_after(shown)
    if training.returncode != 0:
        quote((folder / "training.log").read_text(errors="replace")[-3000:])
        sys.exit(f"run.py: the training ended with exit code {training.returncode}")
    print()
    say("This table was read from the coordinator's log while the training wrote it.")


def show_rounds_after(shown: int) -> int:
    """Prints a line for each round that has been logged to its end; returns how many are shown."""
    try:
        records = read_project(COORDINATOR).history()
    except FactSheetNotFoundError:
        return shown
    evaluations = [record for record in records if record.stage == "evaluation"]
    for evaluation in evaluations[shown:]:
        number = evaluation.payload["round"]
        of_round = [record for record in records if record.payload.get("round") == number]
        by_site = {record.payload["site"]: record.payload["accuracy"]
                   for record in of_round if record.stage == "client_round"}
        loss = next((record.payload["loss"] for record in of_round
                     if record.stage == "aggregation_round"), None)
        print_row([number, *(by_site.get(site.name) for site in SITES), loss,
                   evaluation.payload["accuracy"]], ROUND_WIDTHS)
    return len(evaluations)


def show_summary(project: Project) -> None:
    step(2, "The summary", "What the log holds, counted from its records.")
    summary = project.summary()
    stages = summary.pop("stages_recorded")
    rows = [(name.replace("_", " "), value) for name, value in summary.items() if value is not None]
    table(["what", "value"], rows)
    table(["stage", "records"], stages.items())


def show_last_round(project: Project) -> None:
    records = project.history()
    last = max(record.payload.get("round", 0) for record in records)
    step(3, f"The history of round {last}", "Each reply in the order in which it arrived, then the "
         "average and its evaluation. The digest is that of the weights: a site's update, or the "
         "global model.")
    of_round = [record for record in records if record.payload.get("round") == last]
    table(["time", "stage", "site", "cases", "loss", "accuracy", "digest"],
          map(history_row, of_round))


def history_row(record: TraceRecord) -> list[object]:
    payload = record.payload
    digest = payload.get("update_digest") or payload.get("global_digest") or ""
    return [record.timestamp[11:23], record.stage, payload.get("site", ""),
            payload.get("num_examples"), payload.get("loss"), payload.get("accuracy"), digest[:16]]


def compare_both_sides(project: Project) -> bool:
    """Whether each update that the coordinator logged is the one that the site says it sent."""
    step(4, "Both sides agree", "Every site keeps a log of its own, which the coordinator cannot "
         "reach. The digest of an update must be the same in both.")
    received = updates(project.history())
    sent = {}
    for site in SITES:
        with read_project(site.name) as own:
            sent |= updates(own.history())
    equal = sum(received.get(key) == digest for key, digest in sent.items())
    print()
    say(f"{equal} of {len(sent)} updates that the sites sent are the ones that the coordinator "
        f"averaged; the coordinator logged {len(received)}.")
    return sent == received


def updates(records: list[TraceRecord]) -> dict[tuple[int, str], str]:
    return {(record.payload["round"], record.payload["site"]): record.payload["update_digest"]
            for record in records if record.stage == "client_round"}


def verify(project: Project, folder: Path) -> bool:
    step(5, "Verify", "Every record is hashed again and held against the Merkle tree and the "
         "signed checkpoint: first from Python, then with the command that an auditor would use.")
    verdict = project.verify()
    print()
    say(f"project.verify() says: {verdict['headline']}")
    exit_codes = [run_command("verify", folder / COORDINATOR)]
    exit_codes += [run_command("verify", folder / site.name, paragraphs=1) for site in SITES]
    return verdict["exit_code"] == 0 and not any(exit_codes)


def tamper(folder: Path) -> bool:
    """Changes one byte in a copy of the log; returns whether the verdict was `tampered`."""
    step(6, "Tamper", "Somebody wants the result to look better and changes one byte, in a copy of "
         "the coordinator's log.")
    copy = folder / "coordinator-altered"
    shutil.copytree(folder / COORDINATOR, copy)
    log = copy / f"{PROJECT}_trace_log.jsonl"
    content = bytearray(log.read_bytes())
    field = content.rindex(b'"accuracy": 0.')
    digit = field + len(b'"accuracy": 0.') + 1
    before = content[field:digit + 3].decode()
    content[digit] = ord("8") if content[digit] == ord("9") else ord("9")
    log.write_bytes(content)
    line = content.count(b"\n", 0, field) + 1
    print()
    say(f"line {line} of the copy: {before} becomes {content[field:digit + 3].decode()}")
    exit_code = run_command("verify", copy, paragraphs=1)
    print()
    say(f"Exit code {exit_code}: 0 means verified, 1 tampered.")
    return exit_code == 1


def run_command(verb: str, folder: Path, paragraphs: int | None = None) -> int:
    """Runs the command line and shows what it says, or the beginning of it."""
    print()
    say(f"$ quark-trace {verb} {shown_path(folder)} {PROJECT}")
    done = subprocess.run([COMMAND, verb, folder, PROJECT], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, encoding="utf-8", check=False)
    quote("\n\n".join(done.stdout.split("\n\n")[:paragraphs]))
    return done.returncode


def show_what_next(folder: Path) -> None:
    step(7, "Look for yourself", "The logs stay where they are. What was shown here needs nothing "
         "but these files; the format is described in spec/.")
    command = shown_path(Path(COMMAND))
    print()
    for verb in ("history", "summary", "sheets", "verify"):
        quote(f"{command} {verb} {shown_path(folder / COORDINATOR)} {PROJECT}")
    print()


def shown_path(path: Path) -> str:
    """The path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
