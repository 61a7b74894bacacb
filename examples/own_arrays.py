"""Your own arrays: a table of measurements, and the same instrument another year, whose labels nobody wrote down."""

import numpy as np

import tl_jax

draw = np.random.default_rng(0)


def measured(n: int, turned: float) -> tuple[np.ndarray, np.ndarray]:
    """Two classes in ten columns; `turned` is by how much the instrument has drifted."""
    y = draw.integers(0, 2, n)
    x = draw.normal(size=(n, 10)) + np.where(y[:, None], 1.5, -1.5) * np.eye(10)[0]
    angle = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    return np.concatenate([x[:, :2] @ angle.T, x[:, 2:]], axis=1).astype(np.float32), y


source, target = measured(600, 0.0), measured(600, 0.8)

# Labels of the target are used to score alone. fit(source, (x, None)) does without: then there are only predictions.
result = tl_jax.fit(source, target, ["source_only", "dan", "mcc"], steps=200, seeds=2)
print(result.table)
print((result.run_dir / "predictions.csv").read_text().splitlines()[0])
