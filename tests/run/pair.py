"""One of two processes that are one run: python pair.py RUNS COORDINATOR THIS; a line of JSON for every `fit`."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))

from tiny import FAST, domain

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.run import loop
from tl_jax.run.execute import pace

runs, coordinator, this = sys.argv[1:]
SETTINGS = {**FAST, "seeds": 2, "optimizer": "sgd", "distributed": f"{coordinator},2,{this}"}
SOURCE, TARGET = domain("near", 0.0, size=600), domain("far", 1.0, size=600)
dispatch, term_after = loop._dispatch, 0
pace.SECONDS = 0  # a step a dispatch


def dispatched(*given):
    """A dispatch, after which the second of the processes may be asked to stop."""
    now = dispatch(*given)
    if now.step == term_after and this == "1":
        os.kill(os.getpid(), signal.SIGTERM)
    return now


def train(name: str, **settings) -> None:
    try:
        found = tl_jax.fit(SOURCE, TARGET, "dann", run_dir=f"{runs}/{name}", **{**SETTINGS, **settings})
        print("said", json.dumps([found.complete, found.stopped, len(found.records)]), flush=True)
    except UserError as error:
        print("said", json.dumps(str(error)), flush=True)


loop._dispatch = dispatched
train("differ", steps=24 + int(this))
term_after = 8
train("trials", trials="vmap")
# The sets of this one stream.
train("batch", trials="map", device_bytes=20_000)
term_after = 0
train("trials", trials="vmap")
