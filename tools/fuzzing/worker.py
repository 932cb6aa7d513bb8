"""A process that edits and judges inputs, apart so that no input can take the machine down.

    python -m tools.fuzzing.worker FOLDER

Reads a line KIND SEED from stdin for each case, and answers with one line of JSON: `outcome` (refused,
accepted or a fault), `text` that says more, `done` to the file, `seconds` and `bytes` that it took. A SEED
of "-" is the valid file. The file itself is FOLDER/KIND/case.SUFFIX.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
import traceback
from pathlib import Path

for _name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"  # networks are small: threads would wait for each other

from intarsia.model.errors import InputError  # noqa: E402
from tools.fuzzing.kinds import KINDS, Kind  # noqa: E402

MAX_SECONDS, MAX_BYTES = 1.0, 2**30
"""To refuse an input."""

LIMIT_BYTES = 4 * 2**30
"""More memory is not given: an input that wants it gets a MemoryError."""

MAX_SENTENCE = 1000


def main(folder: Path) -> None:
    kinds: dict[str, Kind] = {}
    for line in sys.stdin:
        name, seed = line.split()
        if name not in kinds:
            kinds[name] = KINDS[name]()
        (folder / name).mkdir(exist_ok=True)
        path = folder / name / f"case{kinds[name].suffix}"
        rng = None if seed == "-" else random.Random(f"{name} {seed}")
        print(json.dumps(case(kinds[name], path, rng)), flush=True)


def case(kind: Kind, path: Path, rng: random.Random | None) -> dict[str, object]:
    """What became of one file."""
    done = kind.write(path, rng)
    before = _most_bytes(reset=True)
    _limit()
    start = time.perf_counter(), time.process_time()
    try:
        outcome, _, text = kind.judge(path).partition("; ")
    except InputError as error:
        outcome, text = "refused", str(error)
    except AssertionError as error:
        outcome, text = "unequal", str(error)
    except Exception:
        outcome, text = "traceback", traceback.format_exc()
    # On a busy machine the clock runs on while others work; the processor's may count threads twice.
    seconds = min(time.perf_counter() - start[0], time.process_time() - start[1])
    taken = _most_bytes() - before
    if outcome == "refused":
        if seconds > MAX_SECONDS:
            outcome = "slow"
        elif taken > MAX_BYTES:
            outcome = "large"
        elif not text.isprintable() or len(text) > MAX_SENTENCE:
            outcome = "no sentence"
    return {"outcome": outcome, "text": text, "done": done, "seconds": seconds, "bytes": taken}


def _most_bytes(*, reset: bool = False) -> int:
    """Peak of the memory in use since the last reset; Linux alone can reset it."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        return 1024 * _status("VmHWM")
    except OSError:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _limit() -> None:
    try:
        most = 1024 * _status("VmData") + LIMIT_BYTES
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
