"""Images in folders, archives and lists: what is read, and what is said of a wrong one."""

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded
from PIL import Image

from tl_jax.core.errors import UserError
from tl_jax.data.files import cache, decoder, decoders
from tl_jax.data.load import load
from tl_jax.data.readers import images
from tl_jax.data.readers.folder import listing
from tl_jax.data.spec import parse


def said(spec, **rest):
    with pytest.raises(UserError) as caught:
        load(spec, **rest)
    return str(caught.value)


def test_a_class_per_sub_folder(shop):
    domain = load(f"folder:{shop}?size=8")
    assert domain.classes == ("bike", "mug")
    assert [len(part.y) for part in domain.splits.values()] == [17, 2, 5]
    assert domain.train.x.shape == (17, 8, 8, 3)
    assert (domain.train.x.dtype, domain.train.y.dtype) == (np.uint8, np.int32)
    again = load(f"folder:{shop}?size=8")
    np.testing.assert_array_equal(domain.train.x, again.train.x)
    assert isinstance(again.train.x, np.memmap)


def test_a_zip_and_a_tar_of_the_folder_hold_the_same_domain(shop, tmp_path):
    plain = load(f"folder:{shop}?size=8")
    for form in ("zip", "gztar", "tar"):
        archive = shutil.make_archive(str(tmp_path / form), form, shop)
        domain = load(f"folder:{archive}?size=8")
        np.testing.assert_array_equal(domain.test.x, plain.test.x)
        np.testing.assert_array_equal(domain.test.y, plain.test.y)


def test_folders_named_for_splits_are_the_splits(tmp_path, picture, write):
    for part, n in (("train", 10), ("val", 3), ("test", 4)):
        for c in ("a", "b"):
            for i in range(n):
                write(tmp_path / part / c / f"{i}.png", picture(hash((part, c, i)) % 1000))
    domain = load(f"folder:{tmp_path}?size=4")
    assert domain.classes == ("a", "b")
    assert [len(p.y) for p in domain.splits.values()] == [20, 6, 8]


def test_a_list_names_files_labels_and_splits(tmp_path, picture, write):
    for i in range(9):
        write(tmp_path / "flat" / f"{i}.png", picture(i))
    lines = [f"{i}.png,{'cat' if i % 2 else 'dog'},{['train', 'train', 'test'][i % 3]}" for i in range(9)]
    write(tmp_path / "flat" / "list.csv", "\n".join(["file,label,split", *lines]))
    domain = load(f"folder:{tmp_path}/flat#list.csv?size=8")
    assert domain.classes == ("cat", "dog")
    assert len(domain.test.y) == 3
    write(tmp_path / "flat" / "bad.csv", "file,lable\n0.png,cat")
    assert "Unknown column 'label'. Did you mean 'lable'?" in said(f"folder:{tmp_path}/flat#bad.csv")
    write(tmp_path / "flat" / "gone.csv", "file,label\n0.png,cat\n77.png,dog")
    assert "line 3: there is no 77.png" in said(f"folder:{tmp_path}/flat#gone.csv")


def test_decoding_resizes_the_short_side_and_crops_the_centre():
    x = np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)
    picture = Image.fromarray(x).resize((45, 20), Image.Resampling.BILINEAR)
    expected = np.asarray(picture)[2:18, 14:30]
    np.testing.assert_array_equal(decoder.decode(encoded(x), images.Look(16, 20, 3)), expected)
    np.testing.assert_array_equal(decoder.decode(encoded(x[:16, :16]), images.Look(16, 16)), x[:16, :16])


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_colour_or_grey(mode):
    grey = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (16, 1))
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "TIFF" if mode in ("CMYK", "I;16") else "PNG")
    for channels in (1, 3):
        x = decoder.decode(buffer.getvalue(), images.Look(8, 8, channels))
        assert x.shape == (8, 8, channels)
        assert x.dtype == np.uint8
        assert x[:, -1].mean() > x[:, 0].mean()


def test_a_large_jpeg_is_decoded_at_reduced_scale_to_nearly_the_same_pixels():
    ramp = np.tile(np.linspace(0, 255, 256).astype(np.uint8), (256, 1))
    data = encoded(np.stack([ramp, ramp.T, ramp], -1), "JPEG")
    full = Image.open(io.BytesIO(data)).convert("RGB").resize((16, 16), Image.Resampling.BILINEAR)
    small = decoder.decode(data, images.Look(16, 16)).astype(int)
    assert np.abs(small - np.asarray(full)).max() < 16


def test_a_level_too_high_is_named_with_the_right_one(shop, tmp_path):
    (tmp_path / "amazon").mkdir()
    shutil.move(shop, tmp_path / "amazon" / "images")
    message = said(f"folder:{tmp_path}/amazon")
    assert 'found 1 class ("images") with 24 files' in message
    assert "look like 2 classes" in message
    assert f"Did you mean folder:{tmp_path}/amazon/images ?" in message
    shutil.copytree(tmp_path / "amazon" / "images", tmp_path / "root" / "amazon")
    shutil.copytree(tmp_path / "amazon" / "images", tmp_path / "root" / "webcam")
    message = said(f"folder:{tmp_path}/root")
    assert "they look like domains, not classes" in message
    assert f"folder:{tmp_path}/root/amazon ?" in message


