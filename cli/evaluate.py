"""`intarsia evaluate`: mIoU of a FP32 checkpoint or an integer artifact."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from intarsia.cli.output import Json, emit_json, progress, results


def evaluate(
    model: Annotated[
        Path | None, typer.Option(help="Artifact or FP32 checkpoint; default: the shipped integer model.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="scenes, ade20k or cityscapes.")] = "scenes",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset; scenes need none.", metavar="DIR")
    ] = None,
    images: Annotated[int | None, typer.Option(help="How many; default: all, 200 scenes.")] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="Picture of the confusion matrix.", metavar="FILE.png")
    ] = None,
    json: Json = False,
) -> None:
    """Segment a validation set: mIoU, IoU per class, confusion matrix.

    Example: intarsia evaluate --dataset scenes --images 100 --confusion confusion.png
    """
    from intarsia.model.data.dataset import open_dataset
    from intarsia.model.evaluate import evaluate as run
    from intarsia.model.files import output_file
    from intarsia.model.kinds import CHART
    from intarsia.model.plots import confusion_matrix
    from intarsia.model.predict import DEFAULT_ARTIFACT, load_predictor

    if confusion:
        output_file(confusion, CHART)
    predictor = load_predictor(model or DEFAULT_ARTIFACT)
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
