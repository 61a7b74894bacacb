"""The fit of sources and target: names, order, shapes, label spaces."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tl_jax.core.errors import UserError
from tl_jax.data.check.domain import single
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.load import load
from tl_jax.data.match.classes import check_labelled
from tl_jax.data.match.match import matched
from tl_jax.run.plan.problem import describe


def domain(classes=("a", "b", "c"), shape=(6, 6, 3), name="d", modality="image", **rest):
    rng = np.random.default_rng(len(name))
    kind = {"image": np.uint8, "sound": np.int16, "text": np.int32}.get(modality, np.float32)
    n = 4 * max(len(classes), 1)
    part = lambda: Examples(
        rng.integers(0, 200 if kind == np.uint8 else 9, (n, *shape)).astype(kind),
        np.arange(n, dtype=np.int32) % max(len(classes), 1),
    )
    return Domain(name, classes, part(), part(), part(), modality=modality, **rest)


def said(*args, **rest):
    with pytest.raises(UserError) as caught:
        matched(*args, **rest)
    return str(caught.value)


def names(domain, split="train"):
    return [domain.classes[c] for c in domain.splits[split].y]


def test_labels_are_matched_by_name():
    source, target = domain(name="s"), domain(("c", "a", "b"), name="t")
    (first,), second = matched([source], target)
    assert first is not None
    assert second.classes == first.classes == ("a", "b", "c")
    for split in source.splits:
        assert names(second, split) == names(target, split)
        np.testing.assert_array_equal(second.splits[split].x, target.splits[split].x)


def test_images_take_the_first_size_and_any_colour():
    grey, colour = domain(shape=(6, 6, 1), name="s"), domain(shape=(9, 7, 3), name="colour")
    (first,), second = matched([grey], colour)
    assert first.train.x.shape[1:] == second.train.x.shape[1:] == (6, 6, 3)
    np.testing.assert_array_equal(first.train.x, np.repeat(grey.train.x, 3, -1))
    expected = Image.fromarray(colour.test.x[0]).resize((6, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(second.test.x[0], np.asarray(expected))
    (first,), second = matched([colour], grey)
    assert second.train.x.shape[1:] == (9, 7, 3)


def test_images_in_arrays_take_the_size_of_their_spec(tmp_path):
    x, y = np.arange(40 * 36, dtype=np.int64).reshape(40, 6, 6, 1) % 251, np.arange(40) % 2
    np.savez(tmp_path / "a.npz", x=x.astype(np.uint8), y=y, v=np.zeros((40, 3), np.float32))
    found = load(f"npz:{tmp_path}/a.npz?size=12&channels=3")
    assert found.train.x.shape[1:] == (12, 12, 3)
    assert "brought from 6x6x1 to 12x12x3, as the spec says" in found.notes
    assert load(f"npz:{tmp_path}/a.npz").train.x.shape[1:] == (6, 6, 1)
    with pytest.raises(UserError, match="size, resize, channels are for images; this set holds vector"):
        load(f"npz:{tmp_path}/a.npz?x=v&size=12")


def test_what_was_resized_to_match_is_said():
    (first,), second = matched([domain(shape=(6, 6, 1), name="s")], domain(shape=(9, 7, 3), name="t"))
    assert first.notes[0].startswith("grey repeated to colour, like the other domains")
    assert second.notes[0].startswith("resized from 9x7 to 6x6, like the other domains")
    assert "resized from 9x7 to 6x6" in describe([second])
    assert any("resized from 9x7" in line for line in single(second).warnings)
    assert matched([domain()], domain(name="other"))[1].notes == ()


@pytest.mark.parametrize("modality", ["sound", "text"])
def test_sound_and_text_are_padded_to_the_longest(modality):
    (short,), long = matched(
        [domain(shape=(5,), modality=modality)], domain(shape=(8,), modality=modality, name="long")
    )
    assert short.train.x.shape[1:] == long.test.x.shape[1:] == (8,)
    assert (short.train.x[:, 5:] == 0).all()


def test_partial_and_open_label_spaces():
    source, few = domain(name="s"), domain(("c", "a"), name="few")
    message = said([source], few)
    assert "s has 3 classes, few has 2. Only in s: ['b']. Only in few: []" in message
    assert "Closed-set adaptation needs equal sets; labels are matched by name. Use --label_space=partial" in message
    _, target = matched([source], few, label_space="partial")
    assert target.classes == ("a", "b", "c")
    assert names(target) == names(few)
    more = domain(("x", "a", "b", "c", "y"), name="more")
    assert "--label_space=open" in said([source], more, label_space="partial")
    _, target = matched([source], more, label_space="open")
    known = [name if name in source.classes else None for name in names(more)]
    assert [target.classes[c] if c < 3 else None for c in target.train.y] == known
    assert target.train.y.max() == 3
    assert "nothing in common" in said([source], domain(("0", "1", "2"), name="numbers"), label_space="open")
    other = domain(("x", "a", "c"), name="other")
    for space in ("open", "partial", "closed"):
        assert "Use --label_space=universal" in said([source], other, label_space=space)
    for among in (source, few, more, other):
        assert matched([source], among, label_space="universal")[1].classes == source.classes
    assert matched([source], other, label_space="universal")[1].train.y.max() == 3
    assert "Only in t: ['d']" in said([source, domain(("a", "b", "d"), name="t")], source, label_space="open")


def test_another_task_keeps_its_classes_but_not_its_shape():
    (_,), target = matched([domain()], domain(("odd", "even"), (9, 9, 1), name="t"), False)
    assert target.classes == ("odd", "even")
    assert target.train.x.shape[1:] == (6, 6, 3)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ({}, {"shape": (5,), "modality": "vector"}, "s holds image, t vector"),
        ({"shape": (5,), "modality": "vector"}, {"shape": (4,), "modality": "vector"}, "t has examples of shape [4]"),
        (
            {"shape": (5,), "modality": "sound", "rate": 8000},
            {"shape": (5,), "modality": "sound", "rate": 16000},
            "s has 8000 Hz, t 16000 Hz",
        ),
        (
            {"shape": (5,), "modality": "text", "vocabulary": 10},
            {"shape": (5,), "modality": "text", "vocabulary": 20},
            "Read both with the same ?buckets=",
        ),
        ({}, {"classes": ()}, "s has classes as labels, t values (regression)"),
        ({}, {"label_space": "opne"}, "Did you mean 'open'?"),
        ({"classes": ("0", "1", "2")}, {"classes": ("1", "2", "3")}, "The numbers look shifted by 1"),
    ],
)
def test_what_cannot_be_matched_is_named(source, target, message):
    target = dict(target)
    space = target.pop("label_space", "closed")
    assert message in said([domain(name="s", **source)], domain(name="t", **target), label_space=space)


def test_nothing_is_copied_where_nothing_changes():
    source = domain()
    target = replace(source, name="t")
    _, ready = matched([source], target)
    assert ready.train.x is target.train.x


def test_a_source_of_one_class_teaches_nothing():
    source = domain(name="s")
    part = Examples(source.train.x, np.where(source.train.y == 1, 1, -1))
    with pytest.raises(UserError, match=r"s: its training examples with a label are all of one class \(b\)"):
        check_labelled([replace(source, train=part)])
    check_labelled([replace(source, validation=part, test=part)])


def test_numbers_of_another_scale_are_asked_about():
    small, large = (domain(shape=(4,), name=name, modality="vector") for name in ("s", "other"))
    parts = {split: Examples(part.x * 100, part.y) for split, part in large.splits.items()}
    target = matched([small], replace(large, **parts))[1]
    assert "was only one of the two normalised?" in target.notes[-1]
    assert not matched([small], large)[1].notes


def test_a_target_of_the_source_s_examples_is_said():
    source = domain(name="s")
    renamed = replace(source, name="t", classes=source.classes)
    assert "its training examples are those of s" in matched([source], renamed)[1].notes[-1]
    assert not matched([source], source)[1].notes
    assert not matched([source], domain(name="other"))[1].notes


def test_a_domain_without_content_is_asked_about():
    black = domain(name="s")
    part = Examples(0 * black.train.x, black.train.y)
    assert replace(black, train=part).notes == (
        "every number of every training example is 0: is this the right array?",
    )
    assert not replace(black, test=part).notes
