"""DANN (Ganin et al. 2016) from the first line to the last, in plain JAX, with nothing of tl_jax but its digits.

    min L_S + L_D(GRL(f_s), GRL(f_t)): a discriminator tells the domains apart, reversed gradients hide them.

tests/test_examples.py runs `step` beside the library's: the same parameters and batch give the same next parameters.
"""

import jax
import jax.numpy as jnp

from tl_jax.data.load import load

STEPS, BATCH, LR, DECAY, LAM = 300, 64, 3e-3, 1e-2, 0.3


def dense(key, n, m):
    """A layer n -> m."""
    return {"kernel": jax.random.normal(key, (n, m)) * (2 / n) ** 0.5, "bias": jnp.zeros(m)}


def init(key, inputs, hidden=128, classes=10, width=256):
    """Trunk, head and discriminator."""
    k = jax.random.split(key, 5)
    judge = [dense(k[2], hidden, width), dense(k[3], width, width), dense(k[4], width, 1)]
    return {"trunk": dense(k[0], inputs, hidden), "head": dense(k[1], hidden, classes), "judge": judge}


def linear(layer, x):
    """x W + b."""
    return x @ layer["kernel"] + layer["bias"]


def features(params, x):
    """Bytes to [-1, 1], then one hidden layer."""
    return jax.nn.relu(linear(params["trunk"], x.reshape(len(x), -1).astype(jnp.float32) / 127.5 - 1))


@jax.custom_vjp
def reverse(x, lam):
    """x; backwards -lam times the gradient."""
    return x


reverse.defvjp(lambda x, lam: (x, lam), lambda lam, g: (-lam * g, None))


def judged(params, f, lam):
    """The discriminator's score of features, large for the source."""
    h = reverse(f, lam)
    for layer in params["judge"][:-1]:
        h = jax.nn.relu(linear(layer, h))
    return linear(params["judge"][-1], h)[:, 0]


def loss(params, x_s, y_s, x_t, lam):
    """Cross-entropy on the source, and half of each domain's logistic loss."""
    f_s, f_t = features(params, x_s), features(params, x_t)
    logits = jax.nn.log_softmax(linear(params["head"], f_s))
    source = -jnp.take_along_axis(logits, y_s[:, None], 1).mean()
    score_s, score_t = judged(params, f_s, lam), judged(params, f_t, lam)
    return source + (jax.nn.softplus(-score_s).mean() + jax.nn.softplus(score_t).mean()) / 2


def adamw(params, grads, moments, t, lr):
    """One step of AdamW, the t-th from 1; biases do not decay."""
    m, v = moments
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)

    def moved(w, m, v):
        update = m / (1 - 0.9**t) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return w - lr * (update + (DECAY * w if w.ndim > 1 else 0.0))

    return jax.tree.map(moved, params, m, v), (m, v)


@jax.jit
def step(params, moments, i, x_s, y_s, x_t):
    """The i-th step, from 0: the trade-off rises from 0 to LAM, the learning rate falls as a cosine."""
    p = i / STEPS
    lam = LAM * (2 / (1 + jnp.exp(-10 * p)) - 1)
    grads = jax.grad(loss)(params, x_s, y_s, x_t, lam)
    return adamw(params, grads, moments, i + 1.0, LR * (1 + jnp.cos(jnp.pi * p)) / 2)


def main():
    """Printed to handwritten digits; the target's labels are read once, by the last line."""
    source, target = load("digits:printed"), load("digits:handwritten")
    x_s, y_s, x_t = map(jnp.asarray, (source.train.x, source.train.y, target.train.x))
    key = jax.random.key(0)
    params = init(key, x_s[0].size)
    moments = (jax.tree.map(jnp.zeros_like, params),) * 2
    for i in range(STEPS):
        rows_s, rows_t = (
            jax.random.choice(jax.random.fold_in(key, 2 * i + j), len(x), (BATCH,)) for j, x in ((0, x_s), (1, x_t))
        )
        params, moments = step(params, moments, i, x_s[rows_s], y_s[rows_s], x_t[rows_t])
    found = linear(params["head"], features(params, jnp.asarray(target.test.x))).argmax(1)
    print(f"accuracy on handwritten digits: {(found == target.test.y).mean():.3f}")


if __name__ == "__main__":
    main()
