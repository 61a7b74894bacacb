"""Corruptions: each against its formula or an invariant, on images of a few pixels."""

import numpy as np
import pytest
import scipy.ndimage

from tl_jax.core.errors import UserError
from tl_jax.data.corruptions import blur, digital, noise, spatter, weather
from tl_jax.data.corruptions.table import ABSENT, CORRUPTIONS, GROUPS, corrupted, named
from tl_jax.data.load import load

RNG = np.random.default_rng(0)
SMOOTH = np.kron(RNG.integers(0, 256, (3, 8, 8, 3)), np.ones((1, 3, 3, 1))).astype(np.uint8)
"""Three coloured images of 24 x 24 in tiles of 3 x 3."""
X = RNG.random((24, 24, 3))
UNEVEN = ("elastic_transform", "saturate", "snow", "glass_blur", "contrast", "spatter")
"""Whose published levels are of several kinds, so that no distance grows from each to the next."""


def draws(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_keeps_shape_and_type_is_the_same_again_and_worse_at_a_higher_severity(name):
    for images in (SMOOTH, SMOOTH[:, :20, :, :1]):
        found = [corrupted(images, f"{name}@{level}") for level in (1, 3, 5)]
        assert all((one.shape, one.dtype) == (images.shape, np.uint8) for one in found)
        away = [np.abs(one.astype(float) - images).mean() for one in found]
        if images.shape[-1] == 3 or name != "saturate":  # grey has none
            assert away[-1] > 0
        assert name in UNEVEN or away[0] <= away[1] <= away[2]
    np.testing.assert_array_equal(corrupted(SMOOTH, f"{name}@3"), corrupted(SMOOTH, f"{name}@3"))


def test_an_example_is_corrupted_by_its_row_whatever_stands_after_it():
    whole = corrupted(SMOOTH, "gaussian_noise@3")
    np.testing.assert_array_equal(corrupted(SMOOTH[:2], "gaussian_noise@3"), whole[:2])
    assert (corrupted(SMOOTH[[0, 0]], "gaussian_noise@3")[0] != corrupted(SMOOTH[[0, 0]], "gaussian_noise@3")[1]).any()
    assert (corrupted(SMOOTH, "gaussian_noise@3", "train") != whole).any()


def test_noise_has_the_published_moments():
    half = np.full((100, 100, 3), 0.5)
    assert noise.gaussian_noise(half, 4, draws()).std() == pytest.approx(0.38, rel=0.02)
    assert noise.speckle_noise(half, 4, draws()).std() == pytest.approx(0.3, rel=0.02)
    shot = noise.shot_noise(half, 2, draws())
    assert (shot.mean(), shot.var()) == (pytest.approx(0.5, rel=0.02), pytest.approx(0.5 / 12, rel=0.05))
    hit = noise.impulse_noise(half, 3, draws())
    assert (hit != 0.5).mean() == pytest.approx(0.17, rel=0.05)
    assert set(np.unique(hit)) == {0.0, 0.5, 1.0}


def test_a_blur_leaves_what_is_even_and_its_kernel_is_a_mean():
    even = np.full((12, 12, 1), 0.3)
    for of in (blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur, blur.gaussian_blur):
        np.testing.assert_allclose(of(even, 4, draws()), even, atol=1e-6)
    for kernel in (blur.disc(3.0, 0.5), blur.streak(20, 15, 30.0, 1.0)):
        assert (kernel.sum(), kernel.min() >= 0) == (pytest.approx(1), True)
    disc = blur.disc(2.0, 0.0)
    assert disc.max() == pytest.approx(1 / (4 * np.pi), rel=0.01)  # a pixel within, of an area of pi r^2
    level = blur.streak(3, 2.0, 0.0, 1.0)
    middle = len(level) // 2
    want = np.exp(-(np.arange(7) ** 2) / 8)
    np.testing.assert_allclose(level[middle, middle : middle + 7], want / want.sum())


def test_glass_only_moves_pixels_about(monkeypatch):
    monkeypatch.setattr(blur, "smoothed", lambda x, sigma: x)
    found = blur.glass_blur(X, 4, draws())
    np.testing.assert_array_equal(np.sort(found.reshape(-1, 3), 0), np.sort(X.reshape(-1, 3), 0))
    assert (found != X).any()


def test_a_zoom_keeps_the_middle_and_enlarges_about_it():
    x = np.zeros((9, 9))
    x[4, 4], x[4, 6] = 1, 1
    found = blur.zoomed(x, 2.0)
    assert (found[4, 4], found[4, 8]) == (1, 1)


def test_weather_is_what_its_formula_says():
    field = weather.plasma(16, 2.0, draws())
    fogged = weather.fog(X[:16, :16], 1, draws())
    most = X[:16, :16].max()
    np.testing.assert_allclose(fogged, (X[:16, :16] + 2 * field[..., None]) * most / (most + 2))
    assert (field.min(), field.max()) == (0, 1)
    raised = weather.brightness(X, 2, draws())
    np.testing.assert_allclose(raised.max(2), np.minimum(X.max(2) + 0.3, 1), atol=1e-6)
    ratio = lambda x: x.min(2) / x.max(2)
    np.testing.assert_allclose(ratio(raised), ratio(X), atol=1e-6)
    assert (weather.snow(X, 0, draws()) >= 0.8 * X - 1e-9).all()  # flakes add, and paling keeps four fifths


def test_digital_ones_are_what_their_formulas_say():
    mean = X.mean((0, 1))
    np.testing.assert_allclose(digital.contrast(X, 4, draws()), (X - mean) * 0.05 + mean)
    tiles = np.kron(RNG.integers(0, 256, (6, 6, 3)), np.ones((4, 4, 1))) / 255
    np.testing.assert_allclose(digital.pixelate(tiles, 4, draws()), tiles, atol=1 / 255)
    grey = np.repeat(X[..., :1], 3, 2)
    np.testing.assert_allclose(digital.saturate(grey, 1, draws()), grey, atol=1e-6)
    spread = lambda x: 1 - x.min(2) / x.max(2)
    np.testing.assert_allclose(spread(digital.saturate(X, 1, draws())), 0.1 * spread(X), atol=1e-6)
    ramp = np.repeat(np.linspace(0, 1, 24)[:, None, None], 24, 1)
    moved = digital.elastic_transform(ramp, 2, draws())
    assert np.abs(moved - ramp).max() < 0.15  # by .05 of a side at most, and a corner by .02


def test_water_is_lit_as_by_opencv():
    """Its Canny, distanceTransform(DIST_L2, 5), equalizeHist, filter2D and blur (5.0.0) gave these of this layer."""
    layer = scipy.ndimage.gaussian_filter(draws(5).normal(0.65, 0.3, (40, 40)), 2, mode="nearest")
    layer[layer < 0.68] = 0
    found = spatter.edges((layer * 255).astype(np.uint8), 50, 150)
    assert found.sum() == 261
    assert np.flatnonzero(found[20]).tolist() == [2, 8, 9, 13, 30, 34]
    far = spatter.distance(found, 20)
    assert far.sum() == pytest.approx(3197.86534512)
    np.testing.assert_allclose(far[20, 14:20], [1, 1.4, 2.1969, 2.8, 3.5969, 2.8], rtol=1e-6)
    water = spatter.lit(layer)
    assert water.sum() * 47177 == pytest.approx(7769752)
    wet = [0, 0, 11725, 24797, 29992, 17568, 4654, 0, 0, 0, 4576, 6903, 6903, 13920, 0]
    np.testing.assert_allclose(water[20, :15] * 47177, wet, atol=1e-6)


def test_distances_stop_at_the_most_and_the_spread_of_values_is_even():
    marked = np.zeros((3, 9), bool)
    assert (spatter.distance(marked, 4) == 4).all()
    marked[1, 0] = True
    np.testing.assert_allclose(spatter.distance(marked, 4)[1], [0, 1, 2, 3, 4, 4, 4, 4, 4])
    found = spatter.equalised(np.uint8([[7, 7, 7, 7], [9, 9, 200, 200]]))
    assert found.tolist() == [[0, 0, 0, 0], [128, 128, 255, 255]]
    assert (spatter.equalised(np.full((2, 2), 5, np.uint8)) == 5).all()


def test_spatter_is_water_or_mud_of_its_colour_over_an_image_of_any_size():
    """By the formulas, on a black image; at 224 px the layer is the published one, at fewer px means over its boxes."""
    whole, small = np.zeros((224, 224, 3)), np.zeros((56, 56, 3))
    for severity, colour, most in ((2, (175, 238, 238), 0.5), (4, (63, 42, 20), 1)):
        large, found = (spatter.spatter(x, severity, draws()) for x in (whole, small))
        np.testing.assert_allclose(found, large.reshape(56, 4, 56, 4, 3).mean((1, 3)), atol=1e-6)
        wet = large.max(2) > 0
        assert 0.05 < wet.mean() < 0.5
        np.testing.assert_allclose(
            large[wet] / large[wet].max(1, keepdims=True), [np.array(colour) / max(colour)] * wet.sum()
        )
        assert large.max() == pytest.approx(most * max(colour) / 255, rel=0.01)
    grey = spatter.spatter(whole[..., :1], 4, draws())
    np.testing.assert_allclose(grey[..., 0], large @ weather.GREY, atol=1e-6)
    white = spatter.spatter(whole + 1, 4, draws())
    np.testing.assert_allclose(1 - white, (1 - np.array(colour) / 255) * (large[..., :1] / (63 / 255)), atol=1e-6)


def test_a_spec_of_images_may_be_corrupted():
    clean, foggy = load("digits:handwritten?size=8"), load("digits:handwritten?size=8&corrupt=contrast@3")
    np.testing.assert_array_equal(foggy.test.x[:5], corrupted(clean.test.x[:5], "contrast@3"))
    assert "images corrupted: contrast@3" in foggy.notes
    assert foggy.name.endswith("?corrupt=contrast@3")
    assert len(named("all@5")) == 14
    assert len(named("extra@1")) == len(GROUPS["extra"]) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [("fogg@3", "fog"), ("fog", "no severity"), ("fog@9", "severity '9'"), ("", "corruption")]
    + [(f"{name}@3", "there is no") for name in ABSENT],
)
def test_an_unknown_corruption_is_said_before_anything_is_read(text, said):
    with pytest.raises(UserError, match=said):
        load(f"digits:handwritten?corrupt={text}")


def test_a_domain_has_one_corruption_and_is_of_images(tmp_path):
    with pytest.raises(UserError, match="several"):
        load("digits:handwritten?size=8&corrupt=all@5")
    np.savez(tmp_path / "a.npz", x=np.random.rand(40, 3).astype(np.float32), y=np.arange(40) % 2)
    with pytest.raises(UserError, match="of images; this set holds vector"):
        load(f"npz:{tmp_path}/a.npz?corrupt=fog@3")
