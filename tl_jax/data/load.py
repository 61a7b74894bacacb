"""Domain specs: 'digits:printed', 'folder:PATH', 'office31/amazon?corrupt=fog@3', 'tfds:mnist' -> Domain."""

from collections.abc import Callable, Mapping

from tl_jax.core.errors import unknown
from tl_jax.data.benchmarks import table
from tl_jax.data.corruptions.table import named, of_domain
from tl_jax.data.domain import Domain
from tl_jax.data.embedded import digit_domains, digit_tasks, digits
from tl_jax.data.readers import arrays, folder, images, sound, svmlight, tables, tfds
from tl_jax.data.spec import CORRUPT, OWN, SCHEME_FREE, Spec, accept, parse, without
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
    spec = parse(text)
    if spec.scheme not in SCHEMES or not spec.path:
        raise unknown("domain", text, [*(f"digits:{known}" for known in DIGITS), *FORMS[1:], *table.BENCHMARKS])
    how = spec.options.get(CORRUPT, "")
    if CORRUPT in spec.options:
        named(how)  # before anything is read
    domain = SCHEMES[spec.scheme](without(spec, CORRUPT), data_dir)
    return of_domain(domain, how) if how else domain
