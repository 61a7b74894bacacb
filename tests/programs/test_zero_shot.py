"""Classes by their names: the numbers against NumPy, the files, and what is said where something is missing."""

import json

import numpy as np
import pytest
from published_pair import published_pair

from tl_jax import Domain, Examples
from tl_jax.core.errors import UserError
from tl_jax.data.domain import changed
from tl_jax.models.zero_shot import class_features, filled, opened, text_features
from tl_jax.programs import zero_shot as room
from tl_jax.programs.cross_modal import between, captioned, cross_modal, table

CLASSES = ("red", "blue", "a_b")
PROMPTS = ("a photo of {}", "{} h")


def images(classes=CLASSES, labelled=True):
    rng = np.random.default_rng(0)

    def split(n):
        y = np.arange(n) % len(CLASSES)
        x = rng.integers(0, 256, (n, 6, 6, 3)).astype(np.uint8)
        return Examples(x, y) if labelled else Examples(x)

    return Domain("shop", classes, split(9), split(5), split(7))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return published_pair(tmp_path_factory.mktemp("pair"), "siglip")


@pytest.fixture(scope="module")
def network(place):
    return f"siglip(from={str(place)!r})"


@pytest.fixture(scope="module")
def found(network):
    return room.zero_shot(images(), room.Asked(network, PROMPTS))


def test_a_class_is_the_mean_of_its_prompts_each_of_length_one(place):
    of = opened("siglip", str(place))
    raw = [text_features(of, [p.replace("{}", c) for c in ("red", "blue", "a b")]) for p in PROMPTS]
    mean = sum(x / np.linalg.norm(x, axis=1, keepdims=True) for x in raw) / 2
    want = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(class_features(of, PROMPTS, CLASSES), want, atol=1e-6)
    assert filled(PROMPTS[0], CLASSES)[2] == "a photo of a b"


def test_logits_are_scaled_cosines_of_the_test_split(found, network, place):
    of, target = opened("siglip", str(place)), images()
    x = room.image_features(of, room.towers(network)[1], target.test.x)
    texts = class_features(of, PROMPTS, CLASSES)
    want = np.exp(2.0) * (x / np.linalg.norm(x, axis=1, keepdims=True)) @ texts.T - 1
    np.testing.assert_allclose(found.logits, want, atol=1e-5)
    np.testing.assert_array_equal(found.y, target.test.y)
    assert "images of 6 px are enlarged to 8: files are better read so (?size=8)" in found.notes


def test_what_is_written_says_the_same(found, tmp_path):
    root = room.write(found, str(tmp_path / "out"))
    said = json.loads((root / "zero_shot.json").read_text())
    counts = np.array(said["confusion"])
    assert counts.sum() == 7
    assert said["metrics"]["accuracy"] == np.trace(counts) / 7
    assert said["right"]["red"] == counts[0, 0] / counts[0].sum()
    lines = (root / "predictions.csv").read_text().splitlines()
    assert lines[0] == "example,label,class,probability,entropy"
    assert [line.split(",")[2] for line in lines[1:]] == [CLASSES[k] for k in found.logits.argmax(1)]
    assert "| all | 7 |" in (root / "zero_shot.md").read_text()
    assert any(line.startswith("confusion") for line in room.lines(found))


def test_labels_are_not_needed_where_classes_are_named(network, tmp_path):
    target = images(None, labelled=False)
    with pytest.raises(UserError, match=r"shop has no names of classes.*--classes=cat,dog"):
        room.zero_shot(target, room.Asked(network, PROMPTS))
    found = room.zero_shot(target, room.Asked(network, PROMPTS[:1], "all", ("red", "blue")))
    assert len(found.y) == 21
    assert room.lines(found)[0] == "no label is known: predictions alone"
    assert "metrics" not in room.record(found)
    header, first = (room.write(found, str(tmp_path)) / "predictions.csv").read_text().splitlines()[:2]
    assert header == "example,class,probability,entropy"
    assert first.startswith("train 0,")


