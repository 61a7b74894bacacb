"""Where a domain's files come from and lie, and whether they are the right ones."""

import hashlib
from pathlib import Path

from tl_jax.data.benchmarks import table
from tl_jax.data.benchmarks.record import described, needed, tfds_name
from tl_jax.data.check.prefetch import prepared_name
from tl_jax.data.files import cache
from tl_jax.data.load import DIGITS, FORMS
from tl_jax.data.readers import tfds
from tl_jax.data.spec import CORRUPT, SCHEME_FREE, data_folder, find, parse, without


def where(text: str, data_dir: str = "") -> str:
    """Page, folder, files with size and sha256 and whether they are there. Raises UserError for an unknown spec."""
    spec = without(parse(text), CORRUPT)
    if spec.scheme == "tfds":
        ready = "prepared" if tfds.prepared(spec.path, data_dir) else "not prepared"
        return f"{text}: {ready}; looked for in {' and '.join(tfds.folders(data_dir))}"
    if spec.scheme == "digits":
        return f"{text}: made from what scikit-learn and matplotlib ship; no file is needed"
    if spec.scheme != SCHEME_FREE:
        return f"{text}: {find(spec, spec.path, data_dir).absolute()}; decoded images in {cache.folder()}"
    benchmark, asked = table.asked_for(spec, data_dir)
    have = bool(data_folder(data_dir))
    unset = f"DATA_DIR/{benchmark.folder} (neither --data_dir nor TL_JAX_DATA is set)"
    lines = [
        f"{asked.name}: {benchmark.title}",
        f"page:   {benchmark.page}",
        f"folder: {asked.folder if have else unset}",
    ]
    for file in needed(benchmark, asked.domain):
        path = asked.folder / file.name.format(domain=asked.domain)
        lines.append(
            f"file:   {described(file, asked.domain)}: {_state(path, file.size, file.sha256) if have else '?'}"
        )
    if benchmark.layout:
        lines.append(f"or unpacked, with {benchmark.layout}")
    if benchmark.tfds:
        lines.append(f"or prepared by TensorFlow Datasets as {tfds_name(benchmark, asked)}")
    else:
        name = prepared_name(spec.path.partition("/")[0].partition("@")[0], asked.domain, asked.protocol)
        lines.append(f"'prefetch {name}' prepares it as a TFDS set in {tfds.own_folder()}")
    return "\n".join(lines)


def _state(path: Path, size: int, sha256: str) -> str:
    """'there', 'absent', or how the file differs from the one on record."""
    if not path.is_file():
        return "absent"
    found = path.stat().st_size
    if size and found != size:
        return f"there, but with {found} bytes instead of {size}"
    if not sha256:
        return "there"
    with open(path, "rb") as file:
        code = hashlib.file_digest(file, "sha256").hexdigest()
    return "there, sha256 as on record" if code == sha256 else f"there, but its sha256 is {code}"


def listing(data_dir: str = "") -> str:
    """Every form of spec, and every benchmark with its domains and protocols, those whose files are there marked."""
    folder = data_folder(data_dir)
    lines = [
        "specs: " + ", ".join(FORMS),
        "embedded: " + ", ".join(f"digits:{name}" for name in DIGITS),
        f"benchmarks (* the folder is under {folder or 'DATA_DIR, which is not set'}):",
    ]
    for name, benchmark in table.BENCHMARKS.items():
        there = "*" if folder and (Path(folder) / benchmark.folder).is_dir() else " "
        domains = [domain or "(all)" for domain in benchmark.domains]
        domains = f"/{{{','.join(domains[:8])}{',...' if len(domains) > 8 else ''}}}" if domains != ["(all)"] else ""
        protocols = [protocol for protocol in benchmark.protocols if protocol]
        suffix = f"@{{{','.join(protocols)}}}" if protocols else ""
        lines.append(f"{there} {name}{domains}{suffix}: {benchmark.title}")
    return "\n".join(lines)
