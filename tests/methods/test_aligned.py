"""Alignment beside a pretext task: the distance of the target's share of the batch from the rest."""

import jax
import numpy as np
import pytest
from cases import BATCH, OTHER, D, M, T, gradient, perceptron, terms, weights

from tl_jax.core.errors import UserError
from tl_jax.core.types import At, Model
from tl_jax.methods import METHODS
from tl_jax.methods.aligned import aligned

VIEWS = {"one": T, "two": OTHER}
PROJECTOR, CRITIC = weights(1, D, 7, 6), weights(2, D, 4, 1)
OWN = {"pretext": {"projector": PROJECTOR}, "discriminator": CRITIC}


def losses(by, domains=2):
    method = aligned(METHODS["simclr"](), by, domains)
    return terms(method.terms, VIEWS, own=OWN, values=method.values)[0]


def coral(a, b):
    spread = np.square(np.cov(a.T) - np.cov(b.T)).mean()
    return spread + np.square(a.mean(0) - b.mean(0)).mean()


@pytest.mark.parametrize("domains", [2, 4])
def test_coral_compares_the_first_share_of_the_first_view_with_the_rest(domains):
    n = M // domains
    found = losses("coral", domains)
    np.testing.assert_allclose(found["coral"], coral(T.features[n:], T.features[:n]), rtol=1e-9)


def test_the_pretext_task_is_left_as_it_is():
    simclr = METHODS["simclr"]()
    alone, _ = terms(simclr.terms, VIEWS, own=OWN["pretext"], values=simclr.values)
    for by in ("coral", "mmd", "dann"):
        np.testing.assert_allclose(losses(by)["contrast"], alone["contrast"], rtol=1e-12)


def test_the_discriminator_learns_and_the_features_receive_its_gradient_reversed():
    score = perceptron(CRITIC, T.features)[:, 0]
    softplus = lambda x: np.log1p(np.exp(x)).mean()
    want = (softplus(score[: M // 2]) + softplus(-score[M // 2 :])) / 2
    np.testing.assert_allclose(losses("dann")["domain"], want, rtol=1e-9)
    method = aligned(METHODS["simclr"](), "dann", 2)
    assert method.weights(At(0, 0.0, 0.1, method.values, None)) == {"contrast": 1.0, "domain": 1.0}
    full, half = (gradient(method.terms, "domain", VIEWS, OWN, values=method.values, lam=lam) for lam in (1.0, 0.5))
    np.testing.assert_allclose(full[1]["one"].features, 2 * half[1]["one"].features, rtol=1e-9)
    np.testing.assert_allclose(
        full[0]["discriminator"]["dense0"]["kernel"], half[0]["discriminator"]["dense0"]["kernel"], rtol=1e-12
    )
    assert all(not leaf.any() for leaf in jax.tree.leaves(full[0]["pretext"]))


@pytest.mark.parametrize("name", ["byol", "moco", "dino"])
def test_a_teacher_goes_on_following_its_student(name):
    plain = METHODS[name]()
    method = aligned(plain, "dann", 2)
    model = Model({"w": np.array(1.0)}, {"all": {}}, {}, {})
    own, memory, *_ = method.init(jax.random.key(0), T, model)
    model = model._replace(memory=memory, own=own)
    at = At(0, 0.0, 1.0, plain.values, None)
    jax.tree.map(
        np.testing.assert_array_equal,
        method.after(model, VIEWS, BATCH, at),
        plain.after(model._replace(own=own["pretext"]), VIEWS, BATCH, at),
    )


def test_an_unknown_alignment_names_those_there_are():
    with pytest.raises(UserError, match=r"Unknown alignment 'corral'.*Did you mean 'coral'"):
        aligned(METHODS["simclr"](), "corral", 2)
