"""Findings in words: every classic mistake is named, and clean data raises none."""

from dataclasses import replace

import numpy as np
import pytest

from tl_jax.data.check.domain import single
from tl_jax.data.check.pair import pair
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.load import load
from tl_jax.data.readers.folder import listing
from tl_jax.data.readers.images import unreadable
from tl_jax.data.spec import parse


def domain(name="d", classes=("a", "b"), seed=0, shape=(6, 6, 3), **rest):
    rng = np.random.default_rng(seed)
    kind = np.uint8 if len(shape) == 3 else np.float32
    part = lambda n: Examples(
        rng.integers(0, 256, (n, *shape)).astype(kind), (np.arange(n) % max(len(classes), 1)).astype(np.int32)
    )
    modality = "image" if len(shape) == 3 else "vector"
    return Domain(name, classes, part(30), part(6), part(8), modality=modality, **rest)


def warned(found):
    return "\n".join(found.warnings)


def test_clean_domains_raise_no_warning_and_are_counted():
    found = single(domain())
    assert found.warnings == []
    text = "\n".join(found.facts)
    for part in ("image 6x6x3 uint8, 2 classes; 30 train, 6 validation, 8 test; largest batch 30", "a", "15"):
        assert part in text
    both = pair(domain(), domain("e", seed=1))
    assert both.warnings == []
    assert "2 and 2, 2 in common, in the same order" in both.facts[0]


def test_copies_are_found_within_and_across_splits_and_under_two_labels():
    d = domain()
    d.train.x[3] = d.train.x[5]
    d.test.x[1] = d.train.x[7]
    d.validation.x[0] = d.train.x[9]
    text = warned(single(d))
    assert "1 of 44 examples are copies within their split (train 3 = train 5)" in text
    assert "2 examples stand in two splits" in text
    assert "train 7 = test 1" in text
    assert "1 equal examples have different labels (train 9 = validation 0: b and a)" in text


def test_copies_in_a_folder_are_named_by_file(shop, write):
    write(shop / "mug" / "copy.png", (shop / "mug" / "00.png").read_bytes())
    spec = f"folder:{shop}?size=8"
    text = warned(single(load(spec), listing(parse(spec), "")))
    assert "mug/copy.png" in text
    assert "mug/00.png" in text


def test_imbalance_missing_classes_and_dead_features():
    d = domain(classes=("a", "b", "c"))
    y = np.zeros(30, np.int32)
    y[:2] = 1
    text = warned(single(replace(d, train=Examples(d.train.x, y))))
    assert "unbalanced: a has 28 training examples, b 2" in text
    assert "1 of 3 classes have no example in the train split (c)" in text
    d.train.x[4] = 9
    assert "1 of 30 training examples are images of one colour" in warned(single(d))
    v = domain(shape=(5,))
    v.train.x[:, 2] = 1
    v.train.x[:, 3] *= 1e6
    text = warned(single(v))
    assert "1 of 5 features are constant" in text
    assert "--standardise=source" in text


def test_regression_is_summed_up():
    d = domain(classes=(), shape=(4,))
    d = replace(d, train=Examples(d.train.x, np.linspace(0, 1, 30, dtype=np.float32)))
    assert "values from 0 to 1, mean 0.5" in single(d).facts[1]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (("a", "b"), ("b", "a"), None),
        (("a", "b", "c"), ("b", "a"), "use --label_space=partial"),
        (("a", "b"), ("b", "a", "c"), "use --label_space=open"),
        (("a", "b"), ("b", "c"), "use --label_space=universal"),
        (("back_pack", "mug"), ("Backpack", "mug"), "Spelled differently? 'back_pack' and 'backpack'"),
        (("a", "b"), ("0", "1"), "rename the classes"),
    ],
)
def test_classes_that_differ_are_named_with_the_fix(source, target, message):
    found = pair(domain("s", source), domain("t", target, seed=1))
    if message is None:
        assert found.warnings == []
        assert "in another order (labels are matched by name" in found.facts[0]
    else:
        assert message in warned(found)
        assert f"{len(set(source) & set(target))} in common" in found.facts[0]


def test_examples_in_both_domains_are_found_also_through_grey_and_colour():
    grey, colour = domain("s", shape=(6, 6, 1)), domain("t", seed=1)
    colour.test.x[2] = np.repeat(grey.train.x[4], 3, -1)
    assert "1 examples are in both domains (source train 4 = test 2)" in warned(pair(grey, colour))


def test_preparation_that_differs_is_suspected():
    dark, light = domain("s"), domain("t", seed=1)
    for part in dark.splits.values():
        part.x[:] //= 12
    for part in light.splits.values():
        part.x[:] = 255 - part.x // 12
    assert "is one dark on light, the other inverted?" in warned(pair(dark, light))
    raw, scaled = domain("s", shape=(4,)), domain("t", shape=(4,), seed=1)
    for part in scaled.splits.values():
        part.x[:] /= 255
    assert "was only one of the two normalised?" in warned(pair(raw, scaled))
    assert "s holds vector, t image" in warned(pair(raw, light))


def test_values_out_of_the_source_s_range_are_suspected():
    def values(name, scale, seed):
        part = lambda n: Examples(
            np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32),
            (scale * np.linspace(1, 2, n)).astype(np.float32),
        )
        return Domain(name, (), part(30), part(6), part(8))

    metres, more = values("metres", 1.0, 0), values("more", 1.01, 1)
    assert pair(metres, more).warnings == []
    millimetres = values("millimetres", 1000.0, 2)
    assert "100% of millimetres's values are outside the range of metres's (1 to 2)" in warned(
        pair(metres, millimetres)
    )
    assert "one has classes, the other values" in warned(pair(metres, domain("t", shape=(4,), seed=1)))


def test_every_unreadable_file_is_listed(shop, picture, write):
    write(shop / "mug" / "05.jpg", picture(5, 64, 64, "JPEG")[:900])
    write(shop / "bike" / "note.png", "no picture")
    found = unreadable(listing(parse(f"folder:{shop}"), "").files)
    assert [line.partition(":")[0] for line in found] == ["bike/note.png", "mug/05.jpg"]


def test_unknown_labels_are_counted_and_a_feature_that_is_the_label_is_named():
    d = domain(shape=(4,), features=("u", "v", "w", "code"))
    d.train.x[:, 3] = 7 - 2 * d.train.y
    assert "feature 'code' tells the label alone" in warned(single(d))
    d.train.y[:3] = -1
    some = single(d)
    assert "labels unknown: 3 of 30 train" in some.facts
    assert "feature 'code' tells the label alone" in warned(some)
    blank = lambda part: Examples(part.x)
    bare = replace(d, name="t", classes=(), **{split: blank(part) for split, part in d.splits.items()})
    assert "no labels" in single(bare).facts[0]
    assert "classes: those of t are unknown" in pair(d, bare).facts
    assert "44 examples are in both" in warned(pair(d, bare))
