"""Few labels of a new task: what to freeze and what to tune of a network that learnt digits."""

import tl_jax

result = tl_jax.fit(
    "digits:handwritten",
    "digits:parity",
    kind="inductive",
    network="mlp(hidden=(128,), bottleneck=0)",
    strategies=["scratch", "linear_probe", "full", "lora(rank=2)"],
    labels_per_class=[2, 10],
    pretrain_steps=200,
    steps=60,
    seeds=2,
)
print(result.table)
