"""A run directory belongs to one config and to the contents it was begun with."""

import dataclasses
import json

import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.files import PART
from tl_jax.run.settings.config import Config
from tl_jax.run.store.claim import claim, refuse_foreign

SPLIT = {"x": "<f4 60x8 aa", "labels": "<i4 60 bb"}
DOMAIN = {"name": "near", "is": "vector 3 classes cc", "train": SPLIT, "validation": SPLIT, "test": SPLIT}
MADE = {"domains": [DOMAIN, {**DOMAIN, "name": "far"}], "weights": "", "code": {"losses/classes.py": "dd"}}
CONFIG = Config()


def changed(*path, to):
    made = json.loads(json.dumps(MADE))  # nothing shared
    inner: dict = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return made


CHANGES = {
    "the labels of far (test)": changed("domains", 1, "test", "labels", to="<i4 60 ee"),
    "the examples of near (train)": changed("domains", 0, "train", "x", to="<f4 60x8 ee"),
    "the weights of --init_from": changed("weights", to="ff"),
    "the code (losses/classes.py)": changed("code", "losses/classes.py", to="ee"),
    "the code (core/new.py)": changed("code", "core/new.py", to="ee"),
}


@pytest.fixture
def root(tmp_path):
    assert claim(tmp_path, CONFIG, MADE) == ()
    return tmp_path


def test_the_same_again_goes_on_and_writes_nothing(root):
    before = {path: path.stat().st_mtime_ns for path in root.iterdir()}
    assert claim(root, CONFIG, MADE) == ()
    assert {path: path.stat().st_mtime_ns for path in root.iterdir()} == before


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_named_and_refused_until_it_is_accepted(what, root):
    before = (root / "contents.json").read_bytes()
    with pytest.raises(UserError) as raised:
        claim(root, CONFIG, CHANGES[what])
    assert what in str(raised.value)
    assert "--accept_changes" in str(raised.value)
    assert (root / "contents.json").read_bytes() == before
    assert claim(root, CONFIG, CHANGES[what], accept=True) == (what,)
    assert claim(root, CONFIG, CHANGES[what]) == (what,)  # it stays
    with pytest.raises(UserError):
        claim(root, CONFIG, MADE)


def test_other_numbers_of_examples_or_classes_cannot_be_accepted(root):
    for made in (changed("domains", 0, "test", "labels", to="<i4 61 ee"), changed("domains", 0, "is", to="vector 4 c")):
        with pytest.raises(UserError, match="cannot be accepted"):
            claim(root, CONFIG, made, accept=True)


def test_contents_that_are_lost_or_damaged_are_not_taken_for_the_same(root):
    path = root / "contents.json"
    path.write_bytes(path.read_bytes().replace(b"<f4 60x8 aa", b"<f4 60x8 ab"))
    with pytest.raises(UserError, match="lost or damaged"):
        claim(root, CONFIG, MADE)
    path.unlink()
    with pytest.raises(UserError, match="lost or damaged"):
        claim(root, CONFIG, MADE)
    (accepted,) = claim(root, CONFIG, MADE, accept=True)
    assert "lost or damaged" in accepted


def test_a_damaged_config_is_written_again_if_the_contents_know_it(root, capsys):
    path = root / "config.json"
    right = path.read_bytes()
    for content in (right[:40], right.replace(b"600", b"601"), None):
        path.unlink() if content is None else path.write_bytes(content)
        claim(root, CONFIG, MADE)
        assert path.read_bytes() == right
        assert "lost or damaged" in capsys.readouterr().err


def test_another_config_is_refused_with_the_difference(root):
    with pytest.raises(UserError, match=r"was made with steps=600; now steps=7"):
        claim(root, Config(steps=7), MADE)
    (root / "config.json").write_text("{")
    with pytest.raises(UserError, match="lost or damaged"):
        claim(root, Config(steps=7), MADE)


def test_settings_that_were_added_since_had_their_defaults(root):
    plain = CONFIG.to_json()
    del plain["label_space"]
    (root / "config.json").write_text(json.dumps(plain))
    assert claim(root, CONFIG, MADE) == ()
    with pytest.raises(UserError, match="label_space=closed; now label_space=open"):
        claim(root, dataclasses.replace(CONFIG, label_space="open"), MADE)


def test_a_start_that_was_killed_leaves_a_directory_that_can_be_taken(root):
    (root / "config.json").unlink()  # written last
    (root / f".config.json.0123{PART}").write_text("{")
    refuse_foreign(root)
    assert claim(root, CONFIG, MADE) == ()
    assert not list(root.glob(f".*{PART}"))


def test_a_directory_with_other_things_is_no_run_directory(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not a run directory"):
        refuse_foreign(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(UserError, match="is a file"):
        refuse_foreign(tmp_path / "letter.txt")
    with pytest.raises(UserError, match="too long"):
        refuse_foreign(tmp_path / ("x" * 300))


def test_the_config_is_plain_json(root):
    assert json.loads((root / "config.json").read_text())["steps"] == 600
