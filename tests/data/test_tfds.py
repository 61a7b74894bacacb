"""Sets of TensorFlow Datasets: its own splits, one split alone, sizes, and what is said of others."""

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.data.load import load
from tl_jax.data.readers.tfds import prepared
from tl_jax.data.spec import parse

tfds = pytest.importorskip("tensorflow_datasets")


def build(folder, name, features, splits, example):
    """Prepare a set with splits {name: count}, example(i) -> features."""

    class Stock(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {split: ((i, example(i)) for i in range(n)) for split, n in splits.items()}

        def _generate_examples(self):
            raise NotImplementedError

    Stock.name = name
    tfds.disable_progress_bar()
    Stock(data_dir=str(folder), file_format="array_record").download_and_prepare()


def picture(i, side=8):
    from PIL import Image

    return Image.fromarray(np.full((side, side, 3), i, np.uint8))


IMAGES = {"image": tfds.features.Image(shape=(8, 8, 3)), "label": tfds.features.ClassLabel(names=["no", "yes"])}


def said(spec, folder):
    with pytest.raises(UserError) as caught:
        load(spec, str(folder))
    return str(caught.value)


def test_its_own_splits_are_kept_and_validation_is_held_out(tmp_path):
    build(tmp_path, "toy", IMAGES, {"train": 40, "test": 10}, lambda i: {"image": picture(i), "label": i % 2})
    domain = load("tfds:toy", str(tmp_path))
    assert domain.classes == ("no", "yes")
    assert [len(part.y) for part in domain.splits.values()] == [36, 4, 10]
    assert domain.train.x.shape[1:] == (8, 8, 3)
    np.testing.assert_array_equal(domain.train.x[:, 0, 0, 0] % 2, domain.train.y)
    assert prepared("toy", str(tmp_path))
    assert not prepared("joy", str(tmp_path))
    assert load("tfds:toy:1.0.0?size=4", str(tmp_path)).train.x.shape[1:] == (4, 4, 3)
    assert sum(len(part.y) for part in load("tfds:toy:test", str(tmp_path)).splits.values()) == 10
    assert "Did you mean 'test'?" in said("tfds:toy:tset", tmp_path)


def test_pictures_of_several_sizes_are_brought_to_one(tmp_path):
    features = {**IMAGES, "image": tfds.features.Image(shape=(None, None, 3))}
    make = lambda i: {"image": picture(i, 8 + i % 3), "label": i % 2}
    build(tmp_path, "mixed", features, {"test": 40}, make)
    assert load("tfds:mixed:test?size=6", str(tmp_path)).train.x.shape[1:] == (6, 6, 3)
    assert load("tfds:mixed:test", str(tmp_path)).train.x.shape[1:] == (64, 64, 3)
    assert "name one, as in tfds:mixed:test" in said("tfds:mixed", tmp_path)


def test_a_split_without_labels_has_unknown_ones(tmp_path):
    make = lambda i: {"image": picture(i), "label": -1 if i % 4 == 3 else i % 2}
    build(tmp_path, "partly", IMAGES, {"train": 80, "test": 20}, make)
    domain = load("tfds:partly", str(tmp_path))
    assert domain.classes == ("no", "yes")
    assert ((domain.test.y == -1) == (domain.test.x[:, 0, 0, 0] % 4 == 3)).all()
    build(tmp_path, "bare", IMAGES, {"unlabelled": 20}, lambda i: {"image": picture(i), "label": -1})
    assert not load("tfds:bare:unlabelled", str(tmp_path)).labelled


def test_text_and_what_has_no_label(tmp_path):
    features = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(num_classes=2)}
    build(tmp_path, "words", features, {"train": 40, "test": 10}, lambda i: {"text": f"it is {i % 2}", "label": i % 2})
    domain = load("tfds:words?buckets=100&length=5", str(tmp_path))
    assert (domain.modality, domain.vocabulary) == ("text", 100)
    assert domain.train.x.shape[1:] == (5,)
    assert len(np.unique(domain.train.x[:, 2])) == 2
    build(tmp_path, "bare", {"text": tfds.features.Text()}, {"train": 4}, lambda i: {"text": "a"})
    assert "has features ['text'] and splits ['train']" in said("tfds:bare", tmp_path)


def test_a_set_that_is_not_prepared(tmp_path):
    message = said("tfds:kmnist", tmp_path)
    for part in (str(tmp_path), "no automatic download", "tfds build kmnist", "array_record"):
        assert part in message


def test_a_benchmark_comes_through_tfds_where_its_files_are_not_there(tmp_path):
    features = {
        "image": tfds.features.Image(shape=(32, 32, 3)),
        "label": tfds.features.ClassLabel(num_classes=10),
    }
    make = lambda i: {"image": picture(i, 32), "label": i % 10}
    build(tmp_path, "svhn_cropped", features, {"train": 40, "test": 20, "extra": 3}, make)
    domain = load("svhn", str(tmp_path))
    assert domain.classes == tuple("0123456789")
    assert [len(part.y) for part in domain.splits.values()] == [36, 4, 20]
    assert parse("svhn").scheme == ""
