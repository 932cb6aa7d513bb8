"""`intarsia networks`: what can be quantized, emulated and run."""

from typing import Any

from rich.table import Table

from intarsia.cli.output import Json, emit_json, results


def networks(json: Json = False) -> None:
    """List the networks, their tasks, sizes, sources, and the checkpoints that load.

    Example: intarsia networks
    """
    from intarsia.model.checkpoints.layouts import layouts
    from intarsia.model.networks import NAMES, find

    found: list[dict[str, Any]] = []
    for network in map(find, NAMES):
        sizes = {}
        for size in network.sizes:
            config = network.named(size)
            sizes[size] = {
                key: getattr(config, key) for key in ("embed", "heads", "layers", "patch", "image")
            }
        # A ViT's checkpoint is the encoder of a Segmenter.
        kinds = ("vit", "segmenter") if network.task == "segmentation" else ("vit",)
        checkpoints = [layout.name for layout in layouts() if layout.network in kinds]
        about = {key: getattr(network, key) for key in ("name", "title", "task", "source")}
        more = {"sizes": sizes, "refused": dict(network.refused), "checkpoints": checkpoints}
        found.append({**about, **more})
    if json:
        emit_json({"networks": found})
        return
    table = Table("network", "what", "task", "sizes", "window", "source", title="Networks")
    for entry in found:
        windows = dict.fromkeys("{} x {}".format(*size["image"]) for size in entry["sizes"].values())
        names = ", ".join(entry["sizes"])
        table.add_row(*(entry[key] for key in ("name", "title", "task")), names, *windows, entry["source"])
    results.print(table)
    for entry in found:
        results.print(f"{entry['name']} loads checkpoints of {', '.join(entry['checkpoints'])}")
    for entry in found:
        for size, why in entry["refused"].items():
            results.print(f"{entry['name']} {size} cannot be run: {why}")
