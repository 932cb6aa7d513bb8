"""`intarsia networks`: what can be quantized, emulated and run."""

from typing import Any

from rich.table import Table

from intarsia.cli.output import Json, emit_json, results


def networks(json: Json = False) -> None:
    """List the networks, their tasks, sizes and sources.

    Example: intarsia networks
    """
    from intarsia.model.networks import NAMES, find

    found: list[dict[str, Any]] = []
    for network in map(find, NAMES):
        sizes = {}
        for size in network.sizes:
            config = network.named(size)
            sizes[size] = {
                key: getattr(config, key) for key in ("embed", "heads", "layers", "patch", "image")
            }
        about = {key: getattr(network, key) for key in ("name", "title", "task", "source")}
        found.append({**about, "sizes": sizes, "refused": dict(network.refused)})
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
        for size, why in entry["refused"].items():
            results.print(f"{entry['name']} {size} cannot be run: {why}")
