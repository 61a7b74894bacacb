"""Networks: the one room that imports Flax.

    names/      how the arrays of published files are called
    files/      weights and sizes from files
    parts/      what networks are made of
    images/     cnn, vgg, resnet, mobilenet, efficientnet, densenet, convnext, vit, swin, dinov2
    sequences/  text, series, bert and its kin, deberta, modernbert
    sound/      sound, wav2vec2, whisper, spectrogram
    pairs/      clip, siglip

Open first: `networks.py`, the table of all of them, then a small one: `images/cnn.py`. `zero_shot.py` and `context.py`
make heads of the names of classes, `of_nnx.py` takes a trunk that is written in Flax NNX.
"""
