"""Domain specs: 'digits:printed', 'folder:PATH', 'office31/amazon?corrupt=fog@3', 'tfds:mnist' -> Domain."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.benchmarks import table
from tl_jax.data.corruptions.table import named, of_domain
from tl_jax.data.domain import Domain
from tl_jax.data.embedded import digit_domains, digit_tasks, digits
from tl_jax.data.match.like import joined
from tl_jax.data.readers import arrays, folder, images, sound, svmlight, tables, tfds
from tl_jax.data.spec import ASKED, CORRUPT, OPTION, OWN, SCHEME_FREE, WHEN_READ, Spec, accept, parse, without
from tl_jax.naming import calls

DIGITS: Mapping[str, Callable[[], Domain]] = {
    "handwritten": digits.handwritten,
    "printed": digits.printed,
    "photo": digits.photo,
    "parity": digit_tasks.parity,
    "mass": digit_tasks.mass,
    "printed_angle": digit_tasks.printed_angle,
    "handwritten_angle": digit_tasks.handwritten_angle,
}


def _digits(spec: Spec, data_dir: str) -> Domain:
    if spec.path not in DIGITS:
        raise unknown("domain", spec.text, [f"digits:{known}" for known in DIGITS])
    accept(spec, (*images.OPTIONS, *digit_domains.OPTIONS))
    domain = digit_domains.as_asked(DIGITS[spec.path](), spec)
    return images.brought(domain, images.look(spec, images.Look(digits.SIDE, digits.SIDE)))


def _own(spec: Spec, data_dir: str) -> Domain:
    return calls.parse(spec.text, {}, "reader", (Domain,))()


SCHEMES: Mapping[str, Callable[[Spec, str], Domain]] = {
    "digits": _digits,
    "folder": folder.load,
    "npz": arrays.npz,
    "mat": arrays.mat,
    "svmlight": svmlight.load,
    "csv": tables.load,
    "wav": sound.load,
    "tfds": tfds.load,
    OWN: _own,
    SCHEME_FREE: table.load,
}
"""{scheme: reader}; what has no scheme is the name of a benchmark."""
FORMS = (
    "digits:NAME",
    "folder:PATH",
    "npz:PATH",
    "mat:PATH",
    "svmlight:PATH",
    "csv:PATH",
    "wav:PATH",
    "tfds:NAME",
    "FILE.py:READER(...)",
)


def load(text: str, data_dir: str = "") -> Domain:
    """The domain a spec names. Raises UserError for an unknown spec or absent or broken files."""
    return _read(parse(text), data_dir)


def _read(spec: Spec, data_dir: str) -> Domain:
    if spec.scheme not in SCHEMES or not spec.path:
        raise unknown("domain", spec.text, [*(f"digits:{known}" for known in DIGITS), *FORMS[1:], *table.BENCHMARKS])
    how = spec.options.get(CORRUPT, "")
    if CORRUPT in spec.options:
        named(how)  # before anything is read
        if spec.options.get(OPTION) == WHEN_READ and not spec.whole:
            raise UserError(
                f"{spec.text}: {CORRUPT}={how} is of images that are there, before a run: leave {ASKED} out."
            )
    domain = SCHEMES[spec.scheme](without(spec, CORRUPT), data_dir)
    return of_domain(domain, how) if how else domain


PATHS = {
    ".npz": "npz",
    ".mat": "mat",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".svm": "svmlight",
    ".svmlight": "svmlight",
    ".libsvm": "svmlight",
}
"""{ending of a file: the scheme that reads it}; folders, archives and pictures are read as pictures, or as sound."""
OF_ONE = ("x_val", "y_val", "x_test", "y_test", "test", CORRUPT, OPTION)
"""Options of one set, as which another is not read."""


def everything(text: str, data_dir: str, before: str, like: Domain) -> Domain:
    """Every example of a spec or a path in its order, once, in train; files are not split, one example is enough.

    before: the spec of the domain `like`, as which a path is read where their schemes are one. Pictures take its size,
    arrays its modality. Raises UserError as `load` does.
    """
    was, spec = without(parse(before), CORRUPT), parse(text)
    if spec.scheme == SCHEME_FREE and spec.path.partition("/")[0].partition("@")[0] not in table.BENCHMARKS:
        spec = _of_path(text, spec, was, like)
    usual: dict[str, str] = {}
    if spec.scheme == "folder" and not set(images.OPTIONS) & set(spec.options):
        usual = _size(was, like)
    if spec.scheme in ("npz", "mat"):
        usual = {"modality": like.modality}
        if like.modality == "text":
            usual["vocabulary"] = str(like.vocabulary)
    spec = spec._replace(options={**usual, **spec.options}, whole=True)
    # A corruption draws by split and row: where each split is the whole file, one of them alone.
    if (how := spec.options.get(CORRUPT)) and spec.scheme in ("folder", "npz", "mat"):
        return of_domain(joined(_read(without(spec, CORRUPT), data_dir)), how)
    return joined(_read(spec, data_dir))


def _of_path(text: str, spec: Spec, was: Spec, like: Domain) -> Spec:
    """A path as a spec, with the options of the former one where it is read in the same way."""
    path = text if Path(text).expanduser().exists() else spec.path
    place = Path(path).expanduser()
    if not place.exists():
        raise UserError(f"{text}: there is no such file or folder, and no data set is called so (tl-jax data list).")
    endings = [suffix.lower() for suffix in place.suffixes[-2:]]
    files = "wav" if like.modality == "sound" else "folder"
    scheme = files if place.is_dir() else next((PATHS[ending] for ending in endings if ending in PATHS), files)
    given = {} if path == text else spec.options
    usual = {name: value for name, value in was.options.items() if name not in OF_ONE}
    options = {**(usual if was.scheme == scheme else {}), **given}
    return Spec(f"{scheme}:{text}", scheme, path, "" if path == text else spec.fragment, options)


def _size(was: Spec, like: Domain) -> dict[str, str]:
    """How pictures are brought to the size of those of a domain: as it was read itself, else as large as it is."""
    h, w, c = like.train.x.shape[1:] if like.modality == "image" else (images.DEFAULT.size,) * 2 + (3,)
    how = images.Look(min(h, w), min(h, w), c)
    if was.scheme == "folder":
        how = images.look(was)
    elif was.scheme == SCHEME_FREE and (look := table.asked_for(was, "")[0].look):
        how = images.look(was, look)
    return {"size": str(how.size), "resize": str(how.resize), "channels": str(how.channels)}
