"""`intarsia train`: a FP32 Segmenter from scratch or from a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.options import Image, Normalization, parse_size
from intarsia.cli.output import Json, emit_json, note, progress, results


def train(
    dataset: Annotated[str, typer.Option(help="scenes, ade20k or cityscapes.")] = "scenes",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset; scenes need none.", metavar="DIR")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="mini, tiny, small, base or large; default: the checkpoint's, else mini."),
    ] = None,
    patch: Annotated[
        int | None,
        typer.Option(help="8, 16 or 32; default: the checkpoint's, else 8 for scenes, 16 for others."),
    ] = None,
    image: Image = None,
    normalization: Normalization = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Start from this checkpoint (a Segmenter or a ViT).")
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 4000,
    batch: Annotated[int, typer.Option(help="Pictures per step.")] = 8,
    learning_rate: Annotated[float, typer.Option(help="Peak of the schedule, at most 1.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Decides weights and samples; at least 1.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the model and its loss curve.")] = Path("trained"),
    json: Json = False,
) -> None:
    """Train in FP32; run the same command again to resume after an interruption.

    Example: intarsia train --dataset scenes --steps 4000 --seed 1 --out trained
    """
    from intarsia.model.data.dataset import open_dataset
    from intarsia.model.errors import InputError
    from intarsia.model.files import output_file
    from intarsia.model.kinds import CHART, CHECKPOINT, STATE
    from intarsia.model.networks.segmenter import SegmenterConfig
    from intarsia.model.networks.segmenter.checkpoint import load_checkpoint
    from intarsia.model.plots import loss_curve, moving_mean
    from intarsia.model.train import Trainer, TrainOptions

    options = TrainOptions(steps=steps, batch=batch, learning_rate=learning_rate, seed=seed)
    window = parse_size(image)
    if checkpoint:
        segmenter = load_checkpoint(
            checkpoint, size=size, dataset=dataset, image=window, normalization=normalization, say=note
        )
        config = segmenter.config
        if patch not in (None, config.patch):
            raise InputError(f"patch must be {config.patch}, as in {checkpoint}, not {patch}")
    else:
        segmenter = None
        given = {"patch": patch, "image": window, "normalization": normalization}
        changes = {key: value for key, value in given.items() if value is not None}
        # Without L2 normalization, as the integer network is (numerics section 8).
        config = SegmenterConfig.named("mini" if size is None else size, dataset, l2norm=False, **changes)
    examples = open_dataset(dataset, data, "train", window=config.image)
    state, model, curve = (out / name for name in ("train.state", "model.safetensors", "loss.png"))
    for file, kind in ((state, STATE), (model, CHECKPOINT), (curve, CHART)):
        output_file(file, kind)
    trainer = Trainer(config, examples, options, state, initial=segmenter)
    first = trainer.step
    with progress(json=json) as bar:
        task = bar.add_task("training", total=steps, completed=first)
        for loss in trainer.run():
            bar.update(task, advance=1, description=f"loss {loss:.3f}")
    trainer.export(model)
    loss_curve(trainer.losses, curve)
    span, means = moving_mean(trainer.losses)
    report = {
        "model": model,
        "loss_curve": curve,
        "resumed_at": first,
        "steps": trainer.step,
        "final_loss": float(means[-1]),
        "final_loss_steps": span,
    }
    if json:
        emit_json(report)
    else:
        results.print(
            f"{model}: loss {means[-1]:.3f} after {trainer.step} steps, the mean of the last {span};"
            f" curve in {curve}",
            soft_wrap=True,
        )
