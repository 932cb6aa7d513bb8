"""Sliding windows against the published procedure, written down without regard to memory."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from intarsia.model.data.images import MAX_PIXELS
from intarsia.model.data.windows import anchors, covering, highest, published, segment
from intarsia.model.errors import InputError

CLASSES = 7


def picture(height, width, seed=0):
    """Smooth, so that classes form regions."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(height // 6, 2), max(width // 6, 2), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


class Network:
    """Scores from colours and from the place in the window, so that overlaps matter."""

    def __init__(self, window, kind, batch=None):
        rng = np.random.default_rng(5)
        self.window, self.kind, self.batch = window, kind, batch
        self.colour = rng.integers(-60, 60, (CLASSES, 3))
        self.place = rng.integers(-9000, 9000, (CLASSES, *window))
        self.seen = []

    def __call__(self, crops):
        assert crops.dtype == np.uint8
        assert crops.shape[1:] == (*self.window, 3)
        assert self.batch is None or len(crops) <= self.batch
        self.seen += list(crops)
        scores = np.einsum("bhwc,kc->bkhw", crops.astype(np.int64), self.colour) + self.place
        return (scores / 7000).astype(np.float32) if self.kind == "float" else scores.astype(self.kind)


def whole_scores(image, network, window, stride, size):
    """Sums and counts over all windows of the scaled picture, and its size."""
    height, width = image.shape[:2]
    if (height, width) != window:
        scale = max(size[0] / height, size[1] / width)
        height, width = int(height * scale + 0.5), int(width * scale + 0.5)
        if (height, width) != image.shape[:2]:
            resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
            image = np.asarray(resized)
    total = np.zeros((CLASSES, height, width))
    count = np.zeros((height, width))
    for y in [*range(0, height - window[0], stride[0]), height - window[0]]:
        for x in [*range(0, width - window[1], stride[1]), width - window[1]]:
            part = np.s_[..., y : y + window[0], x : x + window[1]]
            total[part] += network(image[None, y : y + window[0], x : x + window[1]])[0]
            count[part] += 1
    return total, count


CASES = [
    # picture, window, stride, size
    ((24, 32), (24, 32), None, None),  # one window, nothing to do
    ((48, 32), (24, 32), None, None),
    ((24, 90), (24, 32), None, None),
    ((100, 24), (24, 24), (16, 16), None),
    ((24, 100), (24, 24), (16, 16), None),
    ((75, 50), (32, 32), (20, 12), None),
    ((50, 75), (32, 32), (5, 7), (40, 40)),
    ((10, 13), (32, 32), None, None),
    ((9, 40), (24, 32), (8, 9), (30, 36)),
    ((200, 300), (32, 32), (32, 32), (70, 70)),
    ((33, 32), (32, 32), None, None),
    ((32, 33), (32, 32), (32, 1), None),
]


@pytest.mark.parametrize(("shape", "window", "stride", "size"), CASES)
@pytest.mark.parametrize("batch", [1, 3])
def test_integer_scores_never_meet_a_float(shape, window, stride, size, batch):
    image = picture(*shape)
    network = Network(window, np.int16, batch)
    got = segment(image, network, window=window, stride=stride, size=size, batch=batch)
    total, _ = whole_scores(image, network, window, stride or window, size or window)
    label, (h, w) = total.argmax(axis=0), total.shape[1:]
    assert got.dtype == np.uint8
    assert got.shape == shape
    for y in range(shape[0]):
        for x in range(0, shape[1], 5):
            assert got[y, x] == label[y * h // shape[0], x * w // shape[1]]


@pytest.mark.parametrize(("shape", "window", "stride", "size"), CASES)
@pytest.mark.parametrize("batch", [1, 3])
def test_float_scores_as_published(shape, window, stride, size, batch):
    image = picture(*shape)
    network = Network(window, "float", batch)
    got = segment(image, network, window=window, stride=stride, size=size, batch=batch)
    total, count = whole_scores(image, network, window, stride or window, size or window)
    mean = torch.from_numpy(total / count)[None]
    scores = F.interpolate(mean, shape, mode="bilinear", align_corners=False)[0].numpy()
    assert got.shape == shape
    chosen = np.take_along_axis(scores, got[None].astype(int), axis=0)[0]
    assert (chosen >= scores.max(axis=0) - 1e-5).all()  # float32 against float64
    assert (got == scores.argmax(axis=0)).mean() > 0.999


def test_many_lines_are_finished_piece_by_piece():
    image = picture(700, 150)
    network = Network((150, 150), "float")
    got = segment(image, network, window=(150, 150), stride=(100, 100))
    total, count = whole_scores(image, network, (150, 150), (100, 100), (150, 150))
    assert (got == (total / count).argmax(axis=0)).mean() > 0.999


def test_predictors_may_answer_with_tensors():
    image, network = picture(24, 40), Network((24, 24), "float")
    want = segment(image, network, window=(24, 24))
    got = segment(image, lambda crops: torch.from_numpy(network(crops)), window=(24, 24))
    assert (got == want).all()
    assert len(np.unique(got)) > 2


def test_a_picture_of_the_windows_size_is_not_resampled():
    image, network = picture(24, 24), Network((24, 24), np.int16)
    segment(image, network, window=(24, 24), size=(48, 48))
    assert len(network.seen) == 1
    assert (network.seen[0] == image).all()


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.float32])
def test_ties_go_to_the_lowest_class(kind):
    scores = np.array([1, 2, 2, 0, 2], kind)[:, None, None]
    got = segment(picture(40, 16), lambda crops: np.tile(scores, (len(crops), 1, 16, 16)), window=(16, 16))
    assert (got == 1).all()
    assert highest(scores).tolist() == [[1]]
    assert highest(np.array([[3.0, -5], [3, -4]])).tolist() == [0, 1]


