"""The cost of a run's jobs, measured as they would run."""

from tiny import NETWORK, SOURCE, TARGET

from tl_jax.kinds.table import kind_of, prepare
from tl_jax.run.cost import measured
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config


def test_every_job_is_timed_and_the_hidden_one_that_it_begins_from():
    methods = ("shot", "source_only")
    config = Config(
        source=("near",), target="far", network=NETWORK, methods=methods, steps=8, batch_size=16, seeds=(0,)
    )
    setup = prepare(config, Options(devices=1, trials="map"), {"near": SOURCE, "far": TARGET})
    found = measured(kind_of(config), setup)
    assert [job.hidden for job in found] == [True, False, False]
    assert all(0 < job.step < 1 and 0 < job.evaluation < 1 for job in found)
