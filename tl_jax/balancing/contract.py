"""The contract of a multi-task strategy, and the one way to turn it into a direction for the shared parameters.

J has one gradient a task, [k, ...] in every leaf of the shared parameters' tree; G = J J' [k, k] is its Gramian.
A strategy says which of these it needs as a value, so that one training step carries all of them:

    needs "losses":     w from the losses alone; the step differentiates sum_i w_i L_i once
    needs "gramian":    w from G (and the losses); the step needs the k gradients for G and then J'w
    needs "gradients":  d from J itself

Task-specific parameters are not the business of a direction; their gradient is that of w_i L_i where w is a weighting
of losses, and of L_i otherwise.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, Tree

NEEDS = ("losses", "gramian", "gradients")


class Seen(NamedTuple):
    """What one step shows a strategy: losses [k], the step's key, and what it asked for (None: not asked for).

    present [k]: which tasks have a label in this batch (None: all). Of the others loss and gradient are zero, and a
    zero is not what they say of themselves.
    """

    losses: Array
    key: Array
    gramian: Array | None = None
    gradients: Tree = None
    present: Array | None = None


class Balance(NamedTuple):
    """A multi-task strategy: pure functions over an explicit state of arrays.

    weigh(state, seen) -> (weights [k], state): of the paper's scale; see `comparable`.
    init(k, shared) -> state: shared is the tree of shared parameters, read only by those with a memory of its size.
    needs: one of NEEDS.
    direction(state, seen) -> (tree like shared, state): instead of weights, where needs is "gradients".
    after(state, losses [k], later [k]) -> state: not None declares a second forward pass, the losses of the
      SAME batch under the updated parameters.
    sparse: whether its functions mind `seen.present`. Of the others the weights of absent tasks are made zero, their
      entries of a state [k] stay, and their losses are shown as the geometric mean of those that are there.
    """

    weigh: Callable[[Any, Seen], tuple[Array, Any]]
    init: Callable[[int, Tree], Any] = lambda k, shared: ()
    needs: str = "losses"
    direction: Callable[[Any, Seen], tuple[Tree, Any]] | None = None
    after: Callable[[Any, Array, Array], Any] | None = None
    sparse: bool = False


def weighed(balance: Balance, state: Any, seen: Seen) -> tuple[Array, Any]:
    """Weights [k], zero for tasks that are absent from the batch, and the next state, in which they stay."""
    if seen.present is None:
        return balance.weigh(state, seen)
    weights, new = balance.weigh(state, seen._replace(losses=_filled(seen.losses, seen.present)))
    return jnp.where(seen.present, weights, 0.0), new if balance.sparse else staying(new, state, seen.present)


def afterwards(balance: Balance, state: Any, losses: tuple[Array, Array], present: Array | None = None) -> Any:
    """The state after the step, from (losses, later) of the same batch, if the strategy asks for them."""
    if balance.after is None:
        return state
    if present is None:
        return balance.after(state, *losses)
    return staying(balance.after(state, *(_filled(one, present) for one in losses)), state, present)


def staying(new: Any, old: Any, present: Array) -> Any:
    """`new`, but `old` in the entries [k] of tasks that are absent."""
    pick = lambda n, o: jnp.where(present, n, o) if n.shape == present.shape else n
    return jax.tree.map(pick, new, old)


def _filled(losses: Array, present: Array) -> Array:
    logs = jnp.where(present, jnp.log(jnp.maximum(losses, 1e-8)), 0.0)
    return jnp.where(present, losses, jnp.exp(logs.sum() / jnp.maximum(present.sum(), 1)))


def stand_in(present: Array | None, k: int) -> Array:
    """M [k, k], M g being the gradients with the mean of those present in the place of every absent one.

    It lies in their convex hull and leaves their mean as it is: what depends on these alone, as `mgda` and `cagrad`, is
    solved for M G M' as for the tasks present, with the weights M' w.
    """
    if present is None:
        return jnp.eye(k)
    mean = present / jnp.maximum(present.sum(), 1)
    return jnp.where(present[:, None], jnp.eye(k), mean[None, :])


def gramian(gradients: Tree) -> Array:
    """G_ij = sum over leaves of <g_i, g_j>: tree of [k, ...] -> [k, k], in the leaves' precision and no lower."""
    rows = [g.reshape(g.shape[0], -1) for g in jax.tree.leaves(gradients)]
    return sum((jnp.matmul(g, g.T, precision="highest") for g in rows[1:]), _square(rows[0]))


