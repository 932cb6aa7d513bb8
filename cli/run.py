"""`intarsia run`: integer-only segmentation, classification or features of pictures."""

import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from intarsia.cli.output import Json, emit_json, progress, results

if TYPE_CHECKING:
    from intarsia.emu.simulation import Report
    from intarsia.model.integer.executor import Executor

TOP = 5
"""Classes of a picture that are told."""


def run(
    images: Annotated[
        list[Path], typer.Argument(help="PNG or JPEG pictures of any size.", metavar="IMAGE...")
    ],
    model: Annotated[
        Path | None, typer.Option(help="Artifact; default: the shipped model for street scenes.")
    ] = None,
    machine: Annotated[
        str, typer.Option(help="Machine to emulate: edge, mobile, server or a TOML file.")
    ] = "mobile",
    out: Annotated[Path, typer.Option(help="Folder for masks and overlays, or features.")] = Path(
        "segmented"
    ),
    json: Json = False,
) -> None:
    """Segment, classify or describe pictures with integers only, as the model does.

    A segmenting model writes NAME_mask.png (class indices) and NAME_overlay.png; under the overlay stands
    a legend: the classes that occur and their shares of the picture. Of a classifying model the five
    classes with the highest scores are told; features are written to NAME_features.npz, as integers with
    what 1 stands for. Also tells what one window takes on the emulated machine.

    Example: intarsia run street.jpg --out segmented
    """
    from intarsia.emu import simulate
    from intarsia.model.data.images import read_image
    from intarsia.model.data.legend import legend
    from intarsia.model.data.picture_legend import write_segmented
    from intarsia.model.data.windows import scaled_size, window_count
    from intarsia.model.errors import InputError
    from intarsia.model.files import output_file
    from intarsia.model.kinds import PNG
    from intarsia.model.predict import DEFAULT_ARTIFACT, IntegerPredictor, load_executor, placement

    executor = load_executor(model or DEFAULT_ARTIFACT)
    if executor.graph.of_kind("classes"):
        _classify(images, executor, machine, json)
        return
    if executor.graph.of_kind("features"):
        _describe(images, executor, machine, out, json)
        return
    predictor = IntegerPredictor(executor)
    config = predictor.config
    placed = placement(config)
    emulated = simulate(model=executor.graph, machine=machine)
    stems = [image.stem for image in images]
    # Everything is looked at before anything is written.
    _check_stems(images, "masks")
    for path in images:
        height, width, _ = read_image(path).shape
        try:
            scaled_size((height, width), placed["window"], placed["size"], config.patch)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    inputs = {place for path in images for place in (_place(path), os.path.realpath(path))}
    targets = [(out / f"{stem}_mask.png", out / f"{stem}_overlay.png") for stem in stems]
    for target in chain.from_iterable(targets):
        if _place(target) in inputs:
            raise InputError(f"{target} is one of the pictures, a mask or overlay would replace it")
    for target in chain.from_iterable(targets):
        output_file(target, PNG)
    classes, palette = legend(config)

    report: list[dict[str, Any]] = []
    with progress(json=json) as bar:
        pairs = list(zip(images, targets, strict=True))
        for path, (mask, blend) in bar.track(pairs, description="segmenting"):
            image = read_image(path)
            labels = predictor.segment(image)
            write_segmented(mask, blend, image, labels, classes, palette)
            shares = {
                name: round(float((labels == index).mean()), 6)
                for index, name in enumerate(classes)
                if (labels == index).any()
            }
            windows = window_count(image.shape[:2], **placed)
            files = {"path": path, "mask": mask, "overlay": blend}
            cycles = windows * emulated.cycles
            report.append({**files, "classes": shares, "windows": windows, "cycles": cycles})
    if json:
        emit_json({"images": report, **emulated.to_dict()})
        return
    table = Table(title="Integer-only segmentation")
    for name in ("picture", "mask", "overlay", "largest classes", "windows", "cycles"):
        table.add_column(name, overflow="fold")
    for entry in report:
        largest = sorted(entry["classes"].items(), key=lambda item: -item[1])[:3]
        words = ", ".join(f"{name} {share:.0%}" for name, share in largest)
        names = (str(entry[key]) for key in ("path", "mask", "overlay"))
        table.add_row(*names, words, str(entry["windows"]), f"{entry['cycles']:,}")
    results.print(table)
    _print_emulated(emulated)


