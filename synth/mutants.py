"""Mutants of a netlist (Yosys `mutate`, as in MCY): a changed bit of a cell's port each.

All mutants are in one netlist, which an input `mutsel` switches on one at a time, so that one
compilation serves them all.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from intarsia.synth.process import SimulatorError
from intarsia.synth.yosys import yosys

SELECT, SELECT_BITS = "mutsel", 16
PROOF_SECONDS = 240
IGNORE = "-ignore-unknown-cells"
"""Memories, to the solver of Yosys."""
VERDICT = "equiv_status -assert"
UNKNOWN = re.compile(r"memrd\S* -port (?!ADDR|DATA)")
"""Ports of memories read without a clock that Yosys refuses to find connected."""
EVERYWHERE = "* t:$meminit* %d"


@dataclass(frozen=True)
class Mutant:
    """A changed bit of a cell's port; `command` is Yosys's, `what` says it to people."""

    number: int
    command: str

    @property
    def what(self) -> str:
        words = dict(re.findall(r"-(mode|cell|port|portbit|wire|wirebit|src) (\S+)", self.command))
        place = f"{words['cell']} {words['port']}[{words['portbit']}]"
        wire = f" ({words['wire']}[{words['wirebit']}])" if "wire" in words else ""
        source = f", {Path(words['src']).name}" if "src" in words else ""
        return f"{words['mode']} at {place}{wire}{source}"


@dataclass(frozen=True)
class Score:
    """killed, equivalent, survivors: together all mutants."""

    name: str
    killed: int
    equivalent: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        """Killed, of those that are not equivalent."""
        return self.killed / max(self.killed + len(self.survivors), 1)


class Mutants:
    """The mutants of one netlist, in a folder of their own. Number 0 is the netlist itself.

    The folder holds it, flat, as flat.il, with the module `top` at its top. `cells` is Yosys's selection
    of what may be changed.
    """

    def __init__(self, top: str, count: int, seed: int, folder: Path, cells: str = EVERYWHERE) -> None:
        self.top, self.folder = top, folder
        yosys(
            "read_rtlil flat.il\n"
            f"mutate -list {count} -seed {seed} -ctrl {SELECT} {SELECT_BITS} 1 -o list.ys {cells}\n",
            folder,
        )
        commands = [c for c in (folder / "list.ys").read_text().splitlines() if not UNKNOWN.search(c)]
        (folder / "list.ys").write_text("\n".join(commands))
        yosys("read_rtlil flat.il\nscript list.ys\nopt_clean\nwrite_verilog -noattr mutants.v\n", folder)
        numbers = [int(re.findall(rf"-ctrl {SELECT} \d+ (\d+)", command)[0]) for command in commands]
        self.all = list(map(Mutant, numbers, commands))
        self.verilog = (folder / "mutants.v").read_text()

    def equivalent(self, mutant: Mutant) -> bool:
        """Whether Yosys proves that the mutant does what the netlist does, in every reachable or
        unreachable state; False where it finds no proof in time.

        A memory is one for both: what is written to it and its addresses must be equal, what is read
        from it is then the same, and may be anything.
        """
        change = re.sub(rf"-ctrl {SELECT} \d+ \d+", "", mutant.command)
        script = (
            f"read_rtlil flat.il\nrename {self.top} gold\nread_rtlil flat.il\nselect {self.top}\n"
            f"{change}\nselect -clear\nrename {self.top} gate\nmemory_collect\n"
            "equiv_make gold gate both\nhierarchy -top both\n"
            f"equiv_simple -short {IGNORE}\nequiv_simple -seq 3 {IGNORE}\nequiv_remove\n"
            # What does not lead to a question that is left would only keep the solver busy.
            f"equiv_induct -seq 5 {IGNORE} t:$equiv %ci*\n{VERDICT}\n"
        )
        folder = self.folder / f"equivalence{mutant.number}"
        folder.mkdir()
        (folder / "flat.il").write_text((self.folder / "flat.il").read_text())
        try:
            yosys(script, folder, timeout=PROOF_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        except SimulatorError as error:
            if VERDICT not in str(error):
                raise  # the script has failed, not the proof
            return False
        return True
