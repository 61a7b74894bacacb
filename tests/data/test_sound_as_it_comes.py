"""Recordings as people have them: widths, rates, lengths, other formats under a wav file's name."""

import struct

import numpy as np
import pytest
from test_sound import said, wave

from tl_jax.core.errors import UserError
from tl_jax.data.files import waves
from tl_jax.data.load import load


def tone(seconds, rate=8000, hertz=440, loud=8000):
    return (loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


@pytest.fixture
def rooms(tmp_path, write):
    """Two classes of ten recordings; the first three have 16 kHz."""
    for c, name in enumerate(("high", "low")):
        for i in range(10):
            rate = 16000 if i < 3 else 8000
            write(tmp_path / "rooms" / name / f"{i}.wav", wave(tone(0.5 + 0.01 * i, rate, 900 - 600 * c), rate))
    return tmp_path / "rooms"


def everything(domain):
    return np.concatenate([part.x for part in domain.splits.values()])


def noted(domain, part):
    assert any(part in note for note in domain.notes), domain.notes


def raw(data, width, rate=8000, form=1, size=None):
    """A wav file of one channel with its header written by hand."""
    size = len(data) if size is None else size
    head = struct.pack("<4sI4s", b"RIFF", min(36 + size, 0xFFFFFFFF), b"WAVE")
    head += struct.pack("<4sIHHIIHH", b"fmt ", 16, form, 1, rate, rate * width, width, 8 * width)
    return head + struct.pack("<4sI", b"data", size) + data


def test_mixed_rates_are_resampled_where_the_spec_says_so(rooms):
    assert "One rate is needed: ?rate=8000" in said(f"wav:{rooms}")
    domain = load(f"wav:{rooms}?rate=8000")
    assert domain.rate == 8000
    noted(domain, "6 recordings are resampled from 16000 to 8000 Hz")
    x = {n: row for s, part in domain.splits.items() for n, row in zip(domain.ids[s], part.x, strict=True)}
    for name in ("high/0.wav", "high/5.wav"):
        spectrum = np.abs(np.fft.rfft(x[name][:4000]))
        assert abs(spectrum.argmax() * 2 - 900) <= 4
        assert x[name].max() == pytest.approx(8000, rel=0.05)


def test_long_recordings_are_cut_into_windows_that_stay_in_one_split(rooms):
    domain = load(f"wav:{rooms}?rate=8000&window=0.1&hop=0.05")
    assert domain.train.x.shape[1] == 800
    owners = {s: {name.partition(" at ")[0] for name in names} for s, names in domain.ids.items()}
    assert sum(map(len, owners.values())) == 20 == len(set.union(*owners.values()))
    assert "high/5.wav at 0.05 s" in np.concatenate(list(domain.ids.values()))
    noted(domain, "20 recordings are cut into")
    assert len(everything(domain)) == len(np.concatenate(list(domain.ids.values()))) == 9 * 20 + 2 * 5


def test_recordings_without_folders_have_no_labels(rooms, tmp_path):
    (tmp_path / "flat").mkdir()
    for path in (rooms / "low").glob("[3-9].wav"):
        path.rename(tmp_path / "flat" / path.name)
    domain = load(f"wav:{tmp_path}/flat")
    assert not domain.labelled
    noted(domain, "the labels are unknown")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("seconds=nan", "seconds=nan; seconds above 0"),
        ("seconds=-1", "seconds=-1; seconds above 0"),
        ("seconds=1e12", "seconds=1e12; seconds above 0"),
        ("seconds=0", "seconds=0; seconds above 0"),
        ("hop=0.1", "hop=0.1 needs window=SECONDS"),
        ("window=1&seconds=1", "leave one of them out"),
        ("rate=0", "rate=0; a rate from 100"),
        ("rate=999999", "a rate from 100"),
        ("rate=8000&seconds=80000", "waves of 80000 s take"),
        ("rate=8000&label=(x)?high|low", "matches 0 of 20 names; not, for instance, high/0.wav"),
    ],
)
def test_lengths_rates_and_patterns_that_mean_nothing_are_answered(rooms, query, message, monkeypatch):
    from tl_jax.data.readers import sound

    monkeypatch.setattr(sound, "LARGEST", 1 << 30)
    assert message in said(f"wav:{rooms}?{query}")


