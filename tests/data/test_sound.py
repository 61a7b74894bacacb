"""Sound by file-name pattern."""

import io
import shutil

import numpy as np
import pytest
import scipy.io.wavfile

from tl_jax.core.errors import UserError
from tl_jax.data.load import load

PATTERN = r"?label=^(\d)_&group=_(\w+)_"


def wave(samples, rate=8000):
    buffer = io.BytesIO()
    scipy.io.wavfile.write(buffer, rate, samples)
    return buffer.getvalue()


@pytest.fixture
def spoken(tmp_path, write):
    """Two digits, three people, six recordings each, of different lengths; the person sets the loudness."""
    for digit in range(2):
        for loud, who in enumerate(("ann", "bob", "cy"), 1):
            for i in range(6):
                samples = np.full(20 + 3 * digit + i, 1000 * loud, np.int16)
                write(tmp_path / "rec" / f"{digit}_{who}_{i}.wav", wave(samples))
    return tmp_path / "rec"


def said(spec):
    with pytest.raises(UserError) as caught:
        load(spec)
    return str(caught.value)


def test_one_person_is_a_domain(spoken):
    domain = load(f"wav:{spoken}{PATTERN}&only=bob")
    assert (domain.modality, domain.rate, domain.classes) == ("sound", 8000, ("0", "1"))
    x = np.concatenate([part.x for part in domain.splits.values()])
    assert x.shape == (12, 28)
    assert x.dtype == np.int16
    assert set(np.unique(x)) == {0, 2000}
    assert (x[:, :20] == 2000).all()


def test_without_one_no_person_is_in_two_splits(spoken):
    domain = load(f"wav:{spoken}{PATTERN}")
    people = [set(part.x[:, 0]) for part in domain.splits.values()]
    assert sum(map(len, people)) == 3
    assert len(set.union(*people)) == 3


def test_an_archive_and_folders_as_classes(spoken, tmp_path):
    for name in ("0", "1"):
        (tmp_path / "by" / name).mkdir(parents=True)
        for path in spoken.glob(f"{name}_*"):
            shutil.copy(path, tmp_path / "by" / name)
    archive = shutil.make_archive(str(tmp_path / "by"), "zip", tmp_path / "by")
    domain = load(f"wav:{archive}?seconds=0.002")
    assert domain.classes == ("0", "1")
    assert domain.train.x.shape[1] == 16


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (np.full((10, 2), [100, 300], np.int16), 200),
        (np.full(10, 129, np.uint8), 256),
        (np.full(10, 0.5, np.float32), 16383),
        (np.full(10, 5 << 16, np.int32), 5),
    ],
)
def test_every_kind_of_wave_becomes_one_channel_of_16_bits(spoken, write, kind, expected):
    for path in spoken.iterdir():
        path.write_bytes(wave(kind))
    assert (load(f"wav:{spoken}{PATTERN}&only=ann").train.x == expected).all()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (PATTERN + "&only=bop", "Did you mean 'bob'?"),
        ("?label=^(\\d)_&only=bob", "only=bob needs group=REGEX"),
        ("?label=^(9)_", "label=^(9)_ matches 0 of 36 names; not, for instance, 0_ann_0.wav"),
        ("?label=(", "is not a regular expression"),
        ("?label=^(\\d)_&seconds=long", "seconds=long is not a number"),
    ],
)
def test_wrong_patterns_are_answered(spoken, query, message):
    assert message in said(f"wav:{spoken}{query}")


def test_two_rates_and_a_broken_file_are_named(spoken, write, tmp_path):
    write(spoken / "1_cy_9.wav", wave(np.ones(9, np.int16), 16000))
    assert "0_ann_0.wav has 8000 Hz, 1_cy_9.wav 16000 Hz" in said(f"wav:{spoken}{PATTERN}")
    write(spoken / "1_cy_9.wav", "RIFFjunk")
    assert "1_cy_9.wav is not a wav file" in said(f"wav:{spoken}{PATTERN}")
    (tmp_path / "none").mkdir()
    assert "no .wav file" in said(f"wav:{tmp_path}/none")
