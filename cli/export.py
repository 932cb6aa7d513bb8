"""`intarsia export`: the integer network as ONNX."""

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, emit_json, progress, results

_WORDS = {"labels": "labels", "classes": "scores of classes", "features": "features"}


def export(
    onnx: Annotated[Path, typer.Option(help="The file to write.", metavar="FILE.onnx")],
    model: Annotated[Path | None, typer.Option(help="Artifact; default: the shipped model.")] = None,
    json: Json = False,
) -> None:
    """Write the whole integer graph as ONNX and compare it with the reference in ONNX Runtime.

    Exits with 1 when a value of an output, such as a label, differs.

    Example: intarsia export --model model.intarsia --onnx model.onnx
    """
    from intarsia.model.data.scenes import generate
    from intarsia.model.export import OPSET, export_onnx, run_outputs
    from intarsia.model.files import output_file
    from intarsia.model.integer.artifact import load_artifact
    from intarsia.model.integer.executor import Executor
    from intarsia.model.kinds import ONNX
    from intarsia.model.predict import DEFAULT_ARTIFACT

    output_file(onnx, ONNX)
    graph = load_artifact(model or DEFAULT_ARTIFACT)
    picture = generate(0, graph.config.image).image
    with progress(json=json) as bar:
        task = bar.add_task("writing", total=3)
        export_onnx(graph, onnx)
        bar.update(task, advance=1, description="running it in ONNX Runtime")
        found = run_outputs(onnx, picture)
        bar.update(task, advance=1, description="running the reference")
        wanted = Executor(graph).outputs(picture)
    values = sum(array.size for array in wanted.values())
    wrong = sum(int((found[one.tensor] != wanted[one.name]).sum()) for one in graph.outputs)
    if json:
        emit_json(
            {
                "onnx": onnx,
                "opset": OPSET,
                "compared_values": values,
                "mismatched_values": wrong,
                "ok": not wrong,
            }
        )
    else:
        kinds = " and ".join(dict.fromkeys(_WORDS[output.kind] for output in graph.outputs))
        results.print(
            f"{onnx}: opset {OPSET}; {values - wrong} of {values} {kinds} of a generated picture "
            "are equal in ONNX Runtime and in the reference",
            soft_wrap=True,
        )
    if wrong:
        raise typer.Exit(1)
