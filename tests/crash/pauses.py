"""Two writers, one of them stopped in the middle and let go on later: they never fork the log."""

import random
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

from kills import database, files
from writers import Fault, Told, Writer, check, compare

TRIALS_PER_LOG = 25
FOR_EVER = "1000000000"


def run(trials: int, seed: int, store=database) -> str:
    """Pauses a writer `trials` times; gives the closing line, or raises with the seed."""
    dice, started = random.Random(seed), time.monotonic()
    done = acknowledged = held = 0
    while done < trials:
        several = min(TRIALS_PER_LOG, trials - done)
        folder = Path(tempfile.mkdtemp(prefix="quark-pause-"))
        try:
            told, waited = one_log(store(folder), folder / "keys", several, dice)
        except Fault as fault:
            raise Fault(f"pauses, {store.__name__}, seed {seed}, after {done}, in {folder}: "
                        f"{fault}") from None
        shutil.rmtree(folder)
        done += several
        held += waited
        acknowledged += len(told.acknowledged)
    return (f"pauses, {store.__name__}: {done} trials, the other writer held up in {held} of them, "
            f"{acknowledged} records acknowledged, 0 lost, 0 twice, no fork, every log verified, "
            f"seed {seed}, {time.monotonic() - started:.0f} s")


def one_log(store: str, keys: Path, trials: int, dice: random.Random) -> tuple[Told, int]:
    """Stops one of two writers again and again; how often the other could not go on meanwhile."""
    lock = threading.Lock()
    tolds = [Told(), Told()]
    seeds = [str(dice.randrange(1 << 48)) for _ in tolds]
    writers = [Writer(told, lock, [store, str(keys), seed, FOR_EVER, "os,sync,patient"])
               for told, seed in zip(tolds, seeds)]
    held = 0
    try:
        for trial in range(trials):
            paused = dice.randrange(2)
            other = tolds[1 - paused]
            for told, writer in zip(tolds, writers):
                wait_for_more(told, lock, writer, 3)
            writers[paused].process.send_signal(signal.SIGSTOP)
            try:
                before = count(other, lock)
                # Some are stopped for longer than the other one has patience to be held up.
                time.sleep(12 if trial == trials - 1 and dice.randrange(10) == 0
                           else dice.uniform(0.01, 0.15))
                held += count(other, lock) <= before + 1
            finally:
                writers[paused].process.send_signal(signal.SIGCONT)
        for told, writer in zip(tolds, writers):
            wait_for_more(told, lock, writer, 3)
    finally:
        for writer in writers:
            writer.kill()
    together = Told()
    for told in tolds:
        together.tried += told.tried
        together.acknowledged |= told.acknowledged
        together.errors += told.errors
    odd = [line for line in together.errors if line.split()[1] != "Busy"]
    if odd:
        raise Fault(f"writers met errors: {odd[:3]}")
    compare(together, check(store, keys))
    return together, held


def count(told: Told, lock: threading.Lock) -> int:
    with lock:
        return len(told.acknowledged)


def wait_for_more(told: Told, lock: threading.Lock, writer: Writer, more: int) -> None:
    """Waits until so many more records are acknowledged to a writer."""
    goal, limit = count(told, lock) + more, time.monotonic() + 60
    while count(told, lock) < goal:
        if writer.process.poll() is not None:
            raise Fault(f"a writer gave up: {writer.end()}")
        if time.monotonic() > limit:
            raise Fault("nothing is acknowledged any more")
        time.sleep(0.001)


__all__ = ["database", "files", "run"]
