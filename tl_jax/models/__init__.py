"""Networks: the one room that imports Flax.

In: a name or a call with arguments ("resnet18(bottleneck=256)"), the number of classes, the type to compute in.
Out: `core.types.Network(init, apply)`: pure functions over plain trees. Everything above sees nothing else, so a
network from another library is two functions.

`networks.py` is the way in: the table of networks, what examples each takes, and `build`. One file a family: `cnn.py`,
`resnet.py`, `vit.py`, `text.py`, ... A network is a trunk, perhaps a bottleneck, and a head (`heads.py`, `recipe.py`);
`sharing.py` makes one trunk serve several tasks; `pure.py` is the fence around Flax. `conv.py` chooses the form of a
convolution that suits the platform.
`pretrained.py` and `weights.py` read and write files of weights under the names of torchvision, timm and Hugging Face
(names/).

Open first: `networks.py`, then `cnn.py`. docs/networks.md has every argument.
"""
