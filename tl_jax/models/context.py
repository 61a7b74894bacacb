"""Learned words before the names of classes, through the text tower: a head whose kernel is what that tower says."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.core.types import Array, Network, Tree
from tl_jax.models.files.pretrained import load
from tl_jax.models.parts.recipe import Recipe
from tl_jax.models.sequences.tokens import pieces
from tl_jax.models.zero_shot import PLACE, TEXTS, Pair


def with_context(network: Network, of: tuple[str, Recipe], classes: Sequence[str], size: int) -> Network:
    """The network whose cosine head has the kernel [w_1 .. w_c], w_j = text(v_1 .. v_size, name_j, rest of the prompt).

    of: the family of the towers and the recipe of the images', whose prompt says what follows a name; v [size, d] are
    parameters under "head/context", normal with deviation .02, the text tower's under "head/text".
    Zhou et al. 2022, arXiv 2109.01134. Raises UserError for several prompts, and for names that are too long.
    """
    family, recipe = of
    assert recipe.pretrained is not None
    text = TEXTS[family](from_=recipe.pretrained.place)
    ids, at = _ids(text, recipe, classes, size)
    tower = text.backbone(jnp.float32, "lax")

    def init(key: Array, x: Array) -> tuple[Tree, Tree]:
        params, stats = network.init(key, x)
        words, drawn = jax.random.split(jax.random.fold_in(key, size))
        new: Tree = tower.init(words, jnp.asarray(ids[:1]))["params"]
        width = new["embed"]["word"]["embedding"].shape[1]
        context = 0.02 * jax.random.normal(drawn, (size, width))
        return {**params, "head": {"scale": params["head"]["scale"], "context": context, "text": new}}, stats

    def apply(params: Tree, stats: Tree, x: Array, **how):
        head = params["head"]
        kernel: Any = tower.apply({"params": head["text"]}, jnp.asarray(ids), context=head["context"], at=at)
        return network.apply({**params, "head": {"kernel": kernel.T, "scale": head["scale"]}}, stats, x, **how)

    return Network(init, apply)


def _ids(text: Recipe, recipe: Recipe, classes: Sequence[str], size: int) -> tuple[np.ndarray, int]:
    """The pieces [c, t] of each name with what follows it, and how many stand before any text."""
    if len(recipe.prompts) != 1:
        raise UserError(f"A context is learned for one prompt, and the network has {len(recipe.prompts)}: leave one.")
    assert text.pretrained is not None
    (prompt,) = recipe.prompts
    rest = prompt.partition(PLACE)[2]
    names = [name.replace("_", " ").strip() + rest for name in classes]
    room = text.pretrained.length - size
    whole, _ = pieces(text.pretrained, names)
    if whole.shape[1] > room or room < 1:
        raise UserError(
            f"{size} learned words and a name of {whole.shape[1]} pieces are more than the "
            f"{text.pretrained.length} places of the text tower: use a shorter context."
        )
    return whole, pieces(text.pretrained, [""])[0].shape[1] - 1


def text_weights(of: Pair) -> dict[str, np.ndarray]:
    """{"head/text/...": array}: the text tower of a folder where `with_context` has it."""
    text = TEXTS[of.family](from_=of.place)
    tower = text.backbone(jnp.float32, "lax")
    shapes = jax.eval_shape(tower.init, jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"]
    empty = {"backbone": jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)}
    params, _, _ = load(of.place, empty, {}, file=of.file)
    return {f"head/text/{path}": np.asarray(x) for path, x in flatten(params["backbone"]).items()}
