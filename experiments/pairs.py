"""Every ordered pair of a benchmark's domains from one line of a sweep, and the page about it."""

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from experiments.page import write

COLLECT = ("--rows=pair", "--columns=method", "--format=markdown")
BODY = """

    python -m launch.sweep {sweep}
    python -m launch.sweep collect --dir={root} {collect}

{about}

## The last step

{last}

## The step chosen by `im`, without a target label

{selected}

The table in LaTeX: the second command with `--rows=method --columns=pair --format=latex`.

## Baselines and classics in the same runs

Trained on the source's training examples, tested once on the target's test split (classics see its examples,
unlabelled); the mean of the twelve pairs.

{beneath}
{after}"""


@dataclass(frozen=True)
class Pairs:
    """What is run over all pairs, and what its page says of the data and after the tables.

    name: of the benchmark, of the folder under runs/, of the page and of the script in experiments/.
    """

    name: str
    title: str
    methods: tuple[str, ...]
    steps: int
    about: str
    after: str = ""
    seeds: int = 5

    @property
    def root(self) -> Path:
        """Where the sweep is."""
        return Path("runs") / self.name

    @property
    def sweep(self) -> tuple[str, ...]:
        """The words after `python -m launch.sweep`."""
        return (
            *("transductive", f"--pairs={self.name}", f"--seeds={self.seeds}", f"--steps={self.steps}", "--nopictures"),
            f"--over=method=({', '.join(self.methods)})",
            f"--dir={self.root}",
        )


def run(pairs: Pairs) -> None:
    """Run (or go on with) the sweep and write the page."""
    print(_called(*pairs.sweep))
    table = lambda selector: _called("collect", f"--dir={pairs.root}", *COLLECT, f"--score={selector}/target/accuracy")
    body = BODY.format(
        sweep=" ".join(f"'{word}'" if "(" in word else word for word in pairs.sweep),
        root=pairs.root,
        collect=" ".join(COLLECT),
        about=pairs.about,
        last=table("last"),
        selected=table("selected"),
        beneath=_beneath(pairs.root),
        after=pairs.after,
    )
    write(Path(f"docs/results/{pairs.name}.md"), pairs.title, f"python -m experiments.{pairs.name}", body)


def _called(*words: str) -> str:
    """What a command of sweeps prints."""
    done = subprocess.run(
        [sys.executable, "-m", "launch.sweep", *words], check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout.strip()


def _beneath(root: Path) -> str:
    """The means over the pairs of what is trained without a network."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in sorted(root.glob("runs/*/baselines.json")):
        for record in json.loads(path.read_text()):
            found[record["method"]].append(record["selectors"]["last"]["target/accuracy"])
    rows = [f"| {name} | {statistics.mean(scores):.3f} | {len(scores)} |" for name, scores in found.items()]
    return "\n".join(["| method | mean | pairs |", "|---|---|---|", *rows])
