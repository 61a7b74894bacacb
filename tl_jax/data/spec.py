"""The grammar of a domain's spec: SCHEME:PATH#LIST?option=value&option=value, or NAME/DOMAIN@PROTOCOL?options."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.files.containers import refuse_html
from tl_jax.data.files.pictures import ASKED as ASKED
from tl_jax.data.files.pictures import OPTION as OPTION
from tl_jax.data.files.pictures import WHEN_READ as WHEN_READ
from tl_jax.naming.own_code import is_own, parts

SCHEME_FREE = ""
CORRUPT = "corrupt"
"""The option of every spec of images: ?corrupt=fog@3 (data/corruptions)."""
OWN = "py"
"""The scheme of a reader of the user's own, mine.py:load(path='x'): what it is called with is all it is told."""


class Spec(NamedTuple):
    """A spec in its parts; `text` is what was written, `path` a file, a folder or a name.

    whole: every example is wanted in its order, for prediction: files are not split, and may hold one example.
    """

    text: str
    scheme: str
    path: str
    fragment: str
    options: Mapping[str, str]
    whole: bool = False


def parse(text: str) -> Spec:
    """The parts of a spec. A value may hold anything but '&' and '%', written %26 and %25.

    'folder:/data/shop#split.csv?size=96' -> scheme folder, path /data/shop, fragment split.csv, {"size": "96"};
    'usps@7291' -> no scheme, path usps@7291. Raises UserError where an option is not name=value, or is given twice.
    """
    if is_own(text):
        return Spec(text, OWN, parts(text)[0], "", {})
    front, _, query = text.partition("?")
    scheme, colon, path = front.partition(":")
    if not colon or "/" in scheme or "@" in scheme:
        scheme, path = SCHEME_FREE, front
    path, _, fragment = path.partition("#")
    options = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise UserError(f"{text}: '{pair}' is not name=value. Options follow '?' and are separated by '&'.")
        if name in options:
            raise UserError(f"{text}: the option {name}= is given twice; one of them would not count. Leave one out.")
        options[name] = unquote(value)
    return Spec(text, scheme, path, fragment, options)


def without(spec: Spec, name: str) -> Spec:
    """The spec as it is without one of its options."""
    return spec._replace(options={option: value for option, value in spec.options.items() if option != name})


def accept(spec: Spec, names: Sequence[str], listed: bool = False) -> None:
    """Raises UserError if the spec has an option other than these, or a part after '#' that nothing reads.

    listed: the part after '#' is read.
    """
    if spec.fragment and not listed:
        raise UserError(f"{spec.text}: nothing reads the part after '#'. Only folder:PATH#LIST has one.")
    for name in spec.options:
        if name not in names:
            raise unknown(f"option of {spec.scheme or spec.path}", name, names)


def whole(spec: Spec, name: str, default: int, least: int = 1, most: int = 2**31 - 1) -> int:
    """An option that is a whole number from `least` to `most`. Raises UserError if it is not."""
    text = spec.options.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise UserError(f"{spec.text}: {name}={text}; a whole number of at least {least} is needed.")
    if value > most:
        raise UserError(f"{spec.text}: {name}={text}; at most {most} is possible.")
    return value


def choice(spec: Spec, name: str, choices: Sequence[str]) -> str:
    """An option that is one of a few words, the first by default. Raises UserError for another word."""
    value = spec.options.get(name, choices[0])
    if value not in choices:
        raise unknown(f"{name} in {spec.text}:", value, choices)
    return value


def data_folder(data_dir: str) -> str:
    """--data_dir, or else the environment's TL_JAX_DATA, or else ''."""
    return os.path.expanduser(data_dir or os.environ.get("TL_JAX_DATA", ""))


def find(spec: Spec, path: str, data_dir: str) -> Path:
    """The file or folder of a spec: under the working directory, then under the data folder.

    Raises UserError that names every place looked at.
    """
    folder = data_folder(data_dir)
    try:
        places = [Path(path).expanduser()]
    except RuntimeError:  # ~somebody, or ~ without a home directory
        places = [Path(path)]
    if folder and not places[0].is_absolute():
        places.append(Path(folder) / path)
    for place in places:
        with contextlib.suppress(OSError, ValueError):  # a name that is too long, or holds a byte of zero
            if place.exists():
                return place
    hint = "" if folder else " Relative paths are also looked up under --data_dir (or TL_JAX_DATA), which is not set."
    raise UserError(f"{spec.text}: there is no {' nor '.join(str(p.absolute()) for p in places)}.{hint}")


def data_file(spec: Spec, path: str, data_dir: str) -> Path:
    """As `find`, but one file that can be read. Raises UserError for a folder, a web page, or one without the right."""
    found = find(spec, path, data_dir)
    if not found.is_file():
        raise UserError(f"{spec.text}: {found} is a folder. One file is needed here; folder:PATH reads images.")
    try:
        refuse_html(found)
    except OSError as error:
        raise UserError(f"{spec.text}: {found} cannot be read ({error.strerror}).") from None
    return found
