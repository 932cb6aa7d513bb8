"""Random edits of valid inputs of every kind: `make fuzz`.

    python -m tools.fuzz [CASES [KIND...]]

So many cases more, of all kinds in turn or of those named (artifact, machine, program, topology, config,
checkpoint, picture); without a number until it is interrupted. Each is refused in one sentence, within a
second and 1 GiB, or read; what is read must give equal results on every way to them. A case that does not
is kept: fuzz/KIND-SEED.SUFFIX and, beside it, a text of what happened. Writes fuzz.json as it goes, and
goes on where that ends.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from intarsia.cli.output import console, progress, results
from intarsia.model.errors import InputError
from tools.fuzzing.kinds import KINDS
from tools.fuzzing.pool import Found, Worker
from tools.unfinished import read_results, write_results

FINDINGS = Path("fuzz")
RESULTS = Path("fuzz.json")


def main(words: Sequence[str], findings: Path = FINDINGS, results_file: Path = RESULTS) -> int:
    """1 if a case of those kinds was ever kept, otherwise 0."""
    wanted = int(words[0]) if words and words[0].isdecimal() else None
    names = list(words[0 if wanted is None else 1 :]) or list(KINDS)
    if unknown := [name for name in names if name not in KINDS]:
        console.print(f"unknown kind {', '.join(unknown)}: {', '.join(KINDS)} are known")
        return 2
    done = read_results(results_file)
    try:
        play(names, wanted, done, findings, results_file)
    except InputError as error:
        console.print(str(error))
        return 2
    except KeyboardInterrupt:
        console.print("interrupted: the next call goes on here")
    for name in names:
        entry = done.get(name, {"cases": 0, "accepted": 0, "kept": []})
        results.print(
            f"{name}: {entry['cases']:,} cases, {entry['accepted']:,} read, the others refused,"
            f" {len(entry['kept'])} kept in {findings}"
        )
    return 1 if any(done.get(name, {}).get("kept") for name in names) else 0


def play(
    names: Sequence[str],
    wanted: int | None,
    done: dict[str, dict[str, object]],
    findings: Path,
    results_file: Path,
) -> None:
    """Cases of the kinds in turn; `done` is written after each round."""
    with progress() as bar, Worker() as worker:
        task = bar.add_task("starting", total=wanted)
        for name in names:
            found = worker.play(name, "-")
            if found.outcome != "accepted":
                raise InputError(f"the valid {name} must be read, not be {found.outcome}: {found.text}")
        for number in count() if wanted is None else range(wanted):
            name = names[number % len(names)]
            entry = done.setdefault(name, {"cases": 0, "accepted": 0, "kept": []})
            seed = int(str(entry["cases"]))
            bar.update(task, description=f"{name} {seed}", completed=number)
            found = worker.play(name, str(seed))
            entry["cases"] = seed + 1
            entry["accepted"] = int(str(entry["accepted"])) + (found.outcome == "accepted")
            if found.outcome not in ("accepted", "refused"):
                keep(found, findings / f"{name}-{seed}{found.path.suffix}")
                kept = entry["kept"]
                assert isinstance(kept, list)
                kept.append(seed)
                console.print(f"{name} {seed}: {found.outcome}")
            if name == names[-1] or found.outcome not in ("accepted", "refused"):
                write_results(results_file, done)


def keep(found: Found, path: Path) -> None:
    """The file of a case that went wrong, and a text of what happened."""
    path.parent.mkdir(exist_ok=True)
    if found.path.is_file():  # not where the process ended before it was written
        path.write_bytes(found.path.read_bytes())
    path.with_name(f"{path.name}.txt").write_text(
        f"{found.outcome} after {found.seconds:.1f} s and {found.bytes // 2**20} MiB\n"
        f"edits: {found.done}\n\n{found.text}\n",
        errors="backslashreplace",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
