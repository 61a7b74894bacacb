"""Speed of the convolutions on a CPU against PyTorch eager: python benchmarks/conv.py [repeats] [cores]

Two training steps, each repeated inside one compiled loop: LeNet with DANN on 64 + 64 images of
28x28x1 (goal: at most 1.0 of PyTorch's time) and a ResNet-18 on 16 of 64x64x3 (goal: at most 1.3).
PyTorch runs in a process of its own, so that the two pools of threads never spin against each other,
and takes turns with JAX; the ratio is that of the medians. On a machine with other work give 1 core:
both then stay on one core and are measured in CPU time, which neighbours hardly change (with two,
PyTorch's threads wait for each other and a busy neighbour makes it look several times slower).
"""

import multiprocessing as mp
import os
import statistics
import sys
import time
from importlib.util import find_spec

import jax
import jax.numpy as jnp
from flax import linen as nn

from tl_jax.models.parts.conv import Conv, conv2d
from tl_jax.models.parts.layers import BatchNorm, max_pool

STEPS = {"lenet": 20, "resnet": 4}
GOALS = {"lenet": 1.0, "resnet": 1.3}
WIDTHS = ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


def clock_on(cores):
    """The clock to measure with; one core also pins this process to it."""
    if cores > 1:
        return time.perf_counter
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return time.process_time


def torch_stepper(parameters, loss, name="SGD"):
    """One eager PyTorch step on loss(), by an optimiser of PyTorch's with that name; plain gradient descent."""
    import torch

    optimiser = getattr(torch.optim, name)(parameters, lr=0.01)

    def step():
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return step


def torch_dann(channels):
    """LeNet on 28x28, its head and a domain discriminator in PyTorch."""
    from torch import nn

    pool = [nn.MaxPool2d(2), nn.ReLU()]
    dense = [nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 256), nn.ReLU()]
    net = nn.Sequential(nn.Conv2d(channels, 20, 5), *pool, nn.Conv2d(20, 50, 5), *pool, *dense)
    head = nn.Linear(256, 10)
    critic = [nn.Linear(256, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 1)]
    return net, head, nn.Sequential(*critic)


def torch_lenet():
    """LeNet, head and domain discriminator in PyTorch: a training step."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    net, head, critic = torch_dann(1)
    x, y = torch.rand(128, 1, 28, 28), torch.randint(0, 10, (64,))
    domain = torch.cat([torch.ones(64), torch.zeros(64)])

    def loss():
        f = net(x)
        adversary = F.binary_cross_entropy_with_logits(critic(f)[:, 0], domain)
        return F.cross_entropy(head(f[:64]), y) + adversary

    return torch_stepper([*net.parameters(), *head.parameters(), *critic.parameters()], loss)


def torch_resnet18():
    """ResNet-18 in PyTorch: stem, four stages and head, one after the other."""
    from torch import nn
    from torch.nn import functional as F  # noqa: N812

    def conv(c, d, k, s):
        return nn.Sequential(nn.Conv2d(c, d, k, s, k // 2, bias=False), nn.BatchNorm2d(d))

    class Block(nn.Module):
        def __init__(self, c, d, s):
            super().__init__()
            self.a, self.b = conv(c, d, 3, s), conv(d, d, 3, 1)
            self.skip = nn.Identity() if c == d else conv(c, d, 1, s)

        def forward(self, x):
            return F.relu(self.skip(x) + self.b(F.relu(self.a(x))))

    inputs = (64, *(width for width, _ in WIDTHS))
    blocks = [Block(c, *width) for c, width in zip(inputs, WIDTHS, strict=False)]
    stages = [nn.Sequential(*blocks[i : i + 2]) for i in range(0, 8, 2)]
    stem = nn.Sequential(conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(stem, *stages, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)))


def torch_resnet():
    """ResNet-18 in PyTorch: a training step."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    net = torch_resnet18()
    x, y = torch.rand(16, 3, 64, 64), torch.randint(0, 10, (16,))
    return torch_stepper(net.parameters(), lambda: F.cross_entropy(net(x), y))


def serve_torch(pipe, cores):
    """In the other process: a name comes in, milliseconds per step go out."""
    clock = clock_on(cores)
    import torch

    torch.set_num_threads(cores)
    steps = {"lenet": torch_lenet(), "resnet": torch_resnet()}
    for step in steps.values():
        for _ in range(3):
            step()
    for name in iter(pipe.recv, None):
        start = clock()
        for _ in range(STEPS[name]):
            steps[name]()
        pipe.send(1e3 * (clock() - start) / STEPS[name])


