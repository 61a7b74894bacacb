"""Three domains of digits that need no download: handwritten, printed and photo.

Each holds uint8 images [n, 16, 16, 3] and int32 labels [n], the same to the byte at every call.

    domain              train  validation  test
    digits:handwritten   1200         150   447   scans, white on black
    digits:printed       3000         300   500   rendered type, white on black
    digits:photo         1200         150   447   the handwritten digits over crops of photographs
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tl_jax.data.domain import Domain, Examples

CLASSES = tuple("0123456789")
SIDE = 16
_SCANS = "data/digits.csv.gz"

# The faces in matplotlib's font folder that draw upright or slanted digits. Left out: the display, size and
# symbol fonts, which have none or draw symbols in their place (cmex10, cmsy10, LastResortHE-Regular).
# cmmi10 has old-style figures: its 0, 1 and 2 are low, its 3 descends.
FACES = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmb10",
    "cmmi10",
    "cmr10",
    "cmss10",
    "cmti10",
    "cmtt10",
)


class _Splits(NamedTuple):
    train: Examples
    validation: Examples
    test: Examples


def handwritten() -> Domain:
    """Scanned digits: the 1797 images of 8 x 8 that scikit-learn ships, enlarged to 16 x 16.

    This is the test file of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998,
    doi:10.24432/C50P49): 13 people, whose digits stand in groups by writer. The split here is a
    seeded shuffle within each class (120 train, 15 validation, the rest test), so the splits share
    writers: its test accuracy says how well known hands are read, not new ones.
    """
    return Domain("digits:handwritten", CLASSES, *(Examples(_colour(x), y) for x, y in _handwriting()))


def printed() -> Domain:
    """Rendered digits in the 22 faces of FACES, centred, then scaled, turned and shifted at random.

    A face's tallest figure is 10.8 to 15.5 pixels high, angles are within 10 degrees, shifts within 1 pixel,
    all uniform; classes are balanced in every split, and the faces are the same in all three.
    """
    rng = np.random.default_rng(1)
    glyphs = _glyphs()
    splits = (_typeset(glyphs, n, rng) for n in (3000, 300, 500))
    return Domain("digits:printed", CLASSES, *splits)


def photo() -> Domain:
    """The handwritten digits over photographs, |crop - digit| in each channel: the recipe of MNIST-M.

    The crops are 16 x 16, from scikit-learn's two photographs (china.jpg, flower.jpg) at half size.
    Example i of a split is example i of that split of `handwritten`, so the scans in its test are not
    in the training split of `handwritten`; train, validation and test crops come from separate
    strips of the photographs. Recipe: Ganin et al. 2016, arXiv:1505.07818 (there over BSDS500).
    """
    rng = np.random.default_rng(2)
    splits = []
    for (x, y), numbers in zip(_handwriting(), STRIPS, strict=True):
        crop = _crops(_strips(numbers), len(y), rng).astype(np.int16)
        splits.append(Examples(np.abs(crop - x[..., None]).astype(np.uint8), y))
    return Domain("digits:photo", CLASSES, *splits)


def _colour(x: np.ndarray) -> np.ndarray:
    """Grey [n, h, w] to three equal channels [n, h, w, 3]."""
    return np.repeat(x[..., None], 3, axis=-1)


def _scans() -> tuple[np.ndarray, np.ndarray]:
    """The scans of scikit-learn: ink [1797, 64] from 0 to 16, and the digit [1797]."""
    found = find_spec("sklearn")
    file = Path((found and found.origin) or "").with_name("datasets") / _SCANS
    if file.exists():  # to import scikit-learn would take longer than all that is drawn here
        table = np.loadtxt(file, delimiter=",")
        return table[:, :-1], table[:, -1]
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return bunch.data, bunch.target


def _handwriting() -> _Splits:
    """The scanned digits, grey: x [n, 16, 16] uint8 and y [n] int32 of each split."""
    from PIL import Image

    ink, label = _scans()
    grey = np.rint(ink.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    size = (SIDE, SIDE)
    x = np.stack([np.asarray(Image.fromarray(g).resize(size, Image.Resampling.BILINEAR)) for g in grey])
    y = label.astype(np.int32)
    return _Splits(*(Examples(x[rows], y[rows]) for rows in _stratified(y)))


def _stratified(y: np.ndarray) -> list[np.ndarray]:
    """Rows of the train, validation and test split: of each class 120, 15 and the rest, in mixed order."""
    rng = np.random.default_rng(0)
    by_class = [rng.permutation(np.flatnonzero(y == c)) for c in range(10)]
    parts = zip(*(np.split(rows, [120, 135]) for rows in by_class), strict=True)
    return [rng.permutation(np.concatenate(part)) for part in parts]


# Glyphs are drawn four times too large and averaged down, which smooths their edges.
_FINE = 4
_CANVAS = SIDE * _FINE
_FIGURE = 54  # height of a face's tallest digit on the fine canvas before scaling: 13.5 pixels of 16


def _glyphs() -> list[list]:
    """One fine grey PIL image per face and digit, [22][10], the digit's box in its middle."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"

    def load(face, size):
        return ImageFont.truetype(folder / f"{face}.ttf", size, layout_engine=ImageFont.Layout.BASIC)

    def draw(font, digit):
        page = Image.new("L", (2 * _CANVAS, 2 * _CANVAS))
        ImageDraw.Draw(page).text((_CANVAS // 2, 0), digit, fill=255, font=font)
        ink = page.crop(page.getbbox())  # the font's own box counts the space beside the digit
        glyph = Image.new("L", (_CANVAS, _CANVAS))
        glyph.paste(ink, ((_CANVAS - ink.width) // 2, (_CANVAS - ink.height) // 2))
        return glyph

    rows = []
    for face in FACES:
        # A face's nominal size says little about its figures, so measure them first.
        boxes = [load(face, 100).getbbox(digit) for digit in CLASSES]
        font = load(face, int(100 * _FIGURE / max(bottom - top for _, top, _, bottom in boxes)))
        rows.append([draw(font, digit) for digit in CLASSES])
    return rows


def _typeset(glyphs: list[list], n: int, rng: np.random.Generator) -> Examples:
    """Draw n digits, n / 10 of each class in mixed order: each in a random face, size, angle and place."""
    from PIL import Image

    y = rng.permutation(np.arange(n, dtype=np.int32) % 10)
    faces = rng.integers(len(glyphs), size=n)
    scale = rng.uniform(0.8, 1.15, size=n)
    angle = np.deg2rad(rng.uniform(-10, 10, size=n))
    shift = rng.uniform(-1, 1, size=(n, 2)) * _FINE
    # PIL maps places in the result to places in the glyph: turn and scale back about the middle.
    cos, sin, middle = np.cos(angle) / scale, np.sin(angle) / scale, _CANVAS / 2
    dx, dy = (middle + shift).T
    rows = np.stack([cos, sin, middle - cos * dx - sin * dy, -sin, cos, middle + sin * dx - cos * dy], axis=1)
    size = (_CANVAS, _CANVAS)
    fine = [
        glyphs[face][c].transform(size, Image.Transform.AFFINE, tuple(row), Image.Resampling.BILINEAR)
        for face, c, row in zip(faces, y, rows, strict=True)
    ]
    x = np.stack([np.asarray(image.reduce(_FINE)) for image in fine])
    return Examples(_colour(x), y)


# The photographs at half size are cut into ten strips of 32 columns, of which each split has its own.
# Alternating, since one end of both photographs is all background (sky, leaves out of focus).
STRIPS = ((0, 2, 3, 6, 7, 9), (5,), (1, 4, 8))  # train, validation, test
_STRIP_WIDTH = 32


def _strips(numbers: tuple[int, ...]) -> list[np.ndarray]:
    """Those strips of the two photographs at half size: each [h, 32, 3] uint8, one photograph's first."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    # At full size a crop is mostly one colour; at half size it holds edges for the digit to fight with.
    halves = [np.asarray(Image.fromarray(image).reduce(2)) for image in load_sample_images().images]
    return [half[:, k * _STRIP_WIDTH : (k + 1) * _STRIP_WIDTH] for half in halves for k in numbers]


def _crops(strips: list[np.ndarray], n: int, rng: np.random.Generator) -> np.ndarray:
    """n crops [n, 16, 16, 3] at uniform places of uniformly drawn strips (of one shape)."""
    # The window's axes come last in the view: [strips, tops, lefts, 3, 16, 16].
    windows = np.lib.stride_tricks.sliding_window_view(np.stack(strips), (SIDE, SIDE), axis=(1, 2))
    places = tuple(rng.integers(size, size=n) for size in windows.shape[:3])
    return windows[places].transpose(0, 2, 3, 1)
