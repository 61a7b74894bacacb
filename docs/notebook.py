# %% [markdown]
# # From an equation to a table
#
# A method of your own, in a dozen cells: the equation, a check against NumPy, a run beside published methods, an
# ablation, the trained model. Labelled digits are printed, the target is handwriting without labels; both are in the
# package.
# %%
import tempfile

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import tl_jax
from tl_jax.core.types import At, Batch, Labeled, Output, Unlabeled
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms

PAIR = "digits:printed", "digits:handwritten"
HOW = {"network": "mlp(hidden=(64,))", "steps": 200, "batch_size": 32, "eval_every": 50, "pictures": False}


# %% [markdown]
# ## 1. The equation
#
# A classifier that does not know where to put the target spreads its predictions. Let it be certain of each example,
# and use every class: $L = CE_s + \lambda\,\big(H(p_t) - H(\bar p_t)\big)$, with $\bar p_t$ the mean prediction of the
# batch (information maximisation; Krause et al. 2010, Liang et al. 2020).
# %%
def certain_and_diverse(sharp: float = 1.0) -> Method:
    """L = CE_s + lam * (mean H(p_t) - H(mean p_t)),  p_t = softmax(sharp * g_t)."""

    def terms(own, out, batch, at):
        log_p = jax.nn.log_softmax(at.values["sharp"] * out["target"].logits)
        p = jnp.exp(log_p)
        each, mean = -(p * log_p).sum(1).mean(), p.mean(0)
        together = -(mean * jnp.log(mean + 1e-8)).sum()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "information": each - together})

    return Method(terms, values={"sharp": sharp}, lam=0.5)


# %% [markdown]
# ## 2. A check against NumPy
#
# A method is pure functions of arrays: its terms are asked for directly.
# %%
draw = np.random.default_rng(0)
logits = {name: draw.normal(size=(6, 3)).astype(np.float32) for name in ("source", "target")}
rows = jnp.arange(6)
batch = Batch((Labeled(rows, rows % 3, rows),), Unlabeled(rows, rows))
at = At(jnp.int32(0), jnp.float32(0), jnp.float32(0.5), {"sharp": jnp.float32(1)}, jax.random.key(0))
out = {name: Output(jnp.zeros((6, 2)), jnp.asarray(g)) for name, g in logits.items()}
found = certain_and_diverse().terms(Own({}, {}), out, batch, at).losses["information"]

p = np.exp(logits["target"]) / np.exp(logits["target"]).sum(1, keepdims=True)
entropy = lambda q: -(q * np.log(q)).sum(-1)
print(f"here {float(found):.6f}, NumPy {entropy(p).mean() - entropy(p.mean(0)):.6f}")
# %% [markdown]
# ## 3. Beside others
#
# An object from Python stands where a name could. `last` is the last step, `selected` the one chosen without a label of
# the target.
# %%
run_dir = tempfile.mkdtemp()
methods = ["source_only", "mcc", certain_and_diverse, "target_only"]
run = tl_jax.fit(*PAIR, methods, seeds=3, run_dir=run_dir, quiet=True, **HOW)
print(run.table)
# %% [markdown]
# ## 4. An ablation is one program
#
# Numbers are arrays: nine trials, one compilation.
# %%
swept = tl_jax.fit(
    "digits:printed", "digits:handwritten", certain_and_diverse, seeds=3, sweep={"lam": (0.1, 0.5, 2)}, **HOW
)
for lam in (0.1, 0.5, 2.0):
    scores = [r["selectors"]["last"]["target/accuracy"] for r in swept.records if r["values"]["lam"] == lam]
    print(f"lam {lam:3}: {np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}")
# %% [markdown]
# ## 5. The trained model, and its surest mistakes
# %%
name = next(r["method"] for r in run.records if "certain" in r["method"])
model = tl_jax.load(run_dir, job=name, seed=0, methods=certain_and_diverse)
test = model.task.problem.target.test
sure = model.probabilities(test.x)
wrong = np.flatnonzero(sure.argmax(1) != test.y)
worst = wrong[np.argsort(-sure[wrong].max(1))][:8]
figure, axes = plt.subplots(1, 8, figsize=(8, 1.4))
for axis, i in zip(axes, worst, strict=True):
    axis.imshow(test.x[i].squeeze(), cmap="gray")
    axis.set_title(f"{model.classes[sure[i].argmax()]} for {model.classes[test.y[i]]}", fontsize=8)
    axis.axis("off")
