"""`intarsia evaluate`: mIoU or top-1 of a FP32 checkpoint or an integer artifact."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from intarsia.cli.output import Json, emit_json, note, progress, results


def evaluate(
    model: Annotated[
        Path | None, typer.Option(help="Artifact or FP32 checkpoint; default: the shipped integer model.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="scenes, ade20k, cityscapes, or imagenet for a classifier; default: scenes or imagenet."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the dataset; scenes need none. imagenet: a folder for each class.",
            metavar="DIR",
        ),
    ] = None,
    images: Annotated[int | None, typer.Option(help="How many; default: all, 200 scenes.")] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="Picture of the confusion matrix.", metavar="FILE.png")
    ] = None,
    json: Json = False,
) -> None:
    """Segment or classify a validation set: mIoU, IoU per class and confusion matrix, or top-1 and top-5.

    The classes of a classifier are the folders of --data, or of its folder val, in the order of their
    names.

    Example: intarsia evaluate --dataset scenes --images 100 --confusion confusion.png
    """
    from intarsia.model.data.dataset import open_dataset
    from intarsia.model.evaluate import evaluate as run
    from intarsia.model.files import output_file
    from intarsia.model.kinds import CHART
    from intarsia.model.networks.vit.config import ViTConfig
    from intarsia.model.plots import confusion_matrix
    from intarsia.model.predict import DEFAULT_ARTIFACT, load_predictor

    if confusion:
        output_file(confusion, CHART)
    predictor = load_predictor(model or DEFAULT_ARTIFACT, say=note)
    if isinstance(predictor.config, ViTConfig):
        _classify(predictor, dataset, data, images, confusion, json)
        return
    dataset = "scenes" if dataset is None else dataset
    window = predictor.config.image if dataset == "scenes" else None
    examples = open_dataset(dataset, data, "val", window=window, count=images)
    with progress(json=json) as bar:
        task = bar.add_task("evaluating", total=len(examples))
        for result in run(predictor, examples):
            bar.update(task, advance=1, description=f"mIoU {result.confusion.miou:.1%}")
    if confusion:
        confusion_matrix(result.confusion.counts, examples.classes, confusion)
    report = {"model": predictor.kind, "dataset": dataset, **result.report()}
    if json:
        emit_json(report)
        return
    table = Table("class", "IoU", title=f"{predictor.kind} on {dataset}, {result.images} images")
    for name, value in report["iou"].items():
        table.add_row(name, "absent" if value != value else f"{value:.1%}")
    table.add_section()
    table.add_row("mean", f"{result.confusion.miou:.2%}")
    table.add_row("pixel accuracy", f"{result.confusion.pixel_accuracy:.2%}")
    results.print(table)


def _classify(
    classifier: Any,
    dataset: str | None,
    data: Path | None,
    images: int | None,
    confusion: Path | None,
    json: bool,
) -> None:
    from intarsia.model.data.class_folders import ClassFolders
    from intarsia.model.errors import InputError
    from intarsia.model.evaluate import classify
    from intarsia.model.networks.vit.config import DATASETS

    if dataset not in (None, *DATASETS):
        raise InputError(
            f"the dataset of a classifier must be one of {', '.join(DATASETS)}, not {dataset!r}"
        )
    if data is None:
        raise InputError("--data must name a folder that has a folder of pictures for each class")
    if confusion is not None:
        raise InputError("--confusion must go with a model that segments, not with one that classifies")
    examples = ClassFolders(data, images)
    with progress(json=json) as bar:
        task = bar.add_task("evaluating", total=len(examples))
        for result in classify(classifier, examples):
            bar.update(task, advance=1, description=f"top-1 {result.share(1):.1%}")
    name = next(iter(DATASETS)) if dataset is None else dataset
    shares = {f"top{k}": result.share(k) for k in result.KS}
    counts = {"images": result.images, "classes": len(examples.classes)}
    if json:
        emit_json({"model": classifier.kind, "dataset": name, **counts, **shares})
        return
    table = Table("", "share", title=f"{classifier.kind} on {data}, {result.images} images")
    for k in result.KS:
        table.add_row(f"top-{k}", f"{result.share(k):.2%}")
    results.print(table)
