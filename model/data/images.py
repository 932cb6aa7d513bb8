"""Pictures: decoding to uint8 RGB, writing, overlays, and the normalization of the FP32 model."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, replacing
from intarsia.model.networks.config import NORMALIZATIONS

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
"""Raster formats only: some other decoders of Pillow start programs (EPS runs Ghostscript)."""

MAX_PIXELS = 2**30 // 12
"""Larger pictures are taken for decompression bombs; Pillow's own threshold."""

IGNORE = 255
"""Label of pixels that count neither in the loss nor in the metrics."""

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to the move that undoes it; 1 and unknown values need none."""


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """The picture in a file, upright, as uint8 [H, W, 3] RGB.

    PNG and JPEG are promised, `FORMATS` are tried. Grey, palette and CMYK pictures become RGB;
    16 bits per channel keep the high byte; transparency is composited over white; the EXIF
    orientation is applied (EXIF that cannot be read counts as none); of an animation the first
    frame is taken. Colour profiles are not applied. A file that is missing, no picture,
    truncated, without pixels, larger than MAX_PIXELS or of 32-bit pixels is refused.
    """
    path = Path(path)
    picture = _decode(path)
    try:
        upright = _UPRIGHT.get(_orientation(picture))
        if picture.mode.startswith("I"):
            rgb = Image.fromarray(_high_byte(picture, path)).convert("RGB")
        elif picture.mode == "F":
            raise InputError(f"{path} must have 8 or 16 bits per channel, not 32-bit floats")
        elif picture.has_transparency_data:
            rgba = picture.convert("RGBA")
            white = Image.new("RGBA", rgba.size, "white")
            rgb = Image.alpha_composite(white, rgba).convert("RGB")
        else:
            rgb = picture.convert("RGB")
        return np.array(rgb if upright is None else rgb.transpose(upright))
    except (ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be converted to RGB from {picture.mode}: {error}") from None


def read_map(path: str | Path) -> NDArray[np.unsignedinteger[Any]]:
    """A label map [H, W]: the indices of a palette picture, the values of a grey one of 8 or 16 bits.

    uint8, or uint16 where the file has 16 bits.
    """
    path = Path(path)
    picture = _decode(path)
    if picture.mode in ("L", "P"):
        return np.array(picture)
    if picture.mode.startswith("I"):
        return _sixteen_bits(picture, path).astype(np.uint16)
    raise InputError(f"{path} must have one channel of 8 or 16 bits, not pixels of mode {picture.mode}")


def has_colour(path: str | Path) -> bool:
    """Whether a file is a photograph: pixels of more than one channel, or JPEG. Its pixels stay undecoded.

    A label map has one channel. What is no picture counts as one: reading it tells what is wrong.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                return picture.format == "JPEG" or len(picture.getbands()) > 1
    except Exception:  # as in _decode: every decoder fails in its own way
        return True


def write_png(path: str | Path, array: NDArray[np.uint8]) -> None:
    """Write uint8 [H, W] (grey) or [H, W, 3] (RGB) as PNG; the file appears whole or not at all."""
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(f"a PNG wants uint8 [H, W] or [H, W, 3], not {array.dtype} {array.shape}")
    with replacing(Path(path)) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")


def write_mask(
    path: str | Path, label: NDArray[np.unsignedinteger[Any]], palette: NDArray[np.uint8], legend: str = ""
) -> None:
    """Write labels [H, W] as PNG: the values are class indices, up to 256 of them in colour.

    More than 256 classes become a grey picture of 16 bits. legend: the PNG's text "Legend".
    """
    picture = Image.fromarray(label)
    if label.dtype == np.uint8:
        picture.putpalette(palette[:256].tobytes())
    texts = PngInfo()
    if legend:
        texts.add_text("Legend", legend)
    with replacing(Path(path)) as temporary:
        picture.save(temporary, format="PNG", pnginfo=texts)


def overlay(
    image: NDArray[np.uint8],
    label: NDArray[np.unsignedinteger[Any]],
    palette: NDArray[np.uint8],
    alpha: float = 0.5,
    ignore: int | None = None,
) -> NDArray[np.uint8]:
    """The picture uint8 [H, W, 3] tinted by the colours of its labels uint8 or uint16 [H, W].

    palette: uint8 [K, 3]. alpha: 0 (picture only) to 1 (colours only). ignore: a label where
    the picture stays as it is, IGNORE for those of a dataset; predictions have none.
    """
    if label.shape != image.shape[:2]:
        raise InputError(f"labels of a picture {image.shape[:2]} must have its size, not {label.shape}")
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha must be from 0 to 1, not {alpha}")
    known = np.full(label.shape, True) if ignore is None else label != ignore
    if (label[known] >= len(palette)).any():
        wanted = f"below {len(palette)}" + ("" if ignore is None else f" or {ignore}")
        raise InputError(f"labels must be {wanted}, not {label[known].max()}")
    share = round(alpha * 256)
    colours = palette.astype(np.uint16)[np.where(known, label, 0)]
    mixed = (image.astype(np.uint16) * (256 - share) + colours * share + 128) >> 8
    return np.where(known[..., None], mixed.astype(np.uint8), image)


def normalize(pictures: NDArray[np.uint8], name: str) -> torch.Tensor:
    """uint8 [batch, H, W, 3] to float32 [batch, 3, H, W] with the mean and deviation of `name`."""
    mean, deviation = (torch.tensor(v, dtype=torch.float32) for v in NORMALIZATIONS[name])
    # torch.tensor copies: from_numpy warns about arrays that are read-only.
    scaled = torch.tensor(np.ascontiguousarray(pictures)).to(torch.float32) / 255
    return ((scaled - mean) / deviation).permute(0, 3, 1, 2).contiguous()


def _decode(path: Path) -> Image.Image:
    """The first frame, all pixels decoded."""
    existing_file(path)
    if path.stat().st_size == 0:
        raise InputError(f"{path} must be a PNG or JPEG picture, not an empty file")
    try:
        with warnings.catch_warnings():
            # Pillow warns where this refuses, and about metadata that is not used here.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                width, height = picture.size
                if not 1 <= width * height <= MAX_PIXELS:
                    raise InputError(
                        f"{path} must have 1 to {MAX_PIXELS} pixels in all, "
                        f"not {height} x {width} (height x width)"
                    )
                picture.load()
                return picture
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} must have at most {MAX_PIXELS} pixels, not more: {error}") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} must be a whole PNG or JPEG picture, not another file") from None
    except Exception as error:
        # Every decoder fails in its own way on damaged data: OSError, SyntaxError, struct.error...
        raise InputError(f"{path} must be a whole picture, not a damaged one: {error}") from None


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        # Cameras and editors write broken EXIF often; the pixels are good without it.
        return 1


def _sixteen_bits(picture: Image.Image, path: Path) -> NDArray[np.integer[Any]]:
    """Grey [H, W] in 0..65535; PNG's 16 bits arrive in Pillow's integers of 16 or of 32."""
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"{path} must have pixels in 0..65535, not from {values.min()} to {values.max()}")
    return values


def _high_byte(picture: Image.Image, path: Path) -> NDArray[np.uint8]:
    """Grey [H, W] of 16 bits to 8 as Pillow does it for 16-bit RGB; 255 at the transparent key."""
    values = _sixteen_bits(picture, path)
    return np.where(values == picture.info.get("transparency", -1), 255, values >> 8).astype(np.uint8)
