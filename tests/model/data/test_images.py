"""Decoding of every kind of picture, refusals, writing and overlays."""

import re
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from intarsia.model.data.images import MAX_PIXELS, normalize, overlay, read_image, read_map, write_png
from intarsia.model.errors import InputError

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
PICTURE = Image.fromarray(RGB)


def refused(path, message, read=read_image):
    with pytest.raises(InputError, match=f"^{re.escape(str(path))} {message}$"):
        read(path)


def png(width, height, rows=b""):
    """A PNG file of 8-bit RGB by hand."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_rgb_png_is_read_as_it_is(tmp_path):
    PICTURE.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint8
    assert (image == RGB).all()
    assert (read_image(str(tmp_path / "a.png")) == RGB).all()


MODES = {"png": "1 L P RGB", "jpg": "L RGB CMYK", "tif": "1 L P RGB CMYK", "bmp": "1 L P RGB"}


@pytest.mark.parametrize(("suffix", "mode"), [(s, m) for s, modes in MODES.items() for m in modes.split()])
def test_modes_become_rgb(tmp_path, mode, suffix):
    path = tmp_path / f"a.{suffix}"
    PICTURE.convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (20, 30, 3)
    with Image.open(path) as reopened:
        assert (image == np.asarray(reopened.convert("RGB"))).all()


def test_grey_keeps_its_values(tmp_path):
    PICTURE.convert("L").save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert (image == np.asarray(PICTURE.convert("L"))[..., None]).all()


def test_sixteen_bits_keep_the_high_byte(tmp_path):
    grey = np.array([[0, 255, 256, 257], [32768, 65279, 65280, 65535]], np.uint16)
    want = [[0, 0, 1, 1], [128, 254, 255, 255]]
    Image.fromarray(grey).save(tmp_path / "a.png")
    (tmp_path / "a.pgm").write_bytes(b"P5 4 2 65535\n" + grey.astype(">u2").tobytes())
    for name in ("a.png", "a.pgm"):
        image = read_image(tmp_path / name)
        assert image.shape == (2, 4, 3)
        for channel in range(3):
            assert image[..., channel].tolist() == want


def test_sixteen_bit_transparent_key_is_white(tmp_path):
    Image.fromarray(np.array([[0, 1000]], np.uint16)).save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").tolist() == [[[255] * 3, [3] * 3]]


def test_deeper_pixels_are_refused(tmp_path):
    Image.fromarray(np.full((2, 2), 70000, np.int32)).save(tmp_path / "i.tif")
    refused(tmp_path / "i.tif", "must have pixels in 0..65535, not from 70000 to 70000")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "f.tif")
    refused(tmp_path / "f.tif", "must have 8 or 16 bits per channel, not 32-bit floats")


def test_alpha_is_over_white(tmp_path):
    rgba = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 100, 200, 128]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")[0].astype(int)
    assert image[0].tolist() == [255, 255, 255]
    assert image[1].tolist() == [10, 20, 30]
    assert np.abs(image[2] - [127, 177, 227]).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_transparent_colours_are_white(tmp_path, mode):
    picture = Image.new(mode, (2, 1), 0)
    if mode == "P":
        picture.putpalette([9, 9, 9, 7, 7, 7])
    picture.putpixel((1, 0), (7, 7, 7) if mode == "RGB" else 7 if mode == "L" else 1)
    picture.save(tmp_path / "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert read_image(tmp_path / "a.png").tolist() == [[[255] * 3, [7] * 3]]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_orientation(tmp_path, suffix):
    # Three by two blocks, so that every orientation gives another picture.
    blocks = np.kron(np.array([[0, 60, 120], [160, 200, 255]], np.uint8), np.ones((16, 16), np.uint8))
    moves = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }
    for orientation, undo in moves.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = np.ascontiguousarray(undo(blocks))
        path = tmp_path / f"{orientation}.{suffix}"
        Image.fromarray(stored).convert("RGB").save(path, exif=exif)
        image = read_image(path)
        assert image.shape == (32, 48, 3)
        assert np.abs(image.astype(int) - blocks[..., None]).max() <= 3, orientation


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_broken_exif_counts_as_none(tmp_path, exif):
    PICTURE.save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == RGB.shape


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert (read_image(tmp_path / name) == [255, 0, 0]).all()


def test_truncated_files_are_refused(tmp_path):
    for suffix in ("png", "jpg"):
        PICTURE.save(tmp_path / f"whole.{suffix}")
        data = (tmp_path / f"whole.{suffix}").read_bytes()
        # To the last byte of the pixels; what follows them in a PNG does not matter.
        for size in [*range(1, len(data) - 30, 37), len(data) - 30]:
            path = tmp_path / f"part.{suffix}"
            path.write_bytes(data[:size])
            refused(
                path,
                "must be a whole (PNG or JPEG picture, not another file|picture, not a damaged one.*)",
            )


def test_damaged_pixels_are_refused(tmp_path):
    PICTURE.save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[200] ^= 255
    (tmp_path / "a.png").write_bytes(data)
    refused(tmp_path / "a.png", "must be a whole picture, not a damaged one: .*")


def test_what_is_no_picture_is_refused(tmp_path):
    refused(tmp_path / "none.png", "does not exist")
    refused(tmp_path, "is not a file")
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", "must be a PNG or JPEG picture, not an empty file")
    unrecognised = "must be a whole PNG or JPEG picture, not another file"
    (tmp_path / "text.png").write_text("hello")
    refused(tmp_path / "text.png", unrecognised)
    (tmp_path / "zero.png").write_bytes(png(0, 5))
    refused(tmp_path / "zero.png", unrecognised)
    # PostScript would be given to another program to draw.
    PICTURE.save(tmp_path / "a.eps")
    refused(tmp_path / "a.eps", unrecognised)


def test_bombs_are_refused_before_they_are_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1, 1, b"\0abc"))
    assert read_image(tmp_path / "a.png").tolist() == [[list(b"abc")]]
    path = tmp_path / "bomb.png"
    path.write_bytes(png(9500, 9501))
    refused(path, rf"must have 1 to {MAX_PIXELS} pixels in all, not 9501 x 9500 \(height x width\)")
    path.write_bytes(png(100_000, 100_000))
    refused(path, f"must have at most {MAX_PIXELS} pixels, not more: .*10000000000 pixels.*")


def test_maps_keep_their_values(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(8, 32)
    write_png(tmp_path / "grey.png", values)
    palette = Image.fromarray(values).convert("P")
    palette.putpalette(bytes(range(256)) * 3)
    palette.save(tmp_path / "palette.png")
    for name in ("grey.png", "palette.png"):
        assert (read_map(tmp_path / name) == values).all()
    wide = np.arange(0, 65536, 257, dtype=np.uint16).reshape(8, 32)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert read_map(tmp_path / "wide.png").dtype == np.uint16
    assert (read_map(tmp_path / "wide.png") == wide).all()
    PICTURE.save(tmp_path / "rgb.png")
    refused(tmp_path / "rgb.png", "must have one channel of 8 or 16 bits, not pixels of mode RGB", read_map)


def test_write_png(tmp_path):
    for name, array in (("grey", RGB[..., 0]), ("rgb", RGB), ("turned", RGB[:, ::-1])):
        write_png(tmp_path / "new" / f"{name}.png", array)
        with Image.open(tmp_path / "new" / f"{name}.png") as picture:
            assert picture.format == "PNG"
            assert (np.asarray(picture) == array).all()
    write_png(tmp_path / "odd.jpg", RGB)  # the name does not change the format
    assert (read_image(tmp_path / "odd.jpg") == RGB).all()
    for wrong in (RGB.astype(int), RGB[..., :2], RGB[0, 0]):
        with pytest.raises(ValueError, match="a PNG wants uint8"):
            write_png(tmp_path / "wrong.png", wrong)
    assert not (tmp_path / "wrong.png").exists()
    with pytest.raises(InputError, match="it must be a file, not a folder"):
        write_png(tmp_path / "new", RGB)


def test_overlay():
    palette = np.array([[0, 0, 0], [255, 100, 0]], np.uint8)
    label = np.random.default_rng(1).choice(np.array([0, 1, 255], np.uint8), RGB.shape[:2])
    ignored = label == 255
    colours = palette[np.where(ignored, 0, label)]
    for alpha in (0, 0.25, 0.5, 1):
        got = overlay(RGB, label, palette, alpha, ignore=255)
        assert got.dtype == np.uint8
        want = (1 - alpha) * RGB + alpha * colours
        assert np.abs(got - want)[~ignored].max() <= 0.5
        assert (got == RGB)[ignored].all()
    assert (overlay(RGB, label, palette, 1, ignore=255)[~ignored] == colours[~ignored]).all()


def test_overlay_of_many_classes():
    palette = np.random.default_rng(2).integers(0, 256, (300, 3), dtype=np.uint8)
    label = np.arange(600, dtype=np.uint16).reshape(20, 30) % 300
    assert (overlay(RGB, label, palette, 1) == palette[label]).all()  # 255 is a class as any other


def test_overlay_refuses_what_does_not_fit():
    palette, label = np.zeros((2, 3), np.uint8), np.zeros(RGB.shape[:2], np.uint8)
    with pytest.raises(InputError, match=r"\(20, 30\) must have its size, not \(20, 29\)$"):
        overlay(RGB, label[:, 1:], palette)
    with pytest.raises(InputError, match=r"^labels must be below 2 or 255, not 2$"):
        overlay(RGB, label + np.uint8(2), palette, ignore=255)
    with pytest.raises(InputError, match=r"^labels must be below 2, not 255$"):
        overlay(RGB, label + np.uint8(255), palette)
    with pytest.raises(InputError, match=r"^alpha must be from 0 to 1, not 1.5$"):
        overlay(RGB, label, palette, 1.5)


def test_normalize_takes_read_only_pictures():
    pictures = RGB[None].copy()
    pictures.flags.writeable = False
    assert normalize(pictures, "vit").shape == (1, 3, 20, 30)  # a warning would be an error


def test_normalize():
    pictures = RGB[None, :, ::-1]
    got = normalize(pictures, "deit")
    assert got.shape == (1, 3, 20, 30)
    assert got.dtype == torch.float32
    want = (pictures / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.abs(got.numpy() - want.transpose(0, 3, 1, 2)).max() < 1e-6
