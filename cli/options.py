"""Options that several commands share."""

from typing import Annotated

import typer

Image = Annotated[
    str | None, typer.Option(help="Window, HEIGHTxWIDTH; default: the model's.", metavar="HxW")
]

Network = Annotated[
    str | None, typer.Option(help="Of which --size is one, see `intarsia networks`; default: segmenter.")
]


Normalization = Annotated[
    str | None,
    typer.Option(help="Of the pixels, where the checkpoint does not say it: vit or deit."),
]


def parse_size(text: str | None) -> tuple[int, int] | None:
    """ "512x768" to (512, 768)."""
    from intarsia.model.errors import InputError

    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and 0 < int(part) <= 2**15 for part in parts):
        raise InputError(
            f"--image must be HEIGHTxWIDTH in pixels up to 32768, such as 512x512, not {text!r}"
        )
    return int(parts[0]), int(parts[1])