def _classify(images: list[Path], executor: "Executor", machine: str, json: bool) -> None:
    import numpy as np

    from intarsia.emu import simulate
    from intarsia.model.data.class_folders import cropped
    from intarsia.model.data.images import read_image
    from intarsia.model.predict import IntegerClassifier

    classifier, graph = IntegerClassifier(executor), executor.graph
    emulated = simulate(model=graph, machine=machine)
    unit = graph.tensors[graph.outputs[0].tensor].scale or 1.0
    report: list[dict[str, Any]] = []
    with progress(json=json) as bar:
        for path in bar.track(images, description="classifying"):
            scores = classifier.scores(cropped(read_image(path), graph.config.image)).astype(int)
            shares = np.exp((scores - scores.max()) * unit)
            shares /= shares.sum()
            best = np.argsort(-scores, kind="stable")[:TOP]
            classes = {f"class {k}": round(float(shares[k]), 6) for k in best}
            top = {f"class {k}": int(scores[k]) for k in best}
            report.append({"path": path, "classes": classes, "scores": top, "cycles": emulated.cycles})
    if json:
        emit_json({"images": report, **emulated.to_dict()})
        return
    table = Table(title="Integer-only classification")
    for name in ("picture", "classes with the highest scores"):
        table.add_column(name, overflow="fold")
    for entry in report:
        words = ", ".join(f"{name} {share:.1%}" for name, share in entry["classes"].items())
        table.add_row(str(entry["path"]), words)
    results.print(table)
    _print_emulated(emulated)


def _describe(images: list[Path], executor: "Executor", machine: str, out: Path, json: bool) -> None:
    import numpy as np

    from intarsia.emu import simulate
    from intarsia.model.data.class_folders import cropped
    from intarsia.model.data.images import read_image
    from intarsia.model.files import output_file, replacing
    from intarsia.model.kinds import ARRAYS

    graph = executor.graph
    emulated = simulate(model=graph, machine=machine)
    scales: dict[str, Any] = {
        f"{one.name}_scale": np.float64(graph.tensors[one.tensor].scale or 1) for one in graph.outputs
    }
    _check_stems(images, "features")
    files = [output_file(out / f"{path.stem}_features.npz", ARRAYS) for path in images]
    report: list[dict[str, Any]] = []
    with progress(json=json) as bar:
        for path, file in bar.track(list(zip(images, files, strict=True)), description="describing"):
            found = executor.outputs(cropped(read_image(path), graph.config.image))
            with replacing(file) as temporary, temporary.open("wb") as stream:
                np.savez(stream, **(scales | found))
            report.append({"path": path, "features": file, "cycles": emulated.cycles})
    if json:
        emit_json({"images": report, **emulated.to_dict()})
        return
    table = Table(title="Integer-only features")
    for name in ("picture", "features"):
        table.add_column(name, overflow="fold")
    for entry in report:
        table.add_row(str(entry["path"]), str(entry["features"]))
    results.print(table)
    _print_emulated(emulated)


def _check_stems(images: list[Path], made: str) -> None:
    """Refuse pictures of one name in two folders: what is made of them would collide."""
    from intarsia.model.errors import InputError

    stems = [image.stem for image in images]
    for path in images:
        if stems.count(path.stem) > 1:
            raise InputError(f"{path}: two pictures are called {path.stem}, their {made} would collide")


def _print_emulated(emulated: "Report") -> None:
    dram = emulated.to_dict()["dram_bytes"]["moved"]
    results.print(
        f"Emulated on {emulated.machine.name}, per window: {emulated.cycles:,} cycles, "
        f"{emulated.latency_ms:.2f} ms, {emulated.fps:.1f} windows/s, "
        f"MAC utilization {emulated.mac_utilization:.1%}, DRAM {dram / 1e6:.2f} MB"
    )


def _place(path: Path) -> str:
    """Where a name stands: two paths with one place are the same entry of a folder."""
    return os.path.join(os.path.realpath(path.parent), path.name)