@pytest.mark.parametrize("classes", [255, 256, 257, 300])
@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_labels_of_many_classes(kind, classes):
    def predict(crops):
        return np.tile(np.arange(classes, dtype=kind)[:, None, None], (len(crops), 1, 16, 16))

    for shape in ((16, 40), (20, 20)):
        label = segment(picture(*shape), predict, window=(16, 16))
        assert label.dtype == (np.uint8 if classes <= 256 else np.uint16)
        assert (label == classes - 1).all()
    assert highest(np.arange(300)[:, None]).tolist() == [299]


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.uint16])
def test_sums_of_the_largest_integers_do_not_overflow(kind):
    limits = np.iinfo(kind)
    scores = np.array([limits.max - 1, limits.min, limits.max], kind)[:, None, None]

    def predict(crops):
        return np.tile(scores, (len(crops), 1, 20, 20))

    assert (segment(picture(20, 39), predict, window=(20, 20), stride=(1, 1)) == 2).all()


def test_anchors():
    assert anchors(10, 10, 10) == [0]
    assert anchors(20, 10, 10) == [0, 10]
    assert anchors(21, 10, 10) == [0, 10, 11]
    assert anchors(12, 10, 1) == [0, 1, 2]


def test_covering_is_tight_and_keeps_proportions():
    assert covering((480, 640), (512, 512)) == (512, 683)
    assert covering((1024, 2048), (1024, 1024)) == (1024, 2048)
    assert covering((375, 500), (192, 256)) == (192, 256)
    rng = np.random.default_rng(2)
    for height, width, rows, columns in rng.integers(1, 3000, (500, 4)).tolist():
        h, w = covering((height, width), (rows, columns))
        assert (h == rows and w >= columns) or (w == columns and h >= rows)
        scale = max(rows / height, columns / width)
        assert abs(h - height * scale) <= 0.5 + 1e-9
        assert abs(w - width * scale) <= 0.5 + 1e-9


def test_published_placements():
    assert published("ade20k") == {"window": (512, 512), "stride": (512, 512), "size": (512, 512)}
    assert published("cityscapes") == {"window": (768, 768), "stride": (512, 512), "size": (1024, 1024)}
    assert published("scenes") == {"window": (192, 256), "stride": (192, 256), "size": (192, 256)}
    assert published("ade20k", (64, 96))["size"] == (64, 96)
    assert published("cityscapes", (1200, 33)) == {
        "window": (1200, 33),
        "stride": (800, 22),
        "size": (1200, 1024),
    }


def test_what_cannot_be_segmented_is_refused():
    network = Network((16, 16), np.int16)

    def refused(message, image, **options):
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            segment(image, network, **{"window": (16, 16), **options})

    small = "the picture must have at least 8 x 8 pixels, not {} (height x width)"
    refused(small.format("7 x 30"), picture(7, 30), smallest=8)
    refused(small.format("30 x 7"), picture(30, 7), smallest=8)
    refused(
        "the picture must have at least 1 x 1 pixels, not 0 x 3 (height x width)",
        np.zeros((0, 3, 3), np.uint8),
        smallest=1,
    )
    for stride in ((17, 16), (16, 0)):
        refused(
            f"stride must be from 1 to the window (16, 16), not {stride}", picture(20, 20), stride=stride
        )
    refused("size must be at least the window (16, 16), not (16, 15)", picture(20, 20), size=(16, 15))
    refused("batch must be at least 1, not 0", picture(20, 20), batch=0)
    refused(
        f"a picture of 1 x 400000 pixels (height x width) must be scaled to at most {MAX_PIXELS} pixels, "
        "not 16 x 6400000: cut it into wider parts",
        np.zeros((1, 400000, 3), np.uint8),
    )
    assert not network.seen


def test_wrong_pictures_and_scores_are_errors():
    with pytest.raises(ValueError, match="the picture must be uint8"):
        segment(np.zeros((20, 20, 3)), None, window=(16, 16))
    with pytest.raises(ValueError, match="the picture must be uint8"):
        segment(np.zeros((20, 20), np.uint8), None, window=(16, 16))
    for wrong in (
        np.zeros((1, 3, 16, 15)),
        np.zeros((2, 3, 16, 16)),
        np.zeros((3, 16, 16)),
        np.zeros((1, 0, 16, 16)),
        np.broadcast_to(np.int8(0), (1, 2**16 + 1, 16, 16)),
        np.zeros((1, 3, 16, 16), bool),
    ):
        with pytest.raises(ValueError, match="scores"):
            segment(picture(20, 20), lambda crops, wrong=wrong: wrong, window=(16, 16))
