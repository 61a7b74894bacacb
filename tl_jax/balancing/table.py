"""Every multi-task strategy by name: weightings of losses, balancing by the Gramian, and those that need gradients."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.balancing import by_gradients, by_gramian, by_losses, by_trained_weights
from tl_jax.balancing.contract import Balance, Seen, gramian, stand_in
from tl_jax.core.types import Array, Tree


class Smoothed(NamedTuple):
    """DB-MTL's memory: the running mean of each task's gradient, tree of [k, ...], and the steps seen."""

    gradients: Tree
    step: Array


def mgda() -> Balance:
    """`by_gramian.mgda` of the tasks that are there."""
    return _of_gramian(by_gramian.mgda, hull=True)


def cagrad(c: float = 0.4) -> Balance:
    """`by_gramian.cagrad` of the tasks that are there."""
    return _of_gramian(lambda g: by_gramian.cagrad(g, c), hull=True)


def nash_mtl() -> Balance:
    """`by_gramian.nash_mtl`, solved anew at every step."""
    return _of_gramian(by_gramian.nash_mtl)


def fairgrad(alpha: float = 1.0) -> Balance:
    """`by_gramian.fairgrad`."""
    return _of_gramian(lambda g: by_gramian.fairgrad(g, alpha))


def upgrad() -> Balance:
    """`by_gramian.upgrad`."""
    return _of_gramian(by_gramian.upgrad)


def aligned_mtl() -> Balance:
    """`by_gramian.aligned_mtl`."""
    return _of_gramian(by_gramian.aligned_mtl)


def imtl_g() -> Balance:
    """`by_gramian.imtl_g`."""
    return _of_gramian(by_gramian.imtl_g)


def imtl(lr: float = 0.025) -> Balance:
    """Both halves: shared parameters by `imtl_g` of the gradients of the losses that `imtl_l` has scaled.

    w = v a(D G D),   v those of imtl_l, D = diag(v), a those of imtl_g. Liu et al. 2021, ICLR (IMTL).
    """
    scales = by_trained_weights.imtl_l(lr)

    def weigh(state: Any, seen: Seen) -> tuple[Array, Any]:
        v, state = scales.weigh(state, seen)
        assert seen.gramian is not None
        return v * by_gramian.imtl_g(v[:, None] * seen.gramian * v[None, :]), state

    return Balance(weigh, scales.init, "gramian")


def pcgrad() -> Balance:
    """`by_gradients.pcgrad`, its order drawn from the step's key."""

    def weigh(state: Any, seen: Seen) -> tuple[Array, Any]:
        assert seen.gramian is not None
        return by_gradients.pcgrad(seen.gramian, seen.key), state

    return Balance(weigh, needs="gramian")


def gradvac(beta: float = 0.5) -> Balance:
    """`by_gradients.gradvac`; the state is the target cosines [k, k]."""

    def weigh(state: Array, seen: Seen) -> tuple[Array, Array]:
        assert seen.gramian is not None
        return by_gradients.gradvac(seen.gramian, state, seen.key, beta=beta)

    return Balance(weigh, lambda k, shared: jnp.zeros((k, k)), "gramian")


def graddrop(leak: float = 0.0) -> Balance:
    """`by_gradients.graddrop`: acts on single coordinates."""

    def direction(state: Any, seen: Seen) -> tuple[Tree, Any]:
        return by_gradients.graddrop(seen.gradients, seen.key, leak=leak), state

    return Balance(_ones, needs="gradients", direction=direction)


def db_mtl(beta: float = 0.9, sigma: float = 0.0) -> Balance:
    """Gradients of the log-losses, smoothed, then all as long as the longest.

    h_i <- b h_i + (1 - b) g_i / L_i,   b = beta / t^sigma, t = 1, 2, ...;   d = sum_i max_j ||h_j|| / ||h_i|| h_i

    The memory is k times the shared parameters, zero at first; that of a task that is absent from the batch stays, and
    does not enter d. Lin et al. 2023, arXiv 2308.12029.
    """

    def init(k: int, shared: Tree) -> Smoothed:
        return Smoothed(jax.tree.map(lambda x: jnp.zeros((k, *x.shape), x.dtype), shared), jnp.int32(0))

    def direction(state: Smoothed, seen: Seen) -> tuple[Tree, Smoothed]:
        decay = beta / (state.step + 1.0) ** sigma
        scale = (1 - decay) / jnp.maximum(seen.losses, 1e-8)
        shaped = lambda a, g: a.reshape(-1, *(1,) * (g.ndim - 1)).astype(g.dtype)
        add = lambda h, g: decay.astype(h.dtype) * h + shaped(scale, g) * g
        smooth = jax.tree.map(add, state.gradients, seen.gradients)
        if (present := seen.present) is not None:
            there = lambda h: present.reshape(-1, *(1,) * (h.ndim - 1))
            smooth = jax.tree.map(lambda new, old: jnp.where(there(new), new, old), smooth, state.gradients)
        norms = jnp.sqrt(jnp.maximum(jnp.diagonal(gramian(smooth)), 0.0))
        norms = norms if seen.present is None else jnp.where(seen.present, norms, 0.0)
        longer = jnp.where(norms > 0, norms.max() / jnp.where(norms > 0, norms, 1.0), 0.0)
        d = jax.tree.map(lambda h: (shaped(longer, h) * h).sum(0), smooth)
        return d, Smoothed(smooth, state.step + 1)

    return Balance(_ones, init, "gradients", direction)


STRATEGIES: Mapping[str, Callable[..., Balance]] = MappingProxyType(
    {
        "equal": by_losses.equal,
        "mean": by_losses.mean,
        "fixed": by_losses.fixed,
        "uncertainty": by_trained_weights.uncertainty,
        "dwa": by_losses.dwa,
        "rlw": by_losses.rlw,
        "gls": by_losses.gls,
        "gradnorm": by_trained_weights.gradnorm,
        "imtl_l": by_trained_weights.imtl_l,
        "imtl": imtl,
        "famo": by_trained_weights.famo,
        "db_mtl": db_mtl,
        "mgda": mgda,
        "pcgrad": pcgrad,
        "gradvac": gradvac,
        "graddrop": graddrop,
        "imtl_g": imtl_g,
        "cagrad": cagrad,
        "nash_mtl": nash_mtl,
        "fairgrad": fairgrad,
        "aligned_mtl": aligned_mtl,
        "upgrad": upgrad,
    }
)


def _of_gramian(function: Callable[[Array], Array], hull: bool = False) -> Balance:
    """hull: whether a zero gradient would count as a task that nothing can help, and so must not stand for an absent
    one (see `stand_in`)."""

    def weigh(state: Any, seen: Seen) -> tuple[Array, Any]:
        assert seen.gramian is not None
        if not hull or seen.present is None:
            return function(seen.gramian), state
        m = stand_in(seen.present, len(seen.present)).astype(seen.gramian.dtype)
        shown = jnp.where(seen.present.all(), seen.gramian, jnp.matmul(m @ seen.gramian, m.T, precision="highest"))
        return m.T @ function(shown), state

    return Balance(weigh, needs="gramian")


def _ones(state: Any, seen: Seen) -> tuple[Array, Any]:
    """A strategy with a direction leaves the losses of task-specific parameters as they are."""
    return jnp.ones_like(seen.losses), state
