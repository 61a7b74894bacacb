"""Look at data before a run.

    tl-jax data check folder:/data/shop folder:/data/kitchen
    tl-jax data where office31/amazon
    tl-jax data prefetch 'office31/amazon?size=224&resize=256'
    tl-jax data list

check: counts, classes and their overlap, unreadable or doubled files, examples in both domains, balance, and a sheet
of samples. where: the official page and the files. prefetch: decode or prepare once. list: what can be named.
"""

from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError, require
from tl_jax.core.printable import printable
from tl_jax.data.benchmarks import table
from tl_jax.data.check import domain as check
from tl_jax.data.check import where
from tl_jax.data.check.pair import pair
from tl_jax.data.check.prefetch import prefetch
from tl_jax.data.load import load
from tl_jax.data.match.classes import named, renamed
from tl_jax.data.readers import folder, images
from tl_jax.data.spec import CORRUPT, SCHEME_FREE, parse, without
from tl_jax.run.report import plots

WORDS = True
FLAGS = flags.FLAGS
COMMANDS = {"check": (1, 2), "where": (1, 1), "prefetch": (1, 1), "list": (0, 0)}
"""{command: least and greatest number of specs}."""

flags.DEFINE_string("data_dir", "", "Folder of the data sets; by default the environment's TL_JAX_DATA.")
flags.DEFINE_string("sheet", "samples.png", "Where check writes the sheet of samples; '' writes none.")


def main(*words: str) -> None:
    """A command and its specs."""
    command, *specs = words or ("",)
    require("command", command, COMMANDS)
    least, most = COMMANDS[command]
    if not least <= len(specs) <= most:
        needs = f"{least} or {most} specs" if least < most else f"{least} spec"
        raise UserError(f"{command} takes {needs if most else 'no spec'}, not {len(specs)}. --help shows examples.")
    if command == "check":
        look(specs)
    elif command == "list":
        print(where.listing(FLAGS.data_dir))
    else:
        print({"where": where.where, "prefetch": prefetch}[command](specs[0], FLAGS.data_dir))


def look(specs: list[str]) -> None:
    """Print the findings on one domain or on a source and a target, and write the sheet."""
    listings = [readable(text) for text in specs]
    domains = [load(text, FLAGS.data_dir) for text in specs]
    findings = [check.single(*each) for each in zip(domains, listings, strict=True)]
    if len(domains) == 2:
        findings.append(pair(*domains))
    print("\n".join(printable(line, lines=False) for found in findings for line in found.facts))
    warnings = [f"! {printable(line, lines=False)}" for found in findings for line in found.warnings]
    print("\n".join(warnings) if warnings else "nothing suspicious was found")
    if FLAGS.sheet:
        domains = named(domains)
        classed = all(domain.classes for domain in domains)
        shown = [renamed(domain, domains[0].classes) for domain in domains] if classed else domains
        plots.save(plots.samples(shown), Path(FLAGS.sheet))
        print(f"samples: {FLAGS.sheet}")


def readable(text: str) -> folder.Listing | None:
    """The domain's image files, if it has any. Raises UserError that lists every one that cannot be decoded."""
    spec = without(parse(text), CORRUPT)
    found = None
    if spec.scheme == "folder":
        found = folder.listing(spec, FLAGS.data_dir)
    elif spec.scheme == SCHEME_FREE:
        found = table.original(spec, FLAGS.data_dir)
    if not isinstance(found, folder.Listing):
        return None
    if broken := images.unreadable(found.files, images.look(spec).white if spec.scheme == "folder" else 0.0):
        lines = "\n  ".join(printable(name, lines=False) for name in broken[:50])
        raise UserError(f"{text}: {len(broken)} of {len(found.y)} images cannot be decoded:\n  {lines}\nReplace them.")
    return found
