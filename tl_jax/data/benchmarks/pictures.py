"""Benchmarks of image files in folders by class."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.benchmarks.record import Asked, Benchmark, File
from tl_jax.data.files.containers import Files, below, chosen, open_files
from tl_jax.data.readers.folder import Listing, tree
from tl_jax.data.readers.images import Look
from tl_jax.data.splits import Rows, given, hold_out

TREE = ("split", "all")
"""split: 70 / 10 / 20 % of every class, drawn with seed 0. all: the transductive protocol of the published tables,
90 % train, 10 % validation, and test is every image (the bound target_only means nothing there)."""


def located(folder: Path, places: tuple[str, ...], archives: tuple[str, ...]) -> Files | None:
    """The files below the first of `places` that is in the folder, one or two levels down, or in an archive there."""
    for place in places:
        for pattern in (place, f"*/{place}", f"*/*/{place}"):
            if found := sorted(path for path in folder.glob(pattern) if path.is_dir()):
                return open_files(found[0])
    for name in archives:
        if not (folder / name).is_file():
            continue
        files = open_files(folder / name)
        for place in places:
            match = re.compile(rf"((?:[^/]+/){{0,2}}{re.escape(place)})/")
            if found := {m.group(1) for m in map(match.match, files.names) if m}:
                return below(files, min(found, key=len))
    return None


def folders(
    *places: str,
    archives: tuple[str, ...],
    names: Mapping[str, tuple[str, ...]] | None = None,
    classes: Mapping[str, str] | None = None,
) -> Callable[[Asked], Listing | None]:
    """A reader of PLACE/CLASS/IMAGE. In places and archives {domain} stands for the domain, or its `names`."""

    def read(asked: Asked) -> Listing | None:
        spellings = (names or {}).get(asked.domain, (asked.domain,))
        filled = tuple(place.format(domain=spelling) for place in places for spelling in spellings)
        files = located(asked.folder, filled, tuple(name.format(domain=asked.domain) for name in archives))
        if files is None:
            return None
        return transductive(tree(asked.name, files, classes=classes), asked.protocol)

    return read


def transductive(found: Listing, protocol: str) -> Listing:
    """The listing under one of TREE."""
    if protocol != "all":
        return found
    train, validation = hold_out(found.y)
    return found._replace(rows=Rows(train, validation, np.concatenate([train, validation])))


def domainnet(asked: Asked) -> Listing | None:
    """Images with the official lists of training and test images, where they lie beside them."""
    found = folders("{domain}", archives=("{domain}.zip",))(asked)
    lists = [asked.folder / f"{asked.domain}_{part}.txt" for part in ("train", "test")]
    if found is None or asked.protocol != "official":
        return found and transductive(found, asked.protocol)
    if not all(path.is_file() for path in lists):
        return None
    part = {}
    for number, path in zip((0, 2), lists, strict=True):
        # Lines are 'clipart/airplane/clipart_002_000001.jpg 1'.
        lines = path.read_text(errors="replace").splitlines()
        part |= {line.split()[0].partition("/")[2]: number for line in lines if line.strip()}
    if not any(name in part for name in found.files.names):
        raise UserError(f"{lists[0]} and {lists[1].name} name no image of {found.files.root}. Get them again.")
    keep = np.array([name in part for name in found.files.names])
    names = [name for name in found.files.names if name in part]
    y = found.y[keep]
    rows = given(y, np.array([part[name] for name in names]))
    return found._replace(files=chosen(found.files, names), y=y, rows=rows)


OFFICE31 = Benchmark(
    "Office-31 (Saenko, Kulis, Fritz, Darrell 2010, doi:10.1007/978-3-642-15561-1_16)",
    "https://faculty.cc.gatech.edu/~judy/domainadapt/",
    "office31",
    (
        File("domain_adaptation_images.tar.gz", instead="office31_{domain}.zip"),
        File(
            "office31_amazon.zip",
            24426788,
            "72c8e36b19571d2494402ee6b3d51bcdc10c1317327207e5415813a900a2a64a",
            ("amazon",),
            "domain_adaptation_images.tar.gz",
        ),
        File(
            "office31_webcam.zip",
            21269364,
            "261ffe70d9c8ef8ced4d083923144eb454cce91e4e5c0c8176d03ef721eb22ed",
            ("webcam",),
            "domain_adaptation_images.tar.gz",
        ),
    ),
    folders("{domain}/images", "{domain}", archives=("office31_{domain}.zip", "domain_adaptation_images.tar.gz")),
    ("amazon", "webcam", "dslr"),
    TREE,
    "amazon/back_pack/frame_0001.jpg",
    look=Look(),
)
OFFICE_HOME = Benchmark(
    "Office-Home (Venkateswara, Eusebio, Chakraborty, Panchanathan 2017, arXiv:1706.07522)",
    "https://www.hemanthdv.org/officeHomeDataset.html",
    "office_home",
    (File("OfficeHomeDataset_10072016.zip"),),
    folders(
        "{domain}",
        archives=("OfficeHomeDataset_10072016.zip", "OfficeHomeDataset.zip", "office_home.zip"),
        names={"RealWorld": ("Real World", "RealWorld", "Real_World")},
    ),
    ("Art", "Clipart", "Product", "RealWorld"),
    TREE,
    "Art/Alarm_Clock",
    look=Look(),
)
PACS = Benchmark(
    "PACS (Li, Yang, Song, Hospedales 2017, arXiv:1710.03077)",
    "https://dali-dl.github.io/project_iccv2017.html",
    "pacs",
    (File("PACS.zip"),),
    folders("kfold/{domain}", "{domain}", archives=("PACS.zip", "pacs.zip", "kfold.zip")),
    ("photo", "art_painting", "cartoon", "sketch"),
    TREE,
    "photo/dog",
    look=Look(),
)
VLCS = Benchmark(
    "VLCS (Fang, Xu, Rockmore 2013, doi:10.1109/ICCV.2013.208)",
    "https://github.com/fmcarlucci/JigenDG#vlcs",
    "vlcs",
    (File("VLCS.tar.gz"),),
    folders(
        "{domain}/full",
        "{domain}",
        archives=("VLCS.tar.gz", "VLCS.zip"),
        names={
            "caltech": ("Caltech101", "CALTECH"),
            "labelme": ("LabelMe", "LABELME"),
            "sun": ("SUN09", "SUN"),
            "voc": ("VOC2007", "PASCAL"),
        },
        classes={"0": "bird", "1": "car", "2": "chair", "3": "dog", "4": "person"},
    ),
    ("caltech", "labelme", "sun", "voc"),
    TREE,
    "Caltech101/bird",
    look=Look(),
)
VISDA = Benchmark(
    "VisDA-2017 classification (Peng et al. 2017, arXiv:1710.06924)",
    "https://ai.bu.edu/visda-2017/",
    "visda",
    (File("train.tar", domains=("train",)), File("validation.tar", domains=("validation",))),
    folders("{domain}", archives=("{domain}.tar",)),
    ("train", "validation"),
    TREE,
    "train/aeroplane",
    look=Look(),
)
DOMAINNET = Benchmark(
    "DomainNet, cleaned (Peng et al. 2019, arXiv:1812.01754)",
    "https://ai.bu.edu/M3SDA/",
    "domainnet",
    (File("{domain}.zip"), File("{domain}_train.txt"), File("{domain}_test.txt")),
    domainnet,
    ("clipart", "infograph", "painting", "quickdraw", "real", "sketch"),
    ("official", *TREE),
    "clipart/airplane",
    "domainnet/{domain}",
    Look(),
)
IMAGENET_R = Benchmark(
    "ImageNet-R (Hendrycks et al. 2021, arXiv:2006.16241)",
    "https://github.com/hendrycks/imagenet-r",
    "imagenet_r",
    (File("imagenet-r.tar", 2191079936, "18c6bf493b39a0d975d48e587437f562caab9c52ae6327dcfa9dd8eb54aa1b52"),),
    folders("imagenet-r", archives=("imagenet-r.tar",)),
    protocols=TREE,
    layout="imagenet-r/n01443537",
    tfds="imagenet_r:test",
    look=Look(),
)