def test_every_width_becomes_sixteen_bits():
    low = np.array([0, 1, -1, 20000, -20000], "<i4")
    wide = b"".join(struct.pack("<i", v << 8)[:3] for v in low.tolist())
    np.testing.assert_array_equal(waves.decode("w", raw(wide, 3)).samples, low)
    np.testing.assert_array_equal(waves.decode("w", raw((low << 16).tobytes(), 4)).samples, low)
    found = waves.decode("w", raw(np.array([0.5, 1.5, -2], "<f8").tobytes(), 8, form=3))
    np.testing.assert_array_equal(found.samples, [16383, 32767, -32767])
    assert found.marks == ("clipped",)
    stereo = waves.decode("w", wave(np.array([[100, 300], [0, 0]], np.int16)))
    assert (stereo.samples[0], stereo.marks) == (200, ("mixed",))


OTHER = {
    "flac": (b"fLaC" + bytes(40), "is not a wav file but FLAC"),
    "mp3": (b"ID3\x04" + bytes(40), "is not a wav file but MP3"),
    "mp3 without a tag": (b"\xff\xfb\x90" + bytes(40), "is not a wav file but MP3"),
    "m4a": (bytes(4) + b"ftypM4A " + bytes(40), "is not a wav file but MP4"),
    "ogg": (b"OggS" + bytes(40), "is not a wav file but Ogg"),
    "text": (b"hello", "is not a wav file that can be read"),
    "nothing": (b"", "is not a wav file that can be read"),
    "half a file": (
        raw(bytes(100), 2, size=4000),
        "promises 4000 bytes of sound and holds 100: it was",
    ),
    "no sound": (raw(b"", 2), "holds no sound"),
    "no rate": (raw(bytes(100), 2, rate=0), "is not a wav file that can be read"),
    "floats as large as integers": (raw(np.full(9, 9e3, "<f4").tobytes(), 4, form=3), "floats up to 9000"),
    "floats that are none": (raw(np.full(9, np.nan, "<f4").tobytes(), 4, form=3), "floats up to nan"),
}


@pytest.mark.parametrize("kind", OTHER)
def test_what_is_no_sound_is_named(kind):
    data, message = OTHER[kind]
    with pytest.raises(UserError) as caught:
        waves.decode("a/b.wav", data)
    assert str(caught.value).startswith("a/b.wav")
    assert message in str(caught.value)


def test_a_size_left_open_means_to_the_end():
    found = waves.decode("w", raw(np.arange(50, dtype="<i2").tobytes(), 2, size=0xFFFFFFFF))
    np.testing.assert_array_equal(found.samples, np.arange(50))


def test_other_sound_files_are_counted(rooms, write):
    write(rooms / "high" / "x.mp3", b"ID3")
    noted(load(f"wav:{rooms}?rate=8000"), "1 sound files are no wav files and are left out (first: high/x.mp3)")


def test_folders_of_splits_are_the_splits(tmp_path, write):
    for split, n in (("train", 20), ("test", 10)):
        for i in range(n):
            write(tmp_path / split / "ab"[i % 2] / f"{split}{i}.wav", wave(np.full(20, i + 1, np.int16)))
    domain = load(f"wav:{tmp_path}")
    assert "the splits are those of the folders" in domain.notes
    assert all(name.startswith("test/") for name in domain.ids["test"])
    assert [len(part.y) for part in domain.splits.values()] == [18, 2, 10]
    assert load(rf"wav:{tmp_path}?label=/(.)/").ids["test"].tolist() == domain.ids["test"].tolist()
    assert len(load(rf"wav:{tmp_path}?group=(\d)\.wav").train.y) != 18


def test_channels_that_cancel_are_no_silence(tmp_path, write):
    write(tmp_path / "a" / "1.wav", wave(np.stack([tone(0.1), -tone(0.1)], 1)))
    assert "each other's opposite" in said(f"wav:{tmp_path}")
