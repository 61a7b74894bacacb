"""A training step of MiniLM and of ViT-small against transformers on PyTorch.

    python benchmarks/transformers.py [repeats] [cores] [times]     # 3 2 1

Forward, backward and a step of gradient descent, without dropout: MiniLM (6 layers of 384) on 16 texts of 128 word
pieces of which a quarter is padding, ViT-small on 8 images of 224x224, each so many times. Weights are random. Goal: at
most 1.0 of PyTorch's time, which runs eagerly with the attention that transformers chooses (its fused one), in a
process of its own and in turn with ours, as in conv.py; with 1 core both stay on one and are measured in processor
time. Where JAX has a GPU, PyTorch has it, too, with the matrix products of TF32 that are JAX's default there. Where
torch or transformers is not installed, ours alone is printed.
"""

import multiprocessing as mp
import statistics
import sys
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from conv import clock_on, cross_entropy, torch_stepper

from tl_jax.models.networks import NETWORKS, build
from tl_jax.models.parts.conv import conv_form

GOAL, CLASSES = 1.0, 10
IDS = np.random.default_rng(0).integers(1, 30000, (16, 128)).astype(np.int32)
IDS[:, 96:] = 0
IMAGES = np.random.default_rng(0).normal(size=(8, 224, 224, 3)).astype(np.float32)
MINILM = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
VIT = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "intermediate_size": 1536}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def torch_steps(device, times):
    """{name: a training step in PyTorch}."""
    import torch
    from torch.nn import functional as F  # noqa: N812
    from transformers import BertConfig, BertModel, ViTConfig, ViTModel

    def minilm():
        net, head = BertModel(BertConfig(**MINILM, **STILL), add_pooling_layer=False), torch.nn.Linear(384, CLASSES)
        net, head, ids = net.to(device), head.to(device), torch.tensor(IDS).long().repeat(times, 1).to(device)
        mask = (ids != 0).long()
        y, weight = torch.arange(len(ids), device=device) % CLASSES, mask[:, :, None] / mask.sum(1)[:, None, None]

        def loss():
            return F.cross_entropy(head((net(ids, attention_mask=mask).last_hidden_state * weight).sum(1)), y)

        return torch_stepper([*net.parameters(), *head.parameters()], loss)

    def vit_small():
        net, head = ViTModel(ViTConfig(**VIT, **STILL), add_pooling_layer=False), torch.nn.Linear(384, CLASSES)
        x = torch.tensor(IMAGES).repeat(times, 1, 1, 1).permute(0, 3, 1, 2).contiguous().to(device)
        net, head, y = net.to(device), head.to(device), torch.arange(len(x), device=device) % CLASSES
        loss = lambda: F.cross_entropy(head(net(x).last_hidden_state[:, 0]), y)
        return torch_stepper([*net.parameters(), *head.parameters()], loss)

    return {"minilm": minilm(), "vit_small": vit_small()}


def serve_torch(pipe, cores, gpu, times, steps):
    """In the other process: a name comes in, milliseconds a step go out."""
    here = str(Path(__file__).parent)
    sys.path = [place for place in sys.path if place != here]  # where this file is called as the library
    clock = clock_on(cores)
    import torch

    torch.set_num_threads(cores)
    device = "cuda" if gpu and torch.cuda.is_available() else "cpu"
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")
    made = torch_steps(device, times)
    for step in made.values():
        step()
    pipe.send(f"PyTorch {torch.__version__}, {device}")
    for name in iter(pipe.recv, None):
        wait()
        start = clock()
        for _ in range(steps):
            made[name]()
        wait()
        pipe.send(1e3 * (clock() - start) / steps)


def ours(name, x, clock, steps):
    """A function of no arguments: milliseconds a step inside one compiled loop."""
    network = build(NETWORKS[name](bottleneck=0), CLASSES, form=conv_form(jax.default_backend(), False))
    params, stats = jax.jit(network.init)(jax.random.key(0), x[:1])
    y, batches = jnp.arange(len(x)) % CLASSES, jnp.stack([x, x[::-1]])

    def body(i, params):
        of = lambda params: cross_entropy(network.apply(params, stats, batches[i % 2], train=True)[0].logits, y)
        return jax.tree.map(lambda p, g: p - 0.01 * g, params, jax.grad(of)(params))

    run = jax.jit(lambda params: jax.lax.fori_loop(0, steps, body, params))
    jax.block_until_ready(run(params))

    def measure():
        start = clock()
        jax.block_until_ready(run(params))
        return 1e3 * (clock() - start) / steps

    return measure


def installed(name):
    """Whether a library is there: this file, which is called as one of them, does not count."""
    found = find_spec(name)
    return found is not None and found.origin != __file__


def main() -> None:
    """Print the time of a step and, where PyTorch is there, its ratio."""
    repeats, cores, times = (int(text) for text in (*sys.argv[1:4], *("3", "2", "1")[len(sys.argv) - 1 :]))
    clock = clock_on(cores)  # before JAX makes its threads, which stay where this one is
    gpu = jax.default_backend() == "gpu"
    steps = 20 if gpu else 4
    here = str(Path(__file__).parent)
    before, sys.path = sys.path, [place for place in sys.path if place != here]
    there = all(installed(name) for name in ("torch", "transformers"))
    sys.path = before
    pipe = None
    if there:
        context = mp.get_context("spawn")
        pipe, theirs = context.Pipe()
        context.Process(target=serve_torch, args=(theirs, cores, gpu, times, steps), daemon=True).start()
        print(f"{pipe.recv()}; jax {jax.__version__}, {jax.devices()[0].device_kind}")
    for name, x in (("minilm", IDS), ("vit_small", IMAGES)):
        x = jnp.asarray(np.concatenate([x] * times))
        step, taken, other = ours(name, x, clock, steps), [], []
        for _ in range(repeats):
            taken.append(step())
            if pipe:
                pipe.send(name)
                other.append(pipe.recv())
        line, mine = "", statistics.median(taken)
        if pipe:
            peer = statistics.median(other)
            line = f", PyTorch {peer:.3g} ms: ratio {mine / peer:.2f} (goal {GOAL})"
            line += f", of minima {min(taken) / min(other):.2f}"
        print(f"{name}: {mine:.3g} ms a step{line}", flush=True)
    if pipe:
        pipe.send(None)


if __name__ == "__main__":
    main()
