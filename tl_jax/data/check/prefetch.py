"""What can be done before a run: decode into the cache, or prepare a set of TensorFlow Datasets."""

import importlib.util
import subprocess
import sys

from tl_jax.core.errors import UserError
from tl_jax.data.benchmarks import table
from tl_jax.data.benchmarks.record import absent
from tl_jax.data.check import tfds_builders
from tl_jax.data.files import cache
from tl_jax.data.load import load
from tl_jax.data.readers import tfds
from tl_jax.data.readers.images import DEFAULT
from tl_jax.data.spec import Spec, data_folder, parse


def prefetch(text: str, data_dir: str = "") -> str:
    """Read a domain once and say where it is kept: decoded images in the cache, 'tfds:NAME' as array_record.

    'tfds:office31/amazon-split' prepares a benchmark of ours from its original files; another TFDS set is prepared
    by TFDS itself, which needs TensorFlow. Raises UserError.
    """
    spec = parse(text)
    if spec.scheme == "tfds" and not tfds.prepared(spec.path, data_dir):
        name = spec.path.partition("/")[0]
        ours = name in table.BENCHMARKS and not table.BENCHMARKS[name].tfds
        where = _ours(spec, data_dir) if ours else _stock(spec.path)
        return f"{text} is prepared in {where}."
    domain = load(text, data_dir)
    sizes = ", ".join(f"{len(part.y)} {split}" for split, part in domain.splits.items())
    cached = f"; decoded images are kept in {cache.folder()}" if domain.modality == "image" else ""
    return f"{domain.name} is ready: {sizes}{cached}."


def prepared_name(name: str, domain: str, protocol: str) -> str:
    """The spec under which a benchmark of ours is prepared: 'tfds:office31/amazon-split'."""
    return f"tfds:{name}/{tfds_builders.config_name(domain, protocol)}"


def _ours(spec: Spec, data_dir: str) -> str:
    """Prepare a benchmark from its original files, in TFDS's own folder."""
    name, _, config = spec.path.partition("/")
    benchmark = table.BENCHMARKS[name]
    known = {
        tfds_builders.config_name(domain, protocol): (domain, protocol)
        for domain in benchmark.domains
        for protocol in benchmark.protocols
    }
    if config not in known:
        choices = ", ".join(f"tfds:{name}/{c}" for c in known)
        raise UserError(f"tfds:{spec.path}: write the domain and the protocol, one of {choices}.")
    domain, protocol = known[config]
    text = (f"{name}/{domain}" if domain else name) + (f"@{protocol}" if protocol else "")
    found = table.original(parse(text), data_dir)
    if found is None:
        raise absent(*table.asked_for(parse(text), data_dir), bool(data_folder(data_dir)))
    look = benchmark.look or DEFAULT
    builder = tfds_builders.builder(name, found, tfds.own_folder(), config=config, page=benchmark.page, look=look)
    builder.download_and_prepare()
    return str(builder.data_path)


def _stock(name: str) -> str:
    """Prepare one of TFDS's own sets in a process of its own, since that loads TensorFlow."""
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            f"Preparing tfds:{name} needs TensorFlow once: pip install 'tl_jax[prepare]' here or in another "
            "environment, and the same line again. Reading it afterwards does not."
        )
    name = name.rpartition(":")[0] or name
    command = [sys.executable, "-m", "tensorflow_datasets.scripts.cli.main", "build", name]
    done = subprocess.run([*command, f"--data_dir={tfds.own_folder()}", "--file_format=array_record"], check=False)
    if done.returncode:
        raise UserError(f"TFDS could not prepare {name}: it ended with {done.returncode}, see its messages above.")
    return tfds.own_folder()