def test_what_is_missing_is_said(network, place, tmp_path):
    target = images()
    mistakes = [
        ((target, room.Asked("resnet18", PROMPTS)), r"resnet18 has no text tower: use clip\(from=PATH\) or siglip"),
        ((target, room.Asked("clip", PROMPTS)), "--network=clip is random"),
        ((target, room.Asked(network, ("a photo",))), r"'a photo' has no \{\}"),
        ((target, room.Asked(network, ())), "There is no prompt"),
        ((target, room.Asked(network, ("a " * 9 + "{}",))), "have more than 9 word pieces"),
        ((target, room.Asked(network, PROMPTS, classes=("red",))), "names 1 classes, shop has 3"),
        ((target, room.Asked(network, PROMPTS, "half")), "Unknown --split 'half'"),
        ((changed(target, modality="vector"), room.Asked(network, PROMPTS)), "shop holds vector"),
    ]
    for arguments, said in mistakes:
        with pytest.raises(UserError, match=said):
            room.zero_shot(*arguments)


def test_weights_of_images_alone_have_no_text_tower(place, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    copy = shutil.copytree(place, tmp_path / "copy")
    arrays = load_file(copy / "model.safetensors")
    save_file({k: v for k, v in arrays.items() if k.startswith("vision")}, copy / "model.safetensors")
    with pytest.raises(UserError, match="has no text tower: its weights hold no text_model"):
        room.zero_shot(images(), room.Asked(f"siglip(from={str(copy)!r})", PROMPTS))


def test_retrieval_goes_both_ways(network, place, tmp_path):
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(6, 4)), rng.normal(size=(8, 4))
    rows = np.array([0, 0, 1, 2, 3, 4, 5, 5])
    found = between(images, np.arange(6), texts, rows)
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    order = np.argsort(-unit(texts) @ unit(images).T, axis=1)
    places = [list(one).index(row) for one, row in zip(order, rows, strict=True)]
    assert found["text to image"]["recall@1"] == pytest.approx(np.mean([p < 1 for p in places]))
    assert found["text to image"]["recall@5"] == pytest.approx(np.mean([p < 5 for p in places]))
    assert found["text to image"]["map"] == pytest.approx(np.mean([1 / (p + 1) for p in places]))
    back = np.argsort(-unit(images) @ unit(texts).T, axis=1)[:, 0]
    assert found["image to text"]["recall@1"] == pytest.approx(np.mean(rows[back] == np.arange(6)))
    assert "recall@10" not in found["image to text"]


def test_captions_go_by_the_names_of_examples(network, tmp_path):
    file = tmp_path / "captions.csv"
    file.write_text("example,caption\n0,a photo of red\n3,b\n3,c d\n99,e\n")
    found, note = cross_modal(images(), network, str(file), "test")
    assert note.endswith("(test): 7 images, 3 captions, by cosine.")
    assert {name: way["queries"] for name, way in found.items()} == {"text to image": 3, "image to text": 2}
    assert table(found, note).cells[0] == ["retrieval", "queries", "recall@1", "recall@5", "recall@10", "mAP"]
    file.write_text("example,text\n0,a\n")
    with pytest.raises(UserError, match="has no column caption: example, caption"):
        captioned(str(file), ["0"])
    file.write_text("example,caption\nx,a\n")
    with pytest.raises(UserError, match="none of its 1 examples is one of the images, which are called 0"):
        captioned(str(file), ["0"])
    file.write_text("\ufeffexample,caption\n0,a\n1\n")
    with pytest.raises(UserError, match="row 3 has too few fields"):
        captioned(str(file), ["0"])
    file.write_text("\ufeffexample,caption\n0,a\n")
    with pytest.raises(UserError, match="Several images have one name"):
        captioned(str(file), ["0", "0"])
