"""Kill -9: eight processes append, one of them is killed at random, again and again."""

import random
import shutil
import tempfile
import threading
import time
from pathlib import Path

from writers import Fault, Told, Writer, check, compare

PROCESSES = 8
KILLS_PER_LOG = 25
FOR_EVER = "1000000000"


def files(folder: Path) -> str:
    """A store of files in a folder."""
    return str(folder / "data")


def database(folder: Path) -> str:
    """A database of SQLite in a folder."""
    return f"sqlite:{folder / 'trace.db'}"


def run(kills: int, seed: int, store=files) -> str:
    """Kills `kills` writers; gives the closing line, or raises with the seed to run it again.

    `store` names a new store in an empty folder."""
    dice = random.Random(seed)
    done, acknowledged, tried, started = 0, 0, 0, time.monotonic()
    while done < kills:
        several = min(KILLS_PER_LOG, kills - done)
        folder = Path(tempfile.mkdtemp(prefix="quark-kill-"))
        try:
            told = one_log(folder, store(folder), several, dice)
        except Fault as fault:
            raise Fault(f"kill -9, {store.__name__}, seed {seed}, after {done} kills, in {folder}: {fault}") from None
        shutil.rmtree(folder)
        done += several
        acknowledged += len(told.acknowledged)
        tried += sum(map(len, told.tried))
    return (f"kill -9, {store.__name__}: {done} kills among {PROCESSES} processes, {tried} records tried, "
            f"{acknowledged} acknowledged, 0 lost, 0 twice, 0 batches in part, every log verified, "
            f"seed {seed}, {time.monotonic() - started:.0f} s")


def one_log(folder: Path, store: str, kills: int, dice: random.Random) -> Told:
    told, lock = Told(), threading.Lock()
    keys = folder / "keys"

    def start() -> Writer:
        seed = str(dice.randrange(1 << 48))
        return Writer(told, lock, [store, str(keys), seed, FOR_EVER, "os,os,sync,large"])

    writers = [start() for _ in range(PROCESSES)]
    try:
        for _ in range(kills):
            time.sleep(dice.uniform(0, 0.2))
            place = dice.randrange(PROCESSES)
            if writers[place].process.poll() is not None:
                raise Fault(f"a writer gave up: {writers[place].end()}")
            writers[place].kill()
            writers[place] = start()
        time.sleep(dice.uniform(0, 0.2))
    finally:
        for writer in writers:
            writer.kill()
    if told.errors:
        raise Fault(f"writers met errors: {told.errors[:3]}")
    compare(told, check(store, keys))
    return told
