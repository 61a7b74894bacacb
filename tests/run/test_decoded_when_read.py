"""Training images that are decoded when they are drawn: the numbers of those decoded before, and what cannot be."""

from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from tiny import FAST, records, stop

import tl_jax
from tl_jax.core.errors import MachineError, UserError
from tl_jax.data.domain import Pictures, equal
from tl_jax.data.files import cache, decoder, decoders, pictures
from tl_jax.data.load import everything, load
from tl_jax.data.match.copies import seen_before
from tl_jax.data.match.match import matched
from tl_jax.data.pipeline.host_sampler import rows
from tl_jax.data.readers import images
from tl_jax.data.readers.folder import DRAWN as NOTE
from tl_jax.kinds.multitask.tasks import task_problem
from tl_jax.run.execute import streaming
from tl_jax.run.store.contents import of_domain
from tl_jax.training.state import Data
from tl_jax.training.step import sampler_key

DRAWN = "&decode=when_read"


@pytest.fixture(autouse=True)
def places(tmp_path_factory, monkeypatch):
    """A cache of its own, and two processes that decode, however many processors there are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(decoders, "workers", lambda: 2)


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """Two folders of three classes of noise, bright, middling and dark: 84 training images each."""
    found = []
    for name, shift in (("near", 0), ("far", 30)):
        rng, folder = np.random.default_rng(shift), tmp_path_factory.mktemp(name)
        for i in range(120):
            place = folder / "abc"[i % 3] / f"{i:03d}.png"
            place.parent.mkdir(exist_ok=True)
            noise = 60 * (i % 3) + shift + rng.integers(0, 60, (12, 10, 3))
            Image.fromarray(noise.astype(np.uint8)).save(place)
        found.append(f"folder:{folder}?size=8")
    return found


def fit(run_dir, specs, methods="mcc", **change):
    settings = {"seeds": 1, "devices": 1, **FAST, "steps": 12, "batch_size": 8, **change}
    return tl_jax.fit(*specs, methods, run_dir=str(run_dir), **settings)


def drawn(specs):
    return [spec + DRAWN for spec in specs]


def file_of(x, row=0):
    return Path(x._files.root) / x._files.names[row]


def late(x):
    """The first training image that seed 0 draws of the source in steps 8 to 11, and not before."""
    words = np.asarray(jax.random.key_data(sampler_key(0, "source0")))
    early, then = (rows(words, np.arange(*steps), 8, len(x)) for steps in ((0, 8), (8, 12)))
    return file_of(x, next(row for row in then if row not in early))


def test_such_sets_are_tasks_and_one_under_two_names_is_said(shops):
    near, far = map(load, drawn(shops))
    problem = task_problem([near, far])
    assert [task.name for task in problem.tasks] == [near.name, far.name]
    assert seen_before([near, far], None) == ()
    again = load(drawn(shops)[0].replace("size=8", "size=8&resize=8"))
    assert any("its training examples are those of" in note for note in matched([near], again)[1].notes)


@pytest.mark.exact
def test_numbers_are_those_of_images_decoded_before_also_after_a_stop(shops, tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "DECODED", 64)  # four steps a window
    fit(tmp_path / "a", shops)
    with monkeypatch.context() as patch:
        stop(patch, at="step 3/")
        assert not fit(tmp_path / "b", drawn(shops)).complete
    assert fit(tmp_path / "b", drawn(shops)).complete
    assert (tmp_path / "b" / "results.json").read_text().replace(DRAWN, "") == (tmp_path / "a/results.json").read_text()
    one, other = records(tmp_path / "a"), records(tmp_path / "b")
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.slow
def test_a_file_that_breaks_in_training_ends_the_run_where_it_can_go_on(shops, tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "DECODED", 16)  # a step a window
    victim = late(load(shops[0] + DRAWN).train.x)
    whole = victim.read_bytes()
    victim.write_bytes(whole[:90])
    with pytest.raises(UserError, match=rf"{victim.name} cannot be decoded.*until then is saved"):
        fit(tmp_path, drawn(shops))
    assert list(tmp_path.glob("stopped/*"))
    victim.write_bytes(whole)
    with pytest.raises(UserError, match=r"the examples of .*--accept_changes"):
        fit(tmp_path, drawn(shops))
    assert fit(tmp_path, drawn(shops), accept_changes=True).complete


def test_a_picture_is_read_as_it_would_have_been_and_all_of_them_are_never(shops, monkeypatch):
    kept, (domain, *_) = load(shops[0]), (load(spec) for spec in drawn(shops))
    x = domain.train.x
    assert isinstance(x, Pictures)
    assert f"84 {NOTE}" in domain.notes
    assert (x.shape, x.dtype, x.nbytes, len(x)) == (kept.train.x.shape, np.uint8, kept.train.x.nbytes, 84)
    for rows_ in (slice(3, 40), np.array([5, 2, 5]), 7, -1, domain.train.y == 1):
        np.testing.assert_array_equal(x[rows_], kept.train.x[rows_])
    np.testing.assert_array_equal(np.stack(list(x)), kept.train.x)
    np.testing.assert_array_equal(domain.test.x, kept.test.x)
    with pytest.raises(IndexError):
        x[84]
    for whole in (np.asarray, np.max, lambda x: x.reshape(84, -1), lambda x: np.concatenate([x, x])):
        with pytest.raises(UserError, match="Leave decode=when_read out"):
            whole(x)
    monkeypatch.setattr(pictures, "_MOST", 100)
    with pytest.raises(UserError, match="84 of them are asked for at once"):
        x[:]


def test_equal_files_are_equal_and_a_changed_one_is_noticed(shops):
    first, again = (load(shops[0] + DRAWN) for _ in range(2))
    assert equal(first.train.x, again.train.x)
    assert not equal(first.train.x, load(shops[1] + DRAWN).train.x)
    assert not equal(first.train.x, load(shops[0].replace("size=8", "size=9") + DRAWN).train.x)
    file_of(first.train.x).touch()
    after = of_domain(load(shops[0] + DRAWN))
    assert [key for key, value in of_domain(first).items() if value != after[key]] == ["train"]


def test_a_process_that_dies_is_replaced_and_one_that_always_does_is_said(shops, monkeypatch, tmp_path):
    x = load(shops[0] + DRAWN).train.x
    before = x[:40]
    for worker in decoders._IDLE:
        worker.process.kill()
        worker.process.wait()
    np.testing.assert_array_equal(x[:40], before)
    decoders.rest()
    (tmp_path / "dies.py").write_text("import sys; sys.stdin.buffer.read(9)")
    monkeypatch.setattr(decoder, "__file__", str(tmp_path / "dies.py"))
    with pytest.raises(MachineError, match=r"\.png: the process that decodes it died 3 times"):
        x[:40]
    monkeypatch.setattr(decoders.sys, "executable", str(tmp_path / "none"))
    np.testing.assert_array_equal(x[:40], before)  # by this process


def test_what_cannot_be_decoded_when_read_is_said_before_the_run(shops, tmp_path):
    near, far = shops
    with pytest.raises(UserError, match="corrupt=fog@3 is of images that are there"):
        load(near + DRAWN + "&corrupt=fog@3")
    with pytest.raises(UserError, match="Did you mean 'when_read'"):
        load(near + "&decode=when_reed")
    with pytest.raises(UserError, match="its images are 8x8x3 and stay so, but the other domains make it 9x9x3"):
        matched([load(near.replace("size=8", "size=9"))], load(far + DRAWN))
    with pytest.raises(UserError, match=f"{far}{DRAWN}: adabn looks at all of them at once".replace("?", ".")):
        fit(tmp_path / "run", (near, far + DRAWN), "adabn")
    assert not (tmp_path / "run").exists()
    assert len(everything(near + DRAWN, "", near + DRAWN, load(near)).train.x) == 120


def test_what_a_method_surveys_is_on_the_device_whole(shops):
    sets = Data(((load(shops[0]).train.x, np.zeros(84, np.int32)),), None)
    how = streaming.Draws(np.array([0], np.uint32), None, (8, 8), 2, {})
    assert streaming.plan(sets, how, 7000) is not None
    assert streaming.plan(sets, how._replace(whole={"source0": "tip_adapter"}), 7000) is None


def test_a_set_that_fills_the_disk_names_the_option(shops, monkeypatch, capsys):
    monkeypatch.setattr(images, "MUCH", 1000)
    monkeypatch.setattr(cache, "room", lambda: 2000)
    with pytest.raises(UserError, match=r"120 images decoded are 0 GB.*decode=when_read"):
        load(shops[0])
    monkeypatch.setattr(cache, "room", lambda: 10**6)
    for _ in range(2):
        load(shops[0])
    assert capsys.readouterr().err.count("before the first step. Without that: folder:PATH?decode=when_read.") == 1
