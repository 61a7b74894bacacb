"""Pictures as cameras, scanners and drawing programs write them: what becomes of each, and what is said."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tl_jax.core.errors import UserError
from tl_jax.data.files import decoder
from tl_jax.data.load import load
from tl_jax.data.readers import images

RAMP = np.tile(np.linspace(0, 1, 16), (16, 1))
GREY = images.Look(16, 16, 1)


def saved(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def said(spec):
    with pytest.raises(UserError) as caught:
        load(spec)
    return str(caught.value)


def folder_of(place, write, make, ending="png", n=10):
    for c, name in enumerate(("a", "b")):
        for i in range(n):
            write(place / name / f"{i}.{ending}", make(c, i))
    return f"folder:{place}?size=8"


DEEP = {
    "16 bits": (lambda top: Image.fromarray((RAMP * top).astype(np.uint16)), 65535, ("TIFF", "PNG")),
    "16 bits, high byte first": (
        lambda top: Image.frombytes("I;16B", (16, 16), (RAMP * top).astype(">u2").tobytes()),
        65535,
        ("TIFF",),
    ),
    "32 bits": (lambda top: Image.fromarray((RAMP * top).astype(np.int32)), 65535, ("TIFF",)),
    "floats": (lambda top: Image.fromarray((RAMP * top).astype(np.float32)), 1.0, ("TIFF",)),
}


@pytest.mark.parametrize("kind", DEEP)
def test_more_than_eight_bits_are_scaled_by_the_range_of_their_type(kind):
    make, white, forms = DEEP[kind]
    for form in forms:
        for share in (1.0, 0.5):
            found = decoder.examined(saved(make(share * white), form), GREY)
            np.testing.assert_allclose(found.pixels[..., 0], RAMP * share * 255, atol=1)
            assert found.marks == ("deep",)
            assert found.peak == pytest.approx(share, abs=1e-3)


def test_a_value_that_is_white_may_be_given_and_none_may_be_beyond_it():
    data = saved(Image.fromarray((RAMP * 4095).astype(np.uint16)), "TIFF")
    assert decoder.decode(data, GREY._replace(white=4095)).max() == 255
    for values, message in ((RAMP * 255, "from 0 to 255, white being 1: say [?]white="), (RAMP - 1, "from -1 to 0")):
        with pytest.raises(ValueError, match=message):
            decoder.decode(saved(Image.fromarray(values.astype(np.float32)), "TIFF"), GREY)
    with pytest.raises(ValueError, match="NaN"):
        decoder.decode(saved(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"), GREY)


def test_deep_pictures_are_counted_and_those_that_would_be_black_refused(tmp_path, write):
    deep = lambda top: lambda c, i: saved(Image.fromarray((RAMP * top).astype(np.uint16) + c + i), "TIFF")
    domain = load(folder_of(tmp_path / "twelve", write, deep(4000), "tif"))
    assert domain.notes[0].startswith("20 of 20 images have more than 8 bits a channel and are brought to 8")
    assert "0.061 of white: ?white=VALUE would use the whole range" in domain.notes[1]
    assert load(f"folder:{tmp_path}/twelve?size=8").notes == domain.notes  # from the cache, too
    spec = folder_of(tmp_path / "eight", write, deep(200), "tif")
    assert "they would be black. Say which value is white: ?white=255" in said(spec)
    assert load(f"{spec}&white=255").train.x.max() > 180
    assert "white=dark; the value that is white is above 0" in said(f"{spec}&white=dark")


def test_scans_in_which_zero_is_white_are_not_read_inverted():
    data = bytearray(saved(Image.fromarray((RAMP * 65535).astype(np.uint16)), "TIFF"))
    entry = data.index(struct.pack("<HHI", 262, 3, 1))
    data[entry + 8 : entry + 10] = struct.pack("<H", 0)
    np.testing.assert_allclose(decoder.decode(bytes(data), GREY)[..., 0], 255 - RAMP * 255, atol=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB with a transparent colour"])
def test_transparent_drawings_lie_on_white(mode):
    drawn = np.zeros((16, 16, 4), np.uint8)
    drawn[4:12, 4:12, 3] = 255  # a black disc; what surrounds it is transparent black
    image = Image.fromarray(drawn)
    if mode in ("RGBA", "LA"):
        data = saved(image.convert(mode))
    elif mode == "P":
        palette = Image.fromarray((drawn[..., 3] > 0).astype(np.uint8), "P")
        palette.putpalette([0] * 768)
        data = saved(palette, "GIF", transparency=0)
    else:
        drawn[drawn[..., 3] == 0, 1] = 7
        data = saved(Image.fromarray(drawn[..., :3]), transparency=(0, 7, 0))
    found = decoder.examined(data, images.Look(16, 16))
    assert found.marks == ("transparent",)
    assert (found.pixels == np.where(drawn[..., 3:] > 0, 0, 255)).all()
    opaque = saved(Image.fromarray(np.dstack([drawn[..., :3], np.full((16, 16), 255, np.uint8)])))
    assert decoder.examined(opaque, GREY).marks == ()


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_pictures_are_seen_as_their_exif_says(turn, form):
    from PIL import ImageOps

    shade = np.arange(32 * 16, dtype=np.uint8).reshape(32, 16) // 2
    image = Image.fromarray(shade)
    exif = image.getexif()
    exif[0x0112] = turn
    data = saved(image, form, exif=exif, **({"quality": 100} if form == "JPEG" else {}))
    with Image.open(io.BytesIO(data)) as opened:
        seen = ImageOps.exif_transpose(opened)
    found = decoder.examined(data, GREY)
    np.testing.assert_allclose(found.pixels, decoder.decode(saved(seen), GREY), atol=2)
    assert found.marks == (("turned",) if turn > 1 else ())


def test_of_several_frames_the_first_is_read_and_that_is_counted(tmp_path, write):
    frames = [Image.fromarray(np.full((8, 8), shade, np.uint8)) for shade in (40, 200, 220)]
    for form in ("GIF", "TIFF", "WEBP", "PNG"):
        found = decoder.examined(saved(frames[0], form, save_all=True, append_images=frames[1:]), GREY)
        assert found.marks == ("frames",)
        assert abs(int(found.pixels.mean()) - 40) < 3
    moving = lambda c, i: saved(frames[c], "GIF", save_all=True, append_images=[frames[2 - i % 2]])
    domain = load(folder_of(tmp_path, write, moving, "gif"))
    assert any("have several frames or pages, of which the first is read" in note for note in domain.notes)
    with Image.open(tmp_path / "a" / "0.gif") as image:
        assert len(list(ImageSequence.Iterator(image))) == 2


def test_ink_and_palettes_and_two_shades_are_right():
    for mode, form in (
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "JPEG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("1", "TIFF"),
    ):
        red = Image.new("RGB", (16, 16), (250, 10, 10)).convert(mode)
        expected = np.array([255, 255, 255] if mode == "1" else [250, 10, 10])
        red = Image.new("1", (16, 16), 1) if mode == "1" else red
        pixels = decoder.decode(saved(red, form), images.Look(8, 8)).reshape(-1, 3)
        assert np.abs(pixels.astype(int) - expected).max() < 12, (mode, form)


def test_an_empty_or_an_enormous_picture_is_named(tmp_path, write, picture):
    def header(w, h):
        data = bytearray(saved(Image.new("1", (8, 8))))
        data[16:24] = struct.pack(">II", w, h)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
        return bytes(data)

    spec = folder_of(tmp_path, write, lambda c, i: picture(10 * c + i))
    for size, message in (((12000, 12000), "12000 x 12000 pixels; from 1 to 120 million"), ((2**31 - 1, 1), "pixels")):
        write(tmp_path / "a" / "3.png", header(*size))
        text = said(spec)
        assert "a/3.png cannot be decoded" in text
        assert message in text
    write(tmp_path / "a" / "3.png", b"")
    assert "a/3.png cannot be decoded" in said(spec)


def test_no_format_that_starts_a_program_is_opened(tmp_path, write, picture, monkeypatch):
    from PIL import EpsImagePlugin

    def started(*_args, **_rest):
        raise AssertionError("Ghostscript was started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", started)
    spec = folder_of(tmp_path, write, lambda c, i: picture(10 * c + i))
    write(tmp_path / "b" / "2.png", saved(Image.new("RGB", (8, 8)), "EPS"))
    assert "b/2.png cannot be decoded (UnidentifiedImageError" in said(spec)


def test_grey_and_colour_and_sizes_may_be_mixed(tmp_path, write):
    make = lambda c, i: saved(Image.new("L" if i % 2 else "RGB", (9 + i, 20 - i), 20 * i if i % 2 else (9, 20 * i, c)))
    domain = load(folder_of(tmp_path, write, make))
    assert domain.train.x.shape[1:] == (8, 8, 3)
    assert domain.notes == ()


def test_a_side_that_no_memory_holds_is_refused(shop):
    assert "at most 16384 pixels a side" in said(f"folder:{shop}?size=1000000000")
