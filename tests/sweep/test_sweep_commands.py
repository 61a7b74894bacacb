"""The command line that remakes a run: parsed, it gives the run's own configuration."""

import functools
import json
import shlex
from dataclasses import replace
from types import SimpleNamespace

import pytest
from absl import flags as absl_flags

from tl_jax.kinds.table import KINDS
from tl_jax.launch import flags
from tl_jax.run.settings.config import Config
from tl_jax.sweep.asked.values import CALLED
from tl_jax.sweep.tables.collect import collect
from tl_jax.sweep.tables.command import commands, line, words
from tl_jax.sweep.tables.pivot import Asked, pivot

ODD = {
    "transductive": [
        {},
        {"methods": ("cdan(entropy=True)", "mcc"), "sweep": (("lam", (0.1, 1e-5)), ("lr", (3.0,))), "seeds": (4, 7)},
        {"freeze": (("body/*", "frozen@300"), ("a=b", "0.1")), "seeds": (5,), "clip_norm": 0.5, "balanced": True},
        {
            "source": ("digits:printed", "csv:/data/a b.csv"),
            "lam": 0.3,
            "labels_per_class": (1, 5),
        },
        {"label_fraction": (0.1, 0.25), "target": "office31/dslr"},
    ],
    "inductive": [
        {"strategies": ("full", "last_k(k=1)"), "label_fraction": (0.5,), "labels_per_class": ()},
        {"label_fraction": (0.5,), "labels_per_class": (3,)},
        {"labels_per_class": (), "init_from": "weights.npz", "source": (), "lr_schedule": "constant"},
    ],
    "unsupervised": [{"methods": ("byol",), "pretrain_on": "target", "align": ("none", "coral")}],
    "multitask": [{"source": ("digits:handwritten", "digits:printed"), "sharing": "mmoe(experts=3)"}],
    "generalisation": [{"seeds": (0, 1, 2, 3)}],
    "test_time": [{"stream": "mixed(batch=1)", "corrupt": ("fog@3", "extra@1")}],
}


def parsed(monkeypatch, given: list[str]) -> Config:
    """As the launch scripts read their flags, apart from those that are defined already."""
    kind, fresh = KINDS[given[0]], absl_flags.FlagValues()
    forms = {name: getattr(absl_flags, name) for name in dir(absl_flags) if name.startswith("DEFINE_")}
    stub = {name: functools.partial(define, flag_values=fresh) for name, define in forms.items()}
    monkeypatch.setattr(flags, "flags", SimpleNamespace(**stub))
    monkeypatch.setattr(flags, "FLAGS", fresh)
    config = flags.define(kind.defaults, flags.without(kind), {}, CALLED.get(given[0], {}))
    fresh(["tl-jax", *given[1:]])
    if "init_from" in fresh and fresh.init_from and not fresh["source"].present:  # as launch/inductive.py has it
        return Config(**{**vars(config()), "source": ()})
    return config()


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_line_of_a_run_gives_its_configuration(kind, monkeypatch):
    for odd in ODD[kind]:
        config = replace(KINDS[kind].defaults, **odd)
        found = parsed(monkeypatch, words(config))
        assert found == config
        assert found.digest() == config.digest()


def test_a_command_line_says_the_domains_and_what_differs_from_the_defaults(tmp_path):
    config = Config(methods=("cdan(entropy=True)",), sweep=(("lam", (0.1, 1.0)),), seeds=(0, 1))
    (tmp_path / "config.json").write_text(json.dumps(config.to_json()))
    text = line(tmp_path)
    assert text == (
        "tl-jax transductive --source=digits:printed --target=digits:handwritten '--method=cdan(entropy=True)' "
        "--seeds=2 --sweep=lam=0.1,1"
    )
    assert shlex.split(text)[1:] == words(config)


def test_what_was_handed_over_from_python_has_no_command_line(tmp_path):
    for given, name in (({"source": ("near",)}, "near"), ({"methods": ("python:mine",)}, "python:mine")):
        (tmp_path / "config.json").write_text(json.dumps(Config(**given).to_json()))
        assert line(tmp_path).startswith(f"# no command line: made from Python, which handed over {name} as")


def test_every_cell_has_its_command_once_a_run(tmp_path):
    config = Config(methods=("dann", "mcc"), sweep=(("lam", (0.1, 1.0)),), seeds=(0,))
    records = [
        {**config.described(method), "seed": 0, "values": {"lam": lam}, "selectors": {"last": {"target/accuracy": 0.5}}}
        for method in config.methods
        for lam in (0.1, 1.0)
    ]
    (tmp_path / "results.json").write_text(json.dumps(records))
    (tmp_path / "config.json").write_text(json.dumps(config.to_json()))
    rows = collect([tmp_path]).rows
    text = commands(pivot(rows, Asked(columns=("lam",))), rows)
    assert text.splitlines()[:5] == [
        "# dann, lam=0.1",
        "# dann, lam=1",
        "# mcc, lam=0.1",
        "# mcc, lam=1",
        f"# digest {config.digest()}, commit unknown, {tmp_path}",
    ]
    assert text.count("tl-jax transductive") == 1