def cross_entropy(logits, labels):
    """Mean cross-entropy of logits [n, c] and labels [n]."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def looped(loss, params, x, name, clock):
    """A function of no arguments: milliseconds per step of gradient descent in one compiled loop."""
    x = jnp.stack([x, x[::-1]])

    def body(i, carry):
        params, stats, x = carry
        # Another batch at every step: patches of a constant would be computed once, before the loop.
        grads, stats = jax.grad(loss, has_aux=True)(params, stats, x[i % 2])
        return jax.tree.map(lambda p, g: p - 0.01 * g, params, grads), stats, x

    params = (*params, x)
    run = jax.jit(lambda carry: jax.lax.fori_loop(0, STEPS[name], body, carry))
    jax.block_until_ready(run(params))

    def measure():
        start = clock()
        jax.block_until_ready(run(params))
        return 1e3 * (clock() - start) / STEPS[name]

    return measure


def lenet_loop(form, clock):
    """LeNet, head and domain discriminator with PyTorch's layers, from the room's functions."""
    shapes = [(5, 5, 1, 20), (5, 5, 20, 50), (800, 500), (500, 256), (256, 10)]
    shapes += [(256, 1024), (1024, 1024), (1024, 1)]
    keys = jax.random.split(jax.random.key(0), len(shapes))
    params = [
        (jax.random.normal(k, s) / jnp.prod(jnp.array(s[:-1])) ** 0.5, jnp.zeros((1,) * (len(s) - 1) + s[-1:]))
        for k, s in zip(keys, shapes, strict=True)
    ]
    x, y = jax.random.uniform(keys[0], (128, 28, 28, 1)), jnp.arange(64) % 10
    sign = jnp.where(jnp.arange(128) < 64, -1.0, 1.0)

    def dense(h, layers):
        for w, b in layers:
            h = jax.nn.relu(h @ w + b)
        return h

    def loss(params, stats, x):
        h = x
        for w, b in params[:2]:
            h = jax.nn.relu(max_pool(conv2d(h, w, (1, 1), "VALID", form) + b))
        f = dense(h.reshape(128, -1), params[2:4])
        w, b = params[-1]
        d = (dense(f, params[5:7]) @ w + b)[:, 0]
        return cross_entropy(f[:64] @ params[4][0] + params[4][1], y) + jax.nn.softplus(sign * d).mean(), stats

    return looped(loss, (params, ()), x, "lenet", clock)


def resnet_loop(form, clock):
    """ResNet-18 from the room's modules."""

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, train=True):
            def conv(x, d, k, s):
                x = Conv(d, k, strides=s, padding=k // 2, use_bias=False, form=form)(x)
                return BatchNorm()(x, train)

            x = max_pool(nn.relu(conv(x, 64, 7, 2)), 3, 2, 1)
            for d, s in WIDTHS:
                skip = x if x.shape[-1] == d else conv(x, d, 1, s)
                x = nn.relu(skip + conv(nn.relu(conv(x, d, 3, s)), d, 3, 1))
            return nn.Dense(10)(x.mean((1, 2)))

    x, y = jax.random.uniform(jax.random.key(0), (16, 64, 64, 3)), jnp.arange(16) % 10
    variables = jax.jit(Net().init)(jax.random.key(1), x)

    def loss(params, stats, x):
        given = {"params": params, "batch_stats": stats}
        logits, new = Net().apply(given, x, mutable=["batch_stats"])
        return cross_entropy(logits, y), new["batch_stats"]

    return looped(loss, (variables["params"], variables["batch_stats"]), x, "resnet", clock)


def main(repeats, cores):
    """Take turns, print medians and ratios."""
    clock = clock_on(cores)
    mine, theirs = mp.get_context("spawn").Pipe()
    child = mp.get_context("spawn").Process(target=serve_torch, args=(theirs, cores), daemon=True)
    child.start()
    for name, make in (("lenet", lenet_loop), ("resnet", resnet_loop)):
        measure = make("patches", clock)
        times = {"torch": [], "tl_jax": []}
        for _ in range(repeats):
            mine.send(name)
            times["torch"].append(mine.recv())
            times["tl_jax"].append(measure())
        a, b = (statistics.median(times[k]) for k in ("tl_jax", "torch"))
        low = min(times["tl_jax"]) / min(times["torch"])
        told = f"{name}: {a:.1f} ms a step, PyTorch {b:.1f} ms"
        print(f"{told}: ratio {a / b:.2f} (goal {GOALS[name]}), of minima {low:.2f}", flush=True)
    mine.send(None)
    child.join()


if __name__ == "__main__":
    if find_spec("torch") is None:
        sys.exit("PyTorch is not installed, so there is nothing to compare with: pip install torch")
    given = [int(a) for a in sys.argv[1:]]
    main(*given, *(15, 2)[len(given) :])
