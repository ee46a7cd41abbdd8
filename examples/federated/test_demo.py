"""The demo trains a good model, logs all of it, and notices one changed byte."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from quark_trace import JsonBackend, Project

HERE = Path(__file__).resolve().parent
PROJECT = "breast-cancer-federation"
SITES = ["north-clinic", "city-hospital", "screening-centre"]
ROUNDS = 5
COMMAND = os.environ["QUARK_TRACE_COMMAND"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "logs"
    done = subprocess.run([sys.executable, HERE / "run.py", folder], capture_output=True,
                          text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def records(folder, party):
    return Project.resume(PROJECT, JsonBackend(str(folder / party))).history()


def verify(folder):
    return subprocess.run([COMMAND, "verify", folder, PROJECT], capture_output=True, text=True,
                          check=False)


def test_the_coordinator_logged_every_step_in_order(demo):
    one_round = ["client_round"] * len(SITES) + ["aggregation_round", "evaluation"]
    stages = [record.stage for record in records(demo[0], "coordinator")]
    assert stages == ["experiment_start", "evaluation", *one_round * ROUNDS, "experiment_end"]


@pytest.mark.parametrize("site", SITES)
def test_every_site_logged_what_it_sent(demo, site):
    own = records(demo[0], site)
    assert [record.payload["round"] for record in own] == [1, 2, 3, 4, 5]
    seen = [record.payload["update_digest"] for record in records(demo[0], "coordinator")
            if record.payload.get("site") == site]
    assert [record.payload["update_digest"] for record in own] == seen


def test_replies_are_logged_as_they_arrived_and_averaged_by_node(demo):
    log = records(demo[0], "coordinator")
    for average in (record.payload for record in log if record.stage == "aggregation_round"):
        replies = [record.payload for record in log if record.stage == "client_round"
                   and record.payload["round"] == average["round"]]
        assert [reply["position"] for reply in replies] == [0, 1, 2]
        assert [reply["node"] for reply in replies] == average["arrived"]
        by_node = sorted(replies, key=lambda reply: int(reply["node"]))
        assert average["averaged"] == [reply["site"] for reply in by_node]


def test_the_model_is_good_and_got_better(demo):
    evaluations = [record.payload for record in records(demo[0], "coordinator")
                   if record.stage == "evaluation"]
    assert len(evaluations) == ROUNDS + 1
    assert evaluations[-1]["accuracy"] > 0.93
    assert evaluations[-1]["loss"] < 0.25 < evaluations[0]["loss"]


@pytest.mark.parametrize("party", ["coordinator", *SITES])
def test_every_log_verifies(demo, party):
    verdict = verify(demo[0] / party)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_one_changed_byte_is_found(demo):
    verdict = verify(demo[0] / "coordinator-altered")
    assert verdict.returncode == 1
    assert "E-ALTERED" in verdict.stdout + verdict.stderr


def test_the_demo_prints_its_steps_without_noise(demo):
    output = demo[1]
    for number, heading in enumerate(["Train", "The summary", "The history of round 5",
                                      "Both sides agree", "Verify", "Tamper"], start=1):
        assert f"\n{number}. {heading}\n" in output
    assert "15 of 15 updates" in output
    assert not any(word in output for word in ["INFO", "WARNING", "Traceback", "(pid="])
