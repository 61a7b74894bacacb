"""Methods of regression, where labels are values and the network has one output, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BATCH, D, M, N

from tl_jax.core.types import At, Labeled, Model, Output
from tl_jax.losses.spectra.inverse_gram import inverse_gram_alignment
from tl_jax.losses.spectra.subspaces import subspace_distance
from tl_jax.methods import METHODS
from tl_jax.methods.contract import Example, Own

RNG = np.random.default_rng(1)
Y = RNG.normal(size=N)
PARAMS = {"backbone": {"kernel": RNG.normal(size=(D, D))}, "head": {"kernel": RNG.normal(size=(D, 1))}}


def output(n):
    return Output(RNG.normal(size=(n, D)), RNG.normal(size=(n, 1)))


def losses(name):
    """The terms of a method's last phase on random outputs of its views, and those outputs."""
    method = METHODS[name]()
    out = {view: output(N if of.domain == "source" else M) for view, of in method.views.items()}
    example = Example(*output(2)[:2], x=np.zeros((2, 1)), domains=2)
    own = method.init(jax.random.key(0), example, Model(PARAMS, {}, {}, {}))._replace(network=PARAMS)
    source = BATCH.sources[0]._replace(y=Y)
    halves = tuple(type(source)(*(part[rows] for part in source)) for rows in np.split(np.arange(N), [N // 2]))
    batch = BATCH._replace(sources=halves)
    at = At(jnp.int32(0), jnp.float64(0), jnp.float64(1.0), method.values, jax.random.key(0))

    @jax.jit
    def terms(params, memory, out):
        mine = own._replace(params=params, memory=memory)
        return dict(method.steps()[-1].terms(mine, out, batch, at).losses)

    return jax.device_get(terms(own.params, own.memory, out)), out


MORE = ("mldg", "group_dro", "fish", "sdat", "mdan", "and_mask", "rsd")
"""They are more than a sum, or (rsd) need a batch under the number of features: see below, test_several_domains.py,
test_generalising.py, test_more_adversaries.py and test_agreeing_domains.py."""
OF_VALUES = [name for name, make in METHODS.items() if make().regression and name not in MORE]


@pytest.mark.parametrize("name", OF_VALUES)
def test_the_supervised_term_is_the_mean_squared_error(name):
    found, out = losses(name)
    errors = np.square(out["source"].logits[:, 0] - Y)
    if name == "joint":
        np.testing.assert_allclose(found["target"], errors[N // 2 :].mean(), rtol=1e-12)
        errors = errors[: N // 2]
    np.testing.assert_allclose(found["source"], errors.mean(), rtol=1e-12)
    assert all(np.isfinite(value) for value in found.values())


def test_dare_gram_weighs_angle_and_scale():
    method = METHODS["dare_gram"](threshold=0.8, angle=0.1, scale=0.2)
    found, out = losses("dare_gram")
    s, t = out["source"].features, out["target"].features
    expected = inverse_gram_alignment(jnp.asarray(s), jnp.asarray(t), 0.9)
    np.testing.assert_allclose([found["angle"], found["scale"]], expected[:2], rtol=1e-9)
    at = At(jnp.int32(0), jnp.float64(0), 2.0, method.values, jax.random.key(0))
    assert method.weights(at) == {"angle": 0.2, "scale": 0.4}


def test_rsd_is_the_mean_over_the_sources_of_their_distances_to_the_target():
    method, rows = METHODS["rsd"](), np.arange(4)
    f_s, f_t, z = RNG.normal(size=(4, D)), RNG.normal(size=(3, D)), RNG.normal(size=(4, 1))
    parts = tuple(Labeled(np.zeros((2, 1)), Y[i : i + 2], rows[i : i + 2]) for i in (0, 2))
    out = {"source": Output(jnp.asarray(f_s), jnp.asarray(z)), "target": Output(jnp.asarray(f_t), None)}
    at = At(jnp.int32(0), jnp.float64(0), 0.5, {"bases": 0.2}, jax.random.key(0))
    batch = BATCH._replace(sources=parts)
    found = jax.jit(lambda out: dict(method.terms(Own({}, {}), out, batch, at).losses))(out)
    np.testing.assert_allclose(found["source"], np.square(z[:, 0] - Y[:4]).mean())
    each = [subspace_distance(jnp.asarray(f_s[i : i + 2]), jnp.asarray(f_t)) for i in (0, 2)]
    np.testing.assert_allclose(found["angles"], np.mean([one.sines for one in each]))
    np.testing.assert_allclose(found["bases"], np.mean([one.bases for one in each]))
    assert method.weights(at) == {"bases": 0.1}
