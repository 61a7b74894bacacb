"""Random outputs of a network, a method's terms of them, and the few functions that NumPy lacks."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import At, Batch, Labeled, Output, Unlabeled
from tl_jax.methods.contract import Own

N, M, D, C = 6, 8, 5, 4
RNG = np.random.default_rng(0)


def output(n, shift=0.0):
    return Output(RNG.normal(shift, 1, (n, D)), RNG.normal(0, 2, (n, C)))


S, T, OTHER = output(N), output(M, 1.0), output(M, 1.0)
Y = np.arange(N) % C
ROWS = np.array([7, 3, 0, 5, 1, 9, 2, 4])
BATCH = Batch((Labeled(np.zeros((N, 1)), Y, np.arange(N)),), Unlabeled(np.zeros((M, 1)), ROWS))
OUT = {"source": S, "target": T}
AT = At(0, 0.0, 1.0, {}, jax.random.key(0))


def terms(function, out=OUT, own=None, memory=None, values=None, lam=1.0, *, seed=0):
    """losses, metrics of a method's terms function as NumPy scalars."""
    at = At(jnp.int32(0), jnp.float64(0), lam, values or {}, jax.random.key(seed))

    def found(own, memory, out):
        all_terms = function(Own(own, memory), out, BATCH, at)
        return all_terms.losses, dict(all_terms.metrics)

    return jax.device_get(jax.jit(found)(own or {}, memory or {}, out))


def gradient(function, name, out=OUT, own=None, memory=None, values=None, lam=1.0):
    """Gradient of one term in (own parameters, outputs)."""
    at = At(jnp.int32(0), jnp.float64(0), lam, values or {}, jax.random.key(0))
    loss = lambda own, out: function(Own(own, memory or {}), out, BATCH, at).losses[name]
    return jax.device_get(jax.jit(jax.grad(loss, (0, 1)))(own or {}, out))


def slope(f, x, i, eps=1e-6):
    """Central difference of f at entry i of x."""
    up, down = x.copy(), x.copy()
    up[i] += eps
    down[i] -= eps
    return (f(up) - f(down)) / (2 * eps)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def entropy(z):
    p = softmax(z)
    return -(p * np.log(p)).sum(1)


def cross_entropy(z, y):
    return -np.log(softmax(z)[np.arange(len(y)), y]).mean()


CE = cross_entropy(S.logits, Y)


def weights(seed, *sizes):
    """Parameters of a perceptron."""
    rng = np.random.default_rng(seed)
    layers = ({"kernel": rng.normal(size=shape), "bias": rng.normal(size=shape[1])} for shape in pairwise(sizes))
    return {f"dense{i}": layer for i, layer in enumerate(layers)}


def perceptron(params, x):
    """ReLU between the layers."""
    for i, layer in enumerate(params.values()):
        x = (np.maximum(x, 0) if i else x) @ layer["kernel"] + layer["bias"]
    return x
