"""A problem and a network so small that every method compiles in seconds."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import Network, Output
from tl_jax.data.domain import Domain, Examples
from tl_jax.run.plan.problem import Problem

CLASSES = 3
WIDTHS = {"backbone": 16, "bottleneck": 8}


def domain(name: str, seed: int, size: int) -> Domain:
    """Random images [size, 8, 8, 1] whose brightness tells the class a little."""
    rng = np.random.default_rng(seed)
    y = np.arange(size, dtype=np.int32) % CLASSES
    x = rng.integers(0, 160, (size, 8, 8, 1)) + 40 * y[:, None, None, None]
    part = Examples(x.astype(np.uint8), y)
    return Domain(name, tuple("abc"), part, part, part)


def problem() -> Problem:
    """Two sources and a target; no size divides another."""
    return Problem((domain("first", 0, 13), domain("second", 1, 11)), domain("target", 2, 10))


def with_noisy_target_labels(clean: Problem) -> Problem:
    """The same images; every label of the target is drawn anew."""
    rng = np.random.default_rng(9)
    target = clean.target
    draw = lambda part: Examples(part.x, rng.integers(0, CLASSES, len(part.y)).astype(np.int32))
    parts = (draw(target.train), draw(target.validation), draw(target.test))
    return Problem(clean.sources, Domain(target.name, target.classes, *parts))


def network() -> Network:
    """Dense, batch normalisation and relu as backbone and again as bottleneck, then a linear head.

    In plain arrays of JAX's default precision: with 64 bits two ways to the same step agree to many digits,
    which the fixed float32 of the real networks would hide. Its first layers only hand on the image, as maps.
    """

    def init(key, x):
        params, stats, width = {}, {}, math.prod(x.shape[1:])
        draw = lambda i, shape: jax.random.normal(jax.random.fold_in(key, i), shape) * (2 / shape[0]) ** 0.5
        for i, (group, out) in enumerate(WIDTHS.items()):
            norm = {"scale": jnp.ones(out), "bias": jnp.zeros(out)}
            params[group] = {"dense1": {"kernel": draw(i, (width, out))}, "norm1": norm}
            stats[group] = {"norm1": {"mean": jnp.zeros(out), "var": jnp.ones(out)}}
            width = out
        params["head"] = {"kernel": draw(2, (width, CLASSES)), "bias": jnp.zeros(CLASSES)}
        return params, stats

    as_it_is = lambda path, given: given

    def apply(params, stats, x, train=False, key=None, frozen=frozenset(), mixed=None, before=as_it_is, after=as_it_is):
        for i in range(2):
            x = after(f"backbone/block{i}", x)
        x, new = x.reshape(len(x), -1), {}
        for group in WIDTHS:
            p, old = params[group]["norm1"], stats[group]["norm1"]
            (x,) = before(f"{group}/norm1", (x @ params[group]["dense1"]["kernel"],))
            use, new[group] = old, {"norm1": old}
            if train and f"{group}/norm1" not in frozen:
                use = {"mean": x.mean(0), "var": x.var(0)}
                new[group] = {"norm1": jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, old, use)}
                if mixed:
                    share = mixed[group]["norm1"]["mean"].astype(float)
                    use = {name: share * use[name] + (1 - share) * old[name] for name in use}
            normal = (x - use["mean"][None]) / jnp.sqrt(use["var"] + 1e-5)[None]
            x = jax.nn.relu(after(f"{group}/norm1", normal * p["scale"][None] + p["bias"][None]))
        return Output(x, x @ params["head"]["kernel"] + params["head"]["bias"][None]), new

    return Network(init, apply)
