"""`intarsia run`: integer-only segmentation of pictures."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.output import Json, emit_json, progress, results


def run(
    images: Annotated[
        list[Path], typer.Argument(help="PNG or JPEG pictures of any size.", metavar="IMAGE...")
    ],
    model: Annotated[
        Path | None, typer.Option(help="Artifact; default: the shipped model for street scenes.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for masks and overlays.")] = Path("segmented"),
    json: Json = False,
) -> None:
    """Segment pictures with integers only: NAME_mask.png (class indices) and NAME_overlay.png.

    Example: intarsia run street.jpg --out segmented
    """
    from model.data.images import overlay, read_image, write_mask, write_png
    from model.data.legend import legend
    from model.errors import InputError
    from model.files import output_folder
    from model.predict import DEFAULT_ARTIFACT, load_integer

    predictor = load_integer(model or DEFAULT_ARTIFACT)
    patch = predictor.config.patch
    stems = [image.stem for image in images]
    for path in images:
        if stems.count(path.stem) > 1:
            raise InputError(f"{path}: two pictures are called {path.stem}, their masks would collide")
        # Refuse a bad picture before anything is written.
        height, width, _ = read_image(path).shape
        if min(height, width) < patch:
            raise InputError(
                f"{path} has {width} x {height} pixels, at least a patch of {patch} x {patch} is wanted"
            )
    classes, palette = legend(predictor.config)
    output_folder(out)

    report: list[dict[str, Any]] = []
    with progress(json=json) as bar:
        for path in bar.track(images, description="segmenting"):
            image = read_image(path)
            labels = predictor.segment(image)
            mask, blend = out / f"{path.stem}_mask.png", out / f"{path.stem}_overlay.png"
            write_mask(mask, labels, palette)
            write_png(blend, overlay(image, labels, palette))
            shares = {
                name: round(float((labels == index).mean()), 6)
                for index, name in enumerate(classes)
                if (labels == index).any()
            }
            report.append({"path": path, "mask": mask, "overlay": blend, "classes": shares})
    if json:
        emit_json({"images": report})
        return
    table = Table("picture", "mask", "overlay", "largest classes", title="Integer-only segmentation")
    for entry in report:
        largest = sorted(entry["classes"].items(), key=lambda item: -item[1])[:3]
        words = ", ".join(f"{name} {share:.0%}" for name, share in largest)
        table.add_row(str(entry["path"]), str(entry["mask"]), str(entry["overlay"]), words)
    results.print(table)
