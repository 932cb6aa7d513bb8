"""How long the emulator takes, and how long SCALE-Sim takes for the matrix products alone.

    .venv/bin/python benchmarks/emulator.py [--scalesim PYTHON]

All sizes on all presets in one process; then Large on mobile in a process of its own, for its peak
memory. PYTHON is an interpreter that has SCALE-Sim (`pip install scalesim==3.0.0 numpy==1.26.4`
in an environment of its own): it runs the products of one encoder layer of Tiny.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from intarsia.arch.machine import PRESETS
from intarsia.emu import simulate
from intarsia.model.networks.segmenter.config import PAPER_SIZES

CONFIG = """[general]
run_name = tiny
[architecture_presets]
ArrayHeight: 32
ArrayWidth: 32
IfmapSramSzkB: 1024
FilterSramSzkB: 1024
OfmapSramSzkB: 1024
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 16
Dataflow: ws
MemoryBanks: 1
ReadRequestBuffer: 512
WriteRequestBuffer: 512
[layout]
IfmapCustomLayout: False
FilterCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""
LAYER = {
    "qkv": (1025, 576, 192), "proj": (1025, 192, 192), "fc1": (1025, 768, 192), "fc2": (1025, 192, 768),
    **{f"scores{h}": (1025, 1025, 64) for h in range(3)}, **{f"mix{h}": (1025, 64, 1025) for h in range(3)},
}  # fmt: skip
"""M, N, K of the matrix products of one encoder layer of Tiny at 512x512."""


def table() -> None:
    """Print time, cycles and DRAM traffic of every size on every preset."""
    print(f"{'size':<7}{'machine':<9}{'seconds':>8}{'M cycles':>10}{'frames/s':>10}", end="")
    print(f"{'MAC util':>10}{'array busy':>11}{'DRAM MB':>9}{'over fused':>11}")
    start = time.perf_counter()
    for size in PAPER_SIZES:
        for preset in PRESETS:
            began = time.perf_counter()
            report = simulate(size, machine=preset).to_dict()
            took = time.perf_counter() - began
            moved, fused = (report["dram_bytes"][key] for key in ("moved", "fused"))
            print(
                f"{size:<7}{preset:<9}{took:>8.2f}{report['cycles'] / 1e6:>10.2f}{report['fps']:>10.2f}"
                f"{report['mac_utilization']:>10.1%}{report['array_utilization']:>11.1%}"
                f"{moved / 1e6:>9.1f}{moved / fused:>11.2f}"
            )
    print(f"all of them: {time.perf_counter() - start:.1f} s")


def alone() -> None:
    """Print time and peak memory of Large on mobile in a fresh process."""
    code = (
        "import time; t = time.perf_counter(); from intarsia.emu import simulate; i = time.perf_counter();"
        "simulate('large', machine='mobile').to_dict(); e = time.perf_counter();"
        "peak = open('/proc/self/status').read().split('VmHWM:')[1].split()[0];"
        "print(f'large on mobile: {e - i:.2f} s after {i - t:.2f} s of imports,'"
        "      f' peak {int(peak) / 1024:.0f} MiB')"
    )
    print(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
    )


def scalesim(python: str) -> None:
    """Print how much longer SCALE-Sim takes for one encoder layer than `simulate` for all of Tiny."""
    with tempfile.TemporaryDirectory() as folder:
        config, topology = Path(folder) / "tiny.cfg", Path(folder) / "tiny.csv"
        config.write_text(CONFIG)
        rows = [f"{name},{m},{n},{k}," for name, (m, n, k) in LAYER.items()]
        topology.write_text("\n".join(["Layer,M,N,K,", *rows]) + "\n")
        layout = Path(folder) / "layout.csv"
        layout.write_text("Layer,\n")  # must exist, is not used
        files = ["-c", config, "-t", topology, "-l", layout, "-p", folder]
        command = [python, "-m", "scalesim.scale", *map(str, files), "-i", "gemm", "-s", "N"]
        began = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
        theirs = time.perf_counter() - began
        # It exits with 0 when it has not run, so look for what a run leaves behind.
        if not list(Path(folder).rglob("COMPUTE_REPORT.csv")):
            sys.exit(f"SCALE-Sim did not run: {done.stdout[-500:]}")
    began = time.perf_counter()
    simulate("tiny", machine="mobile").to_dict()
    ours = time.perf_counter() - began
    print(
        f"SCALE-Sim, products of one of Tiny's 14 layers: {theirs:.1f} s; "
        f"Intarsia, all of Tiny: {ours:.3f} s; ratio {theirs / ours:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scalesim", metavar="PYTHON")
    options = parser.parse_args()
    table()
    alone()
    if options.scalesim:
        scalesim(options.scalesim)


if __name__ == "__main__":
    main()
