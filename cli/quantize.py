"""`intarsia quantize`: a FP32 checkpoint to an integer artifact."""

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.options import Image, Normalization, parse_size
from intarsia.cli.output import Json, emit_json, note, progress, results


def quantize(
    checkpoint: Annotated[
        Path | None, typer.Option(help="FP32 checkpoint; default: the shipped scenes model.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="What the checkpoint is taken for (`intarsia networks`); default: what it holds."
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="tiny, small, base, large: checked against the file.")
    ] = None,
    heads: Annotated[
        int | None, typer.Option(help="Of the attention, where neither the file nor --size tells.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="ade20k, cityscapes or scenes.")] = None,
    image: Image = None,
    normalization: Normalization = None,
    calibrate: Annotated[
        Path | None, typer.Option(help="Folder of pictures; none is needed for scenes.", metavar="DIR")
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="How many of them, evenly spread; default: at most 100.")
    ] = None,
    gelu: Annotated[
        str, typer.Option(help="shift, lambda-shift or lambda-shift-elem.")
    ] = "lambda-shift-elem",
    softmax_bits: Annotated[int, typer.Option(help="Width of the probabilities, 8 or 16.")] = 16,
    multiplier_bits: Annotated[int, typer.Option(help="Width of the dyadic multipliers.")] = 16,
    reciprocal_bits: Annotated[int, typer.Option(help="Width of Shiftmax's reciprocal.")] = 31,
    out: Annotated[Path, typer.Option(help="The artifact.", metavar="FILE.intarsia")] = Path(
        "model.intarsia"
    ),
    json: Json = False,
) -> None:
    """Post-training quantization: calibrate on pictures, write the integer network.

    Example: intarsia quantize --checkpoint seg_tiny_mask/checkpoint.pth --size tiny --dataset ade20k
    --calibrate ADEChallengeData2016/images/validation --images 1 --out tiny.intarsia
    """
    from intarsia.model.data.calibration import calibration_images
    from intarsia.model.files import output_file
    from intarsia.model.integer.artifact import save_artifact
    from intarsia.model.integer.graph import QuantizeOptions
    from intarsia.model.kinds import ARTIFACT
    from intarsia.model.networks.checkpoint import load_model
    from intarsia.model.predict import DEFAULT_CHECKPOINT
    from intarsia.model.quantize.ptq import calibrate as observe

    output_file(out, ARTIFACT)
    options = QuantizeOptions(gelu, softmax_bits, multiplier_bits, reciprocal_bits)
    window = parse_size(image)
    model = load_model(
        checkpoint or DEFAULT_CHECKPOINT,
        network=network,
        size=size,
        dataset=dataset,
        image=window,
        normalization=normalization,
        heads=heads,
        say=note,
    )
    pictures = calibration_images(model.config, calibrate, images)
    with progress(json=json) as bar:
        seen = bar.track(pictures, description="calibrating")
        graph = observe(model, seen, options).graph()
    save_artifact(graph, out)
    report = {
        "artifact": out,
        "bytes": out.stat().st_size,
        "images": len(pictures),
        "nodes": len(graph.nodes),
        "options": graph.to_dict()["options"],
        "network": graph.network,
        "model": graph.to_dict()["config"],
    }
    if json:
        emit_json(report)
        return
    results.print(
        f"{out}: {len(graph.nodes)} integer operators, {out.stat().st_size / 2**20:.2f} MiB, "
        f"calibrated on {len(pictures)} picture{'s' * (len(pictures) != 1)}, GELU {gelu}",
        soft_wrap=True,
    )