def test_one_class_an_empty_class_and_no_image(shop, tmp_path, picture, write):
    write(tmp_path / "one" / "mug" / "1.png", picture())
    assert 'found 1 class ("mug") with 1 files' in said(f"folder:{tmp_path}/one")
    write(tmp_path / "flat" / "1.txt", "notes")
    assert "there is no image in" in said(f"folder:{tmp_path}/flat")
    (shop / "pen").mkdir()
    assert "no image in the class folder pen" in said(f"folder:{shop}")
    assert "there is no" in said("folder:nowhere")
    assert "is a file" in said(f"folder:{write(tmp_path / 'notes.txt', 'x')}")


def test_an_empty_split_says_the_sizes(tmp_path, picture, write):
    for c in ("a", "b"):
        write(tmp_path / "tiny" / c / "1.png", picture(ord(c)))
    assert "the validation split is empty (2 train, 0 validation, 0 test)" in said(f"folder:{tmp_path}/tiny?size=8")


def test_a_split_folder_without_images_is_not_taken_for_a_domain(tmp_path, picture, write):
    for split in ("train", "val"):
        for c in ("a", "b"):
            write(tmp_path / "set" / split / c / "1.png", picture(ord(c)))
    (tmp_path / "set" / "test" / "a").mkdir(parents=True)
    message = said(f"folder:{tmp_path}/set?size=8")
    assert "images for the splits train, val only" in message
    assert "need images in train and in test" in message


def test_a_truncated_picture_is_named_and_nothing_is_kept(shop, picture, write):
    write(shop / "mug" / "05.jpg", picture(5, 64, 64, "JPEG")[:900])
    message = said(f"folder:{shop}?size=8")
    assert "mug/05.jpg" in message
    assert "cannot be decoded" in message
    assert list(cache.folder().iterdir()) == []


def test_a_web_page_or_half_an_archive_is_not_taken_for_one(shop, tmp_path, write):
    page = write(tmp_path / "office.zip", "<!DOCTYPE html><html>quota exceeded</html>" * 50)
    assert f"{page} is 2.1 KB of HTML" in said(f"folder:{page}")
    whole = shutil.make_archive(str(tmp_path / "whole"), "zip", shop)
    half = write(tmp_path / "half.zip", Path(whole).read_bytes()[:2000])
    assert f"{half} (0.0 MB) is not a whole zip archive" in said(f"folder:{half}")
    tar = shutil.make_archive(str(tmp_path / "whole"), "gztar", shop)
    half = write(tmp_path / "half.tar.gz", Path(tar).read_bytes()[:2000])
    assert "is not a whole tar archive" in said(f"folder:{half}")


def test_wrong_options_are_answered(shop):
    assert "Did you mean 'size'?" in said(f"folder:{shop}?sise=8")
    assert "size=0; a whole number of at least 1" in said(f"folder:{shop}?size=0")
    assert "resize is at least size" in said(f"folder:{shop}?size=16&resize=8")


def test_names_in_archives_are_read_as_they_are(tmp_path, picture):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as z, tarfile.open(tmp_path / "t.tar", "w") as t:
        for c in "ab":
            for i in range(12):
                name, data = f"./{c}/{i}.png", picture(ord(c) * 50 + i)
                z.writestr(name[2:], data)
                info = tarfile.TarInfo(name)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
            z.writestr(f"__MACOSX/{c}/._0.png", b"junk")
    a, b = load(f"folder:{tmp_path}/z.zip?size=8"), load(f"folder:{tmp_path}/t.tar?size=8")
    assert a.classes == b.classes == ("a", "b")
    np.testing.assert_array_equal(a.train.x, b.train.x)


def test_worker_processes_decode_what_this_one_does(tmp_path, picture, write, monkeypatch):
    """Enough images for two workers, one of them broken; an image is written to the row of its name."""
    for i in range(420):
        write(tmp_path / "set" / ("even", "odd")[i % 2] / f"{i:03d}.png", picture(i, 9, 8, "PNG"))
    write(tmp_path / "set" / "odd" / "417.png", "no picture")
    files = listing(parse(f"folder:{tmp_path / 'set'}"), "").files
    look = images.Look(8, 8)
    alone, together = np.zeros((2, 420, 8, 8, 3), np.uint8)
    monkeypatch.setattr(decoders, "workers", lambda: 1)
    errors = decoders.decode(files, range(420), look, alone).errors
    monkeypatch.setattr(decoders, "workers", lambda: 2)
    assert decoders.decode(files, range(420), look, together).errors == errors
    assert errors == {418: "UnidentifiedImageError: cannot identify image file"}
    assert files.names[418] == "odd/417.png"
    np.testing.assert_array_equal(together, alone)