def combine(weights: Array, gradients: Tree) -> Tree:
    """J'w = sum_i w_i g_i: weights [k], tree of [k, ...] -> tree of [...]."""
    return jax.tree.map(lambda g: jnp.tensordot(weights.astype(g.dtype), g, axes=1), gradients)


def comparable(weights: Array, gram: Array | None = None, *, limit: float = 10.0) -> Array:
    """Weights whose step is as long as that of the mean gradient, so that one learning rate means one thing.

    v = w / sum_i |w_i|;   without the Gramian: v
    with it: ||J'1/k|| / max(||J'w||, (1 / limit) sum_i |w_i| ||g_i||) w

    Sum and mean become the same step, and so do w and c w. The limit is on cancellation: where less than 1 / limit of
    the lengths that w adds up is left (a Pareto stationary point of `mgda`), the step is that much shorter than the
    mean gradient instead of being blown up to its length. Gradients of very different lengths are no cancellation.
    Without the Gramian lengths are unknown, and the weights are only made to sum to one.

    Args: weights [k]; gram [k, k] or None; limit >= 1. Returns [k], 0 if all weights are.
    """
    whole = jnp.abs(weights).sum()
    v = weights / jnp.where(whole > 0, whole, 1.0)
    if gram is None:
        return v
    mean, length = (jnp.sqrt(jnp.maximum(x, 0.0)) for x in (gram.mean(), v @ gram @ v))
    added = jnp.abs(v) @ jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 0.0))
    least = jnp.maximum(length, added / limit)
    return v * mean / jnp.where(least > 0, least, 1.0)


def comparable_direction(direction: Tree, gradients: Tree) -> Tree:
    """A direction d that is not J'w, as long as the mean gradient: ||J'1/k|| / ||d|| d, 0 if d is.

    No limit here: the scale of d is the method's own (a running mean, a division by the losses) and says nothing.
    """
    norm = lambda tree: jnp.sqrt(sum(jnp.vdot(x, x) for x in jax.tree.leaves(tree)))
    mean, length = norm(jax.tree.map(lambda g: g.mean(0), gradients)), norm(direction)
    factor = jnp.where(length > 0, mean / jnp.where(length > 0, length, 1.0), 0.0)
    return jax.tree.map(lambda d: factor * d, direction)


def shared_direction(balance: Balance, state: Any, seen: Seen, *, scaled: bool = True) -> tuple[Tree, Array, Any]:
    """One step of any strategy, given all the gradients: (direction, weights [k], next state).

    scaled: as `comparable` says (with the Gramian); otherwise the paper's own scale. The weights of a strategy
    with a `direction` are ones. seen.gradients is needed; seen.gramian is computed if it is None.
    """
    gram = gramian(seen.gradients) if seen.gramian is None else seen.gramian
    seen = seen._replace(gramian=gram)
    if balance.direction is not None:
        direction, state = balance.direction(state, seen)
        ones = jnp.ones_like(seen.losses)
        return (comparable_direction(direction, seen.gradients) if scaled else direction), ones, state
    weights, state = weighed(balance, state, seen)
    weights = comparable(weights, gram) if scaled else weights
    return combine(weights, seen.gradients), weights, state


def weighted_loss(balance: Balance, state: Any, seen: Seen, *, scaled: bool = True) -> tuple[Array, tuple[Array, Any]]:
    """What a step differentiates where needs is "losses": (sum_i w_i L_i, (w [k], next state)), w being constants.

    scaled: as `comparable` says without the Gramian, so that the weights sum to one, or to the share of the tasks that
    are there: a loss counts for what it does in the mean of all.
    """
    weights, state = weighed(balance, state, jax.lax.stop_gradient(seen._replace(key=None))._replace(key=seen.key))
    if scaled:
        share = 1.0 if seen.present is None else seen.present.sum() / len(weights)
        weights = comparable(weights) * share
    return weights @ seen.losses, (weights, state)


def _square(rows: Array) -> Array:
    return jnp.matmul(rows, rows.T, precision="highest")
