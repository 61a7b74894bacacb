"""Virtual adversarial training: predictions that stay where they are when the input moves a little."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, Outputs

Moves = Mapping[str, Array]


def worst(says: Callable[[Moves], Moves], x: Moves, key: Array, length: float | Array) -> dict[str, Array]:
    """Moves r of the inputs, by view, that change the predictions most: each example's has that length, a constant.

    r_i = length * g_i / |g_i|,  g = H d,  H the second derivative in r, at 0, of sum_i KL(p_i(0) || p_i(r)),  |d_i| = 1

    One step of power iteration from a random d. H d = J^T (diag(p) - p p^T) J d, J = dz / dr, exactly: no difference of
    two passes, which would be lost in the digits of float32. Where nothing changes a prediction r is 0.

    Args: says(r) gives the logits [n, c] by view, x the inputs [n, ...] at which it stands. Miyato et al. 2018,
    arXiv 1704.03976.
    """
    here = jax.tree.map(jnp.zeros_like, dict(x))
    draw = lambda name: unit(jax.random.normal(named(key, f"move {name}"), x[name].shape, x[name].dtype))
    z, dz = jax.jvp(says, (here,), ({name: draw(name) for name in x},))

    def curved(z: Array, dz: Array) -> Array:
        p = jax.nn.softmax(z)
        return p * (dz - (p * dz).sum(1, keepdims=True))

    (g,) = jax.vjp(says, here)[1](jax.tree.map(curved, z, dz))
    return {name: jax.lax.stop_gradient(length * unit(slope)) for name, slope in g.items()}


def at_worst(moved: Callable[..., Outputs], x: Moves, key: Array, length: float | Array) -> Outputs:
    """What a network says of the inputs x, by view, that are moved by `worst`; moved: `Own.moved` of a method."""

    def says(r: Moves) -> Outputs:
        return moved({name: lambda x, by=by: x + by.astype(x.dtype) for name, by in r.items()})

    logits = lambda r: {name: out.logits for name, out in says(r).items() if name in r}
    floats = {name: value.astype(float) for name, value in x.items()}
    return says(worst(logits, floats, key, length))


def unit(x: Array) -> Array:
    """Each of x [n, ...] at length 1; one of zeros stays."""
    flat = x.reshape(len(x), -1)
    # By the greatest entry first: the square of a small derivative is zero in float32.
    most = jnp.abs(flat).max(1, keepdims=True)
    flat = flat / jnp.where(most > 0, most, 1)
    norm = jnp.sqrt(jnp.square(flat).sum(1, keepdims=True))
    return (flat / jnp.where(norm > 0, norm, 1)).reshape(x.shape)


def unmoved(logits: Array, moved: Array) -> Array:
    """Cross-entropy of what is said of moved inputs with what is said of them in their place.

    L = -(1/n) sum_i sum_k p_ik log p'_ik,  p = softmax(logits), detached,  p' = softmax(moved)

    Args: logits, moved [n, c]. Returns a scalar, nats.
    """
    p = jax.nn.softmax(jax.lax.stop_gradient(logits))
    return -(p * jax.nn.log_softmax(moved)).sum(1).mean()
