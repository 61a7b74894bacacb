"""Sound by file-name pattern: wav:PATH?label=REGEX&group=REGEX&only=GROUP."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.domain import UNKNOWN, Domain, Examples
from tl_jax.data.files.containers import Files, chosen, counted, inside, is_archive, open_files
from tl_jax.data.files.waves import Wave, decode, resampled
from tl_jax.data.readers.assemble import checked, numbered, to_predict
from tl_jax.data.readers.levels import labelled, matches, search
from tl_jax.data.spec import Spec, accept, find, whole
from tl_jax.data.splits import Rows, given, split

OPTIONS = ("label", "group", "only", "seconds", "rate", "window", "hop")
LARGEST = 16 << 30
"""Bytes of all waves, padded to one length, that are held in memory."""
_OTHER_SOUND = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma")


class Cut(NamedTuple):
    """How recordings become examples, in seconds: cut or padded to `length` (0: the longest), or every `hop` a window.

    rate: to which they are brought; 0 is their own.
    """

    length: float = 0.0
    window: float = 0.0
    hop: float = 0.0
    rate: int = 0


WHOLE = Cut()


class Waves(NamedTuple):
    """int16 [n, samples] with zeros after the end of each, their rate, the file [n] each is from, where, and notes."""

    x: np.ndarray
    rate: int
    owner: np.ndarray
    begins: np.ndarray
    notes: tuple[str, ...]


def load(spec: Spec, data_dir: str) -> Domain:
    r"""wav files of a folder, zip or tar. A pattern is searched in the name below PATH; its first group counts.

    label: the class, by default the folder the file is in; where no file is in one, no label is known. group: who
    speaks, or where; with only=G those files alone, and without it no group is in two splits. Without either, folders
    named train and test above the others give the splits. rate=8000 resamples.
    seconds=1.5 cuts or pads every wave to that length; window=1&hop=0.5 cuts long recordings, whose windows stay in
    one split. Example: wav:recordings?label=^(\d)_&group=_(\w+)_&only=george
    """
    accept(spec, OPTIONS)
    cut = _cut(spec)
    files, notes = _sound_files(spec, data_dir)
    files, labels, part, said = labelled(spec, files)
    notes += said
    groups = np.array(search(spec, files, "group")) if "group" in spec.options else None
    if "only" in spec.options:
        if groups is None:
            raise UserError(f"{spec.text}: only={spec.options['only']} needs group=REGEX.")
        if spec.options["only"] not in groups:
            raise unknown(f"group in {spec.text}:", spec.options["only"], sorted(set(groups.tolist())))
        rows = np.flatnonzero(groups == spec.options["only"])
        files, labels, groups = chosen(files, [files.names[i] for i in rows]), [labels[int(i)] for i in rows], None
    waves = read_waves(files, cut)
    y, classes = np.full(len(files.names), UNKNOWN, np.int32), ()
    if has := [i for i, label in enumerate(labels) if label is not None]:
        y[has], classes = numbered(spec.text, np.array([labels[i] for i in has], np.str_), None, "classes")
    if groups is not None and len(set(groups.tolist())) < 3 and not spec.whole:
        raise UserError(f"{spec.text}: {len(set(groups))} groups; three splits that share none need at least three.")
    every = np.arange(len(y))
    drawn = split(y, groups=groups) if part is None else given(y, part)
    rows = _of_windows(Rows(every, every, every) if spec.whole else drawn, waves.owner)
    parts = [Examples(waves.x[part], y[waves.owner[part]]) for part in rows]
    ids = {name: _ids(files, waves, part, cut) for name, part in rows._asdict().items()}
    kept = {"modality": "sound", "rate": waves.rate, "ids": ids, "notes": (*notes, *waves.notes)}
    return (to_predict if spec.whole else _checked)(spec.text, classes, *parts, **kept)


def _checked(*given: Any, **kept: Any) -> Domain:
    return checked(Domain(*given, **kept))


def _sound_files(spec: Spec, data_dir: str) -> tuple[Files, tuple[str, ...]]:
    """The wav files of a spec, and notes. Raises UserError where there is none."""
    path = find(spec, spec.path, data_dir)
    if path.is_file() and not is_archive(path):
        raise UserError(f"{spec.text}: {path} is a file; a folder or an archive of wav files is needed.")
    files = open_files(path)
    is_wav = lambda name: name.lower().endswith((".wav", ".wave"))
    if path.is_file() and ("label" not in spec.options or not any(matches(spec, files, "label", ""))):
        files = inside(files, is_wav)
    others = [name for name in files.names if name.lower().endswith(_OTHER_SOUND)]
    notes = (*files.notes, *counted(len(others), "sound files are no wav files and are left out", others))
    files = chosen(files, [name for name in files.names if is_wav(name)])
    if not files.names:
        raise UserError(f"{spec.text}: there is no .wav file in {files.root}{''.join(f'; {note}' for note in notes)}.")
    return files, notes


def _cut(spec: Spec) -> Cut:
    """How the spec says that recordings are cut. Raises UserError for what is no length."""
    found = {}
    for name in ("seconds", "window", "hop"):
        try:
            found[name] = float(spec.options.get(name, "0"))
        except ValueError:
            raise UserError(f"{spec.text}: {name}={spec.options[name]} is not a number.") from None
        if name in spec.options and not 0 < found[name] <= 86400:
            raise UserError(f"{spec.text}: {name}={spec.options[name]}; seconds above 0 and up to a day are needed.")
    if found["hop"] and not found["window"]:
        raise UserError(f"{spec.text}: hop={spec.options['hop']} needs window=SECONDS.")
    if found["window"] and found["seconds"]:
        raise UserError(f"{spec.text}: seconds= and window= are two ways to one length: leave one of them out.")
    rate = whole(spec, "rate", 0, 0)
    if "rate" in spec.options and not 100 <= rate <= 768000:
        raise UserError(f"{spec.text}: rate={rate}; a rate from 100 to 768000 Hz is needed.")
    return Cut(found["seconds"], found["window"], found["hop"] or found["window"], rate)


def read_waves(files: Files, cut: Cut = WHOLE) -> Waves:
    """The waves of all files, cut as `cut` says. Raises UserError for an unreadable file or two rates."""
    found = [decode(f"{files.root}/{name}", files.read(name)) for name in files.names]
    rates = [wave.rate for wave in found]
    if len(set(rates)) > 1 and not cut.rate:
        other = next(i for i, rate in enumerate(rates) if rate != rates[0])
        raise UserError(
            f"{files.root}: {files.names[0]} has {rates[0]} Hz, {files.names[other]} {rates[other]} Hz. "
            f"One rate is needed: ?rate={min(rates)} (&rate={min(rates)} after another option) resamples them."
        )
    rate = cut.rate or rates[0]
    waves = [resampled(wave.samples, wave.rate, rate) for wave in found]
    notes = _said(found, rate)
    starts = [np.zeros(1, np.int64)] * len(waves)
    samples = round(cut.length * rate) or max(map(len, waves))
    if cut.window:
        samples, hop = max(1, round(cut.window * rate)), max(1, round(cut.hop * rate))
        starts = [np.arange(1 + max(0, len(wave) - samples) // hop) * hop for wave in waves]
        notes.append(f"{len(waves)} recordings are cut into {sum(map(len, starts))} windows of {cut.window:g} s")
    elif cut.length and (longer := sum(len(wave) > samples for wave in waves)):
        notes.append(f"{longer} of {len(waves)} recordings are longer than {cut.length:g} s and are cut")
    if (total := sum(map(len, starts)) * samples * 2) > LARGEST:
        raise UserError(
            f"{files.root}: {sum(map(len, starts))} waves of {samples / rate:g} s take {total / 1e9:.0f} GB. "
            "Give a shorter ?seconds=, or ?window= and ?hop= that cut long recordings."
        )
    pieces = [wave[start : start + samples] for wave, some in zip(waves, starts, strict=True) for start in some]
    owner = np.repeat(np.arange(len(waves)), [len(some) for some in starts])
    return Waves(padded(pieces, samples), rate, owner, np.concatenate(starts) / rate, tuple(notes))


def _said(found: Sequence[Wave], rate: int) -> list[str]:
    """What was done to how many recordings."""
    rates = Counter(wave.rate for wave in found)
    marks = Counter(mark for wave in found for mark in wave.marks)
    words = {"mixed": "have several channels, which are averaged", "clipped": "go beyond full scale and are clipped"}
    return [f"{n} recordings are resampled from {old} to {rate} Hz" for old, n in rates.items() if old != rate] + [
        f"{marks[mark]} of {len(found)} recordings {said}" for mark, said in words.items() if marks[mark]
    ]


def padded(waves: Sequence[np.ndarray], samples: int = 0) -> np.ndarray:
    """Waves of different lengths as int16 [n, samples]; 0 is the longest."""
    out = np.zeros((len(waves), samples or max(map(len, waves))), np.int16)
    for row, wave in zip(out, waves, strict=True):
        row[: len(wave)] = wave[: len(row)]
    return out


def _of_windows(rows: Rows, owner: np.ndarray) -> Rows:
    """Rows of windows, mixed, from rows of files."""
    if len(owner) == owner[-1] + 1:
        return rows
    rng = np.random.default_rng(0)
    return Rows(*(rng.permutation(np.flatnonzero(np.isin(owner, part))) for part in rows))


def _ids(files: Files, waves: Waves, rows: np.ndarray, cut: Cut) -> np.ndarray:
    """What the examples are called: their files, windows with their beginning."""
    names = [files.names[i] for i in waves.owner[rows]]
    if cut.window:
        names = [f"{name} at {begin:g} s" for name, begin in zip(names, waves.begins[rows], strict=True)]
    return np.array(names, np.str_)
