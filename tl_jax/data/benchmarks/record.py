"""What is known of a benchmark: its page, its files, its domains and protocols, and how it is read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.domain import Domain
from tl_jax.data.readers.folder import Listing
from tl_jax.data.readers.images import OPTIONS, Look


class File(NamedTuple):
    """A file below the benchmark's folder, {domain} filled in; size in bytes or 0, sha256 or '', if not known.

    domains: which it is needed for; () is all. `instead`: another file of the record that does as well.
    """

    name: str
    size: int = 0
    sha256: str = ""
    domains: tuple[str, ...] = ()
    instead: str = ""


class Asked(NamedTuple):
    """A benchmark's domain under a protocol, its files looked for in `folder`; options as in the spec."""

    name: str
    domain: str
    protocol: str
    folder: Path
    options: Mapping[str, str]


class Benchmark(NamedTuple):
    """One row of the table of benchmarks.

    folder: below --data_dir. layout: an example of a path there after unpacking. domains: ("",) where there is one.
    protocols: the first is meant where the spec names none. look: the size and channels of images unless the spec says
    otherwise; None where there are none. read: the domain (image files as a listing that is
    not decoded yet), or None where no file is there. tfds: the same set in TensorFlow Datasets, with {domain} and
    {protocol} filled in, or ''.
    """

    title: str
    page: str
    folder: str
    files: tuple[File, ...]
    read: Callable[[Asked], Domain | Listing | None]
    domains: tuple[str, ...] = ("",)
    protocols: tuple[str, ...] = ("",)
    layout: str = ""
    tfds: str = ""
    look: Look | None = None


def resolved(name: str, benchmark: Benchmark, rest: str, folder: str, options: Mapping[str, str]) -> Asked:
    """What '/DOMAIN@PROTOCOL' after a benchmark's name asks for. Raises UserError for one it does not have."""
    domain, at, protocol = rest.removeprefix("/").partition("@")
    if domain not in benchmark.domains:
        choices = [f"{name}/{known}" if known else name for known in benchmark.domains]
        if not domain:
            raise UserError(f"{name} has several domains: name one of {', '.join(choices)}.")
        raise unknown("domain", f"{name}/{domain}", choices)
    if at and protocol not in benchmark.protocols:
        raise unknown(f"protocol of {name}:", protocol, filter(None, benchmark.protocols))
    protocol = protocol or benchmark.protocols[0]
    for option in options:
        if benchmark.look is None or option not in OPTIONS:
            raise unknown(f"option of {name}:", option, OPTIONS if benchmark.look else ["(none)"])
    full = (f"{name}/{domain}" if domain else name) + (f"@{protocol}" if protocol else "")
    return Asked(full, domain, protocol, Path(folder) / benchmark.folder, options)


def needed(benchmark: Benchmark, domain: str) -> list[File]:
    """The files of a domain."""
    return [file for file in benchmark.files if not file.domains or domain in file.domains]


def described(file: File, domain: str) -> str:
    """'train.zip (24426788 bytes, sha256 72c8e36b...)', with what is known."""
    known = [f"{file.size} bytes"] * bool(file.size) + [f"sha256 {file.sha256}"] * bool(file.sha256)
    text = f"{file.name} ({', '.join(known) or 'size and sha256 not recorded'})"
    return (f"{text} or {file.instead}" if file.instead else text).format(domain=domain)


def absent(benchmark: Benchmark, asked: Asked, have_folder: bool) -> UserError:
    """Where it was looked for, its page, its files, and where to put them."""
    files = "; ".join(described(file, asked.domain) for file in needed(benchmark, asked.domain))
    unpacked = f", or unpack so that {asked.folder / benchmark.layout} exists" if benchmark.layout else ""
    tfds = f" Or prepare it with TensorFlow Datasets: {tfds_name(benchmark, asked)}." if benchmark.tfds else ""
    where = asked.folder if have_folder else f"DATA_DIR/{benchmark.folder}"
    unset = "" if have_folder else " Neither --data_dir nor TL_JAX_DATA is set."
    return UserError(
        f"{asked.name} not found at {where}.{unset} There is no automatic download. Official page: {benchmark.page} ; "
        f"expected: {files}. Put them into {where}{unpacked}.{tfds}"
    )


def tfds_name(benchmark: Benchmark, asked: Asked) -> str:
    """The spec of the same domain in TensorFlow Datasets, after 'tfds:'."""
    return benchmark.tfds.format(domain=asked.domain, protocol=asked.protocol)
