"""The FP32 network: shapes, padding, the paper's two dropped steps, attention by its formula."""

import pytest
import torch
import torch.nn.functional as F

from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig

SMALL = {"embed": 64, "heads": 2, "layers": 2, "image": (32, 48), "classes": 5}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def make(**changes):
    return Segmenter(SegmenterConfig(**{**SMALL, **changes})).eval()


def sharpen(model):
    """Weights large enough that every part of the network shows in the scores."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model


@pytest.mark.parametrize("patch", [8, 16, 32])
@pytest.mark.parametrize("image", [(32, 64), (40, 56), (33, 31), (5, 9)])
def test_scores_have_the_size_of_the_image(patch, image):
    model = make(patch=patch, image=image)
    picture = torch.randn(2, 3, *image)
    assert model.masks(picture).shape == (2, model.config.patches, 5)
    assert model(picture).shape == (2, 5, *image)


def test_padding_is_zeros_to_the_right_and_below():
    model = sharpen(make(image=(40, 56)))  # a grid of 3 x 4 patches of 16
    whole = sharpen(make(image=(48, 64)))
    whole.load_state_dict(model.state_dict())
    picture = torch.randn(1, 3, 40, 56)
    padded = torch.zeros(1, 3, 48, 64)
    padded[:, :, :40, :56] = picture
    assert torch.equal(model(picture), whole(padded)[:, :, :40, :56])


def test_l2norm_divides_by_the_length_before_the_products():
    published = sharpen(make())
    paper = make(l2norm=False)
    paper.load_state_dict(published.state_dict())
    inputs, normed = [], []
    for model in (published, paper):
        model.decoder.mask_norm.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    paper.decoder.decoder_norm.register_forward_hook(lambda *args: normed.append(args[-1]))
    features = published.encoder(torch.randn(1, 3, 32, 48))[:, 1:]
    published.decoder(features)
    paper.decoder(features)
    patches = normed[0][:, :6] @ paper.decoder.proj_patch
    classes = normed[0][:, 6:] @ paper.decoder.proj_classes
    products = torch.einsum("bpe,bce->bpc", patches, classes)
    lengths = torch.einsum("bp,bc->bpc", patches.norm(dim=-1), classes.norm(dim=-1))
    cosines = products / lengths
    assert products.abs().max() > 1
    torch.testing.assert_close(inputs[0], cosines, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(inputs[1], products, rtol=1e-4, atol=1e-3)


def test_nearest_upsampling_repeats_each_mask():
    model = sharpen(make(upsampling="nearest", image=(40, 40)))
    picture = torch.randn(1, 3, 40, 40)
    masks = model.masks(picture).transpose(1, 2).reshape(1, 5, 3, 3)
    want = masks.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)[:, :, :40, :40]
    assert torch.equal(model(picture), want)


def test_bilinear_upsampling_takes_pixel_centres():
    model = make(image=(32, 48), patch=16)
    ramp = torch.arange(3.0).repeat(2)[None, :, None].expand(1, 6, 5)  # grows by 1 per column
    scores = model.upsample(ramp)
    # The centre of pixel x lies at (x + 1/2) / 16 - 1/2 columns; outside, the border goes on.
    want = ((torch.arange(48) + 0.5) / 16 - 0.5).clamp(0, 2)
    torch.testing.assert_close(scores, want.expand(1, 5, 32, 48))


def test_both_upsamplings_see_the_same_masks():
    bilinear, nearest = sharpen(make()), make(upsampling="nearest")
    nearest.load_state_dict(bilinear.state_dict())
    picture = torch.randn(1, 3, 32, 48)
    assert torch.equal(bilinear.masks(picture), nearest.masks(picture))
    want = F.interpolate(nearest(picture)[:, :, ::16, ::16], scale_factor=16, mode="bilinear")
    torch.testing.assert_close(bilinear(picture), want)


def test_tokens_of_a_batch_do_not_mix():
    model = sharpen(make())
    pictures = torch.randn(3, 3, 32, 48)
    alone = torch.cat([model(picture[None]) for picture in pictures])
    torch.testing.assert_close(model(pictures), alone, rtol=1e-4, atol=1e-4)


def test_weights_start_as_seeded():
    torch.manual_seed(5)
    first = make().state_dict()
    torch.manual_seed(5)
    assert all(torch.equal(value, first[key]) for key, value in make().state_dict().items())
    assert first["encoder.blocks.0.mlp.fc1.bias"].count_nonzero() == 0
    assert 0.015 < first["encoder.blocks.0.mlp.fc1.weight"].std() < 0.025
