"""The table of benchmarks, and a named one as a domain."""

from collections.abc import Mapping

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.benchmarks import digit_sets, others, pictures, small_images
from tl_jax.data.benchmarks.mnist_m import MNIST_M
from tl_jax.data.benchmarks.multi_mnist import MULTI_MNIST
from tl_jax.data.benchmarks.record import Asked, Benchmark, absent, resolved, tfds_name
from tl_jax.data.domain import Domain
from tl_jax.data.readers import folder, images, tfds
from tl_jax.data.readers.folder import Listing
from tl_jax.data.spec import Spec, data_folder

BENCHMARKS: Mapping[str, Benchmark] = {
    "mnist": digit_sets.MNIST,
    "multi_mnist": MULTI_MNIST,
    "usps": digit_sets.USPS,
    "mnist_m": MNIST_M,
    "svhn": digit_sets.SVHN,
    "syn": digit_sets.SYN,
    "office31": pictures.OFFICE31,
    "office_caltech": others.OFFICE_CALTECH,
    "office_home": pictures.OFFICE_HOME,
    "pacs": pictures.PACS,
    "vlcs": pictures.VLCS,
    "visda": pictures.VISDA,
    "domainnet": pictures.DOMAINNET,
    "imagenet_r": pictures.IMAGENET_R,
    "cifar10": small_images.CIFAR10,
    "cifar10_c": small_images.CIFAR10_C,
    "omniglot": small_images.OMNIGLOT,
    "amazon_reviews": others.AMAZON_REVIEWS,
    "fsdd": others.FSDD,
    "school": others.SCHOOL,
}


def asked_for(spec: Spec, data_dir: str) -> tuple[Benchmark, Asked]:
    """The record a spec names and what it asks of it. Raises UserError for an unknown name, domain or protocol."""
    end = min((spec.path.index(mark) for mark in "/@" if mark in spec.path), default=len(spec.path))
    name = spec.path[:end]
    if name not in BENCHMARKS:
        raise unknown("domain", spec.text, [*BENCHMARKS, "digits:printed", "folder:PATH", "npz:PATH", "tfds:NAME"])
    benchmark = BENCHMARKS[name]
    return benchmark, resolved(name, benchmark, spec.path[end:], data_folder(data_dir), spec.options)


def original(spec: Spec, data_dir: str) -> Domain | Listing | None:
    """The domain from its original files, images not decoded yet; None where they are absent."""
    benchmark, asked = asked_for(spec, data_dir)
    if spec.fragment:
        raise UserError(f"{spec.text}: nothing reads the part after '#'.")
    return benchmark.read(asked) if data_folder(data_dir) else None


def load(spec: Spec, data_dir: str) -> Domain:
    """A named benchmark: from its original files, else from TFDS where that has it. Raises UserError if absent."""
    benchmark, asked = asked_for(spec, data_dir)
    found = original(spec, data_dir)
    if isinstance(found, Listing):
        return folder.opened(found, images.look(spec, benchmark.look or images.Look()))
    if found is not None:
        return images.brought(found, images.look(spec, benchmark.look)) if benchmark.look else found
    if benchmark.tfds and tfds.prepared(tfds_name(benchmark, asked), data_dir):
        return tfds.load(spec._replace(scheme="tfds", path=tfds_name(benchmark, asked)), data_dir)
    raise absent(benchmark, asked, bool(data_folder(data_dir)))
