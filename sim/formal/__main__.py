"""`python -m intarsia.sim.formal`: all proofs, two at a time."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor

from intarsia.sim.formal.proof import Outcome
from intarsia.sim.formal.prove import PROOFS, prove
from intarsia.synth.process import SimulatorError

AT_A_TIME = 2


def main() -> int:
    width = max(map(len, PROOFS))
    unproven = 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        futures: dict[str, Future[Outcome]] = {name: pool.submit(prove, name) for name in PROOFS}
        for name, future in futures.items():
            try:
                outcome = future.result()
            except SimulatorError as error:
                verdict = str(error)
                unproven += 1
            else:
                proven = "for all time" if outcome.mode == "prove" else f"for {outcome.depth} cycles"
                verdict = proven if outcome.passed else f"WRONG, see {outcome.trace}"
                verdict += f", {outcome.seconds:.0f} s"
                unproven += not outcome.passed
            sys.stdout.write(f"{name:{width}}  {PROOFS[name].what}: {verdict}\n")
            sys.stdout.flush()
    return 1 if unproven else 0


if __name__ == "__main__":
    sys.exit(main())
