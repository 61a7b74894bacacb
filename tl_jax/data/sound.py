"""Sound by file-name pattern: wav:PATH?label=REGEX&group=REGEX&only=GROUP."""

import io
import re
from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.assemble import make
from tl_jax.data.domain import Domain
from tl_jax.data.files import Files, chosen, is_archive, open_files
from tl_jax.data.spec import Spec, accept, find

FOLDER = r"([^/]+)/[^/]+$"


def load(spec: Spec, data_dir: str) -> Domain:
    r"""wav files of a folder, zip or tar. A pattern is searched in the name below PATH; its first group counts.

    label: the class, by default the folder the file is in. group: who speaks, or where; with only=G those files
    alone, and without it no group is in two splits. seconds=1.5 cuts or pads every wave to that length.
    Example: wav:recordings?label=^(\d)_&group=_(\w+)_&only=george
    """
    accept(spec, ("label", "group", "only", "seconds"))
    path = find(spec, spec.path, data_dir)
    if path.is_file() and not is_archive(path):
        raise UserError(f"{spec.text}: {path} is a file; a folder or an archive of wav files is needed.")
    files = open_files(path)
    files = chosen(files, [name for name in files.names if name.lower().endswith(".wav")])
    if not files.names:
        raise UserError(f"{spec.text}: there is no .wav file in {files.root}.")
    labels = _search(spec, files, "label", FOLDER)
    groups = np.array(_search(spec, files, "group", "")) if "group" in spec.options else None
    if "only" in spec.options:
        if groups is None:
            raise UserError(f"{spec.text}: only={spec.options['only']} needs group=REGEX.")
        if spec.options["only"] not in groups:
            raise unknown(f"group in {spec.text}:", spec.options["only"], sorted(set(groups.tolist())))
        rows = np.flatnonzero(groups == spec.options["only"])
        files, labels, groups = chosen(files, [files.names[i] for i in rows]), [labels[i] for i in rows], None
    x, rate = read_waves(files, _seconds(spec))
    return make(spec.text, x, np.array(labels), groups=groups, modality="sound", rate=rate)


def _seconds(spec: Spec) -> float:
    try:
        return float(spec.options.get("seconds", "0"))
    except ValueError:
        raise UserError(f"{spec.text}: seconds={spec.options['seconds']} is not a number.") from None


def _search(spec: Spec, files: Files, role: str, default: str) -> list[str]:
    """What the pattern of `role` finds in each name. Raises UserError for a bad pattern or a name without a match."""
    pattern = spec.options.get(role, default)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"{spec.text}: {role}={pattern} is not a regular expression ({error}).") from None
    found = [compiled.search(name) for name in files.names]
    missing = [name for name, match in zip(files.names, found, strict=True) if match is None]
    if missing:
        raise UserError(
            f"{spec.text}: {role}={pattern} matches {len(found) - len(missing)} of {len(found)} names; "
            f"not, for instance, {missing[0]}."
        )
    return [match.group(1 if compiled.groups else 0) for match in found if match]


def read_waves(files: Files, seconds: float = 0.0) -> tuple[np.ndarray, int]:
    """int16 [n, samples] with zeros after the end of each, and their rate in Hz; several channels are averaged.

    seconds: length of every row; 0 is the longest. Raises UserError for an unreadable file or two rates.
    """
    waves, rates = [], []
    for name in files.names:
        rate, wave = _wave(files, name)
        waves.append(wave)
        rates.append(rate)
    if len(set(rates)) > 1:
        other = next(i for i, rate in enumerate(rates) if rate != rates[0])
        raise UserError(
            f"{files.root}: {files.names[0]} has {rates[0]} Hz, {files.names[other]} {rates[other]} Hz. "
            "One rate is needed: resample the files first."
        )
    return padded(waves, round(seconds * rates[0])), rates[0]


def padded(waves: Sequence[np.ndarray], samples: int = 0) -> np.ndarray:
    """Waves of different lengths as int16 [n, samples]; 0 is the longest."""
    out = np.zeros((len(waves), samples or max(map(len, waves))), np.int16)
    for row, wave in zip(out, waves, strict=True):
        row[: len(wave)] = wave[: len(row)]
    return out


def _wave(files: Files, name: str) -> tuple[int, np.ndarray]:
    import warnings

    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that hold no sound
            rate, wave = wavfile.read(io.BytesIO(files.read(name)))
    except UserError:
        raise
    except Exception as error:  # a broken header ends in one of many
        raise UserError(f"{files.root}/{name} is not a wav file that can be read ({error}).") from None
    if wave.dtype == np.uint8:
        wave = (wave.astype(np.int16) - 128) * 256
    elif wave.dtype == np.int32:
        wave = wave >> 16
    elif wave.dtype.kind == "f":
        wave = np.clip(wave, -1, 1) * 32767
    if wave.ndim == 2:
        wave = wave.mean(1)
    if not len(wave):
        raise UserError(f"{files.root}/{name} holds no sound.")
    return rate, wave.astype(np.int16)
