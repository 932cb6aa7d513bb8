"""A compiled program: segments of instruction queues, the DRAM map, and what memory should hold when.

`arch.program_file` writes and reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from intarsia.arch.isa import UNIT, Instruction, Unit, Wait
from intarsia.arch.machine import Machine
from intarsia.model.errors import InputError
from intarsia.model.files import existing_file

OUTPUT_KINDS = ("labels", "classes", "features")
"""Kinds of regions that the program leaves its results in."""
REGION_KINDS = ("image", "weights", "constants", "activations", *OUTPUT_KINDS)
LABEL_DTYPES = ("uint8", "uint16")
OUTPUT_DTYPES = ("int8", "uint8", "int16", "uint16")
PROBE_DTYPES = ("int8", "uint8", "int16", "uint16", "int32")


@dataclass(frozen=True)
class Probe:
    """What the scratchpad holds once the `index`-th instruction (waits not counted) of `unit` is complete.

    At `address`, rows x columns elements of `dtype` with a row stride in bytes:
    tensor[(head,) row:row+rows, column:column+columns]. `Segment.name_of` gives its name in an iteration.
    """

    tensor: str
    unit: Unit
    index: int
    address: int
    stride: int
    rows: int
    columns: int
    dtype: str
    row: int
    column: int
    head: int | None = None


@dataclass(frozen=True)
class Segment:
    """One instruction list per unit, run `repeat` times.

    Parameters
    ----------
    queues
        By Unit, waits included.
    labels
        Per queue, per instruction that is not a Wait: the graph node it works for, "{i}" for the iteration.
    base, base_step
        DRAM base register in bytes: before the first iteration, and its growth per iteration.
    names
        Pairs of a label, or a probe's tensor, and what it stands for in each iteration, where that does not
        follow from "{i}".
    """

    name: str
    queues: tuple[tuple[Instruction, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    repeat: int = 1
    base: int = 0
    base_step: int = 0
    probes: tuple[Probe, ...] = ()
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def name_of(self, label: str, iteration: int) -> str:
        """What a label or a probe's tensor is called in an iteration."""
        listed = self._listed.get(label)
        return label.replace("{i}", str(iteration)) if listed is None else listed[iteration]

    def same_in_all(self, label: str) -> bool:
        """Whether a label is called the same in every iteration."""
        return "{i}" not in label and label not in self._listed

    @cached_property
    def _listed(self) -> dict[str, tuple[str, ...]]:
        return dict(self.names)


@dataclass(frozen=True)
class Region:
    """A part of DRAM; kind: one of REGION_KINDS."""

    name: str
    address: int
    size: int
    kind: str


@dataclass(frozen=True)
class Output:
    """A region that holds a result, by its name, and the type of its elements."""

    region: str
    dtype: str


@dataclass(frozen=True)
class Program:
    """What a machine runs for one image.

    label_dtype: type of the labels, uint8 or uint16; empty: there are none.  outputs: the regions of other
    results.
    """

    machine: Machine
    segments: tuple[Segment, ...]
    regions: tuple[Region, ...]
    dram_bytes: int
    label_dtype: str
    outputs: tuple[Output, ...] = ()

    def output_dtype(self, region: Region) -> str:
        """Type of the elements of a region of one of OUTPUT_KINDS."""
        return next(
            (output.dtype for output in self.outputs if output.region == region.name), self.label_dtype
        )

    def check(self) -> None:
        """Raises InputError where parts contradict each other: queues, labels, probes, regions, outputs."""
        _member("label_dtype", self.label_dtype, (*LABEL_DTYPES, "") if self.outputs else LABEL_DTYPES)
        self._check_outputs()
        if not 0 <= self.dram_bytes <= 2**32:
            raise InputError(f"dram_bytes must be in 0..{2**32}, not {self.dram_bytes}")
        for region in self.regions:
            _member(f"kind of region {region.name}", region.kind, REGION_KINDS)
            if region.address < 0 or region.size < 0 or region.address + region.size > self.dram_bytes:
                place = f"at {region.address} with {region.size} bytes"
                raise InputError(f"region {region.name} must be inside 0..{self.dram_bytes}, not {place}")
        for segment in self.segments:
            _check_segment(segment)
            check_base(segment, self.machine)

    def _check_outputs(self) -> None:
        known = {region.name for region in self.regions if region.kind in OUTPUT_KINDS}
        for output in self.outputs:
            _member(f"dtype of output {output.region}", output.dtype, OUTPUT_DTYPES)
            if output.region not in known:
                raise InputError(
                    f"output {output.region} must be a region of {', '.join(OUTPUT_KINDS)}, not missing"
                )
        if self.label_dtype:
            return
        listed = {output.region for output in self.outputs}
        if unlisted := sorted(known - listed):
            raise InputError(f"the dtype of region {unlisted[0]} must be listed in outputs, not missing")

    def save(self, path: str | Path) -> None:
        """Writes one file; an instruction without encoding or a place not writable raises InputError."""
        from intarsia.arch.program_file import write_program

        self.check()
        write_program(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Reads a file of `save`; one of another kind or version, cut off or changed raises InputError."""
        from intarsia.arch.program_file import read_program

        return read_program(existing_file(Path(path)))


def check_base(segment: Segment, machine: Machine) -> None:
    """Raises InputError unless the base register always holds a multiple of the memory port's width:
    else the words that a transfer touches would change from one iteration to the next."""
    for name, value in (("base", segment.base), ("base_step", segment.base_step)):
        if value % machine.memory_width:
            raise InputError(
                f"segment {segment.name}: {name} must be a multiple of memory.width_bytes"
                f" = {machine.memory_width}, not {value}"
            )


def _check_segment(segment: Segment) -> None:
    where = f"segment {segment.name}"
    if segment.repeat < 1:
        raise InputError(f"{where}: repeat must be 1 or more, not {segment.repeat}")
    for name, parts in (("queues", segment.queues), ("labels", segment.labels)):
        if len(parts) != len(Unit):
            raise InputError(f"{where}: {name} must be {len(Unit)}, not {len(parts)}")
    for unit, queue, labels in zip(Unit, segment.queues, segment.labels, strict=True):
        kinds = [type(instruction) for instruction in queue if not isinstance(instruction, Wait)]
        if strangers := sorted({kind.__name__ for kind in kinds if UNIT[kind] != unit}):
            raise InputError(
                f"{where}: the queue of {unit.name} must hold its own instructions, "
                f"not {', '.join(strangers)}"
            )
        if len(labels) != len(kinds):
            counts = f"{len(kinds)} as its instructions, not {len(labels)}"
            raise InputError(f"{where}: labels of {unit.name} must be {counts}")
    for probe in segment.probes:
        _member(f"{where}: dtype of the probe of {probe.tensor}", probe.dtype, PROBE_DTYPES)
        total = len(segment.labels[probe.unit])
        if not 0 <= probe.index < total:
            allowed = f"in 0..{total - 1} of {probe.unit.name}"
            raise InputError(
                f"{where}: index of the probe of {probe.tensor} must be {allowed}, not {probe.index}"
            )
    for label, names in segment.names:
        if len(names) != segment.repeat:
            raise InputError(
                f"{where}: {label} must have a name for each iteration, {segment.repeat}, not {len(names)}"
            )


def _member(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
