"""Folders, lists and archives as people have them: links, pipes, strange names, splits without a test, bombs."""

import io
import os
import shutil
import socket
import tarfile
import warnings
import zipfile

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.data.files import archives, containers
from tl_jax.data.load import load


def said(spec):
    with pytest.raises(UserError) as caught:
        load(spec)
    return str(caught.value)


def noted(domain, part):
    assert any(part in note for note in domain.notes), domain.notes


def sizes(domain):
    return [len(part.y) for part in domain.splits.values()]


@pytest.fixture
def put(picture, write):
    """put(folder, n): so many pictures in a folder."""

    def make(folder, n=10):
        for i in range(n):
            write(folder / f"{i}.png", picture(sum(map(ord, str(folder)[-6:])) * 100 + i))

    return make


def test_links_to_nowhere_and_back_and_pipes_are_left_out_and_said(shop, monkeypatch):
    plain = load(f"folder:{shop}?size=8")
    os.symlink(shop / "nowhere.png", shop / "mug" / "gone.png")
    os.symlink(shop / "mug" / "self.png", shop / "mug" / "self.png")
    os.symlink(shop, shop / "mug" / "up")
    os.mkfifo(shop / "mug" / "pipe.png")
    domain = load(f"folder:{shop}?size=8")
    np.testing.assert_array_equal(domain.train.x, plain.train.x)
    noted(domain, "2 links lead nowhere and are left out (first: mug/gone.png)")
    noted(domain, "1 links lead back to a folder they are in and are left out (first: mug/up)")
    noted(domain, "1 pipes, sockets or devices are left out (first: mug/pipe.png)")
    with socket.socket(socket.AF_UNIX) as end:
        monkeypatch.chdir(shop / "bike")  # the name of a socket is short
        end.bind("s.png")
        noted(load(f"folder:{shop}?size=8"), "2 pipes, sockets or devices")


def test_a_link_to_another_folder_is_followed(shop, put, tmp_path):
    put(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", shop / "pen")
    domain = load(f"folder:{shop}?size=8")
    assert domain.classes == ("bike", "mug", "pen")
    assert not any("link" in note for note in domain.notes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(shop):
    (shop / "mug" / "03.png").chmod(0)
    assert "mug/03.png cannot be read (Permission denied)" in said(f"folder:{shop}?size=8")
    (shop / "mug").chmod(0)
    assert "cannot be opened (Permission denied)" in said(f"folder:{shop}?size=8")
    (shop / "mug").chmod(0o755)


def test_names_that_are_no_utf8_or_differ_by_case_are_read(shop, picture):
    with open(os.fsencode(shop) + b"/mug/caf\xe9.png", "wb") as file:
        file.write(picture(1))
    shutil.copytree(shop / "mug", shop / "Mug")
    (shop / "mug" / "00.PNG").write_bytes(picture(2))
    domain = load(f"folder:{shop}?size=8")
    assert sum(sizes(domain)) == 12 + 13 + 14
    names = np.concatenate(list(domain.ids.values())).tolist()
    assert {"mug/caf\\xe9.png", "mug/00.PNG", "mug/00.png"} <= set(names)
    noted(domain, "2 classes differ by upper and lower case alone: Mug, mug")


def test_every_example_is_called_by_its_file(shop):
    domain = load(f"folder:{shop}?size=8")
    for split, part in domain.splits.items():
        folders = [name.partition("/")[0] for name in domain.ids[split]]
        assert folders == [domain.classes[c] for c in part.y]


def test_what_is_no_image_is_counted(shop, write):
    for i in range(3):
        write(shop / "mug" / f"{i}.heic", "x")
    write(shop / "mug" / "more.zip", "x")
    write(shop / "mug" / "Thumbs.db", "x")
    write(shop / "cover.png", (shop / "mug" / "00.png").read_bytes())
    domain = load(f"folder:{shop}?size=8")
    noted(domain, "4 files are no images by their ending and are left out (3 .heic, 1 .zip)")
    noted(domain, "1 archives inside are not opened (first: mug/more.zip)")
    noted(domain, "1 images beside the class folders are left out (first: cover.png)")


def test_images_without_folders_have_no_labels(put, tmp_path):
    put(tmp_path / "flat", 20)
    domain = load(f"folder:{tmp_path}/flat?size=8")
    assert domain.classes == ()
    assert not domain.labelled
    assert domain.train.y.dtype == np.int32
    noted(domain, "no sub-folders: the labels are unknown")
    archive = shutil.make_archive(str(tmp_path / "flat"), "zip", tmp_path, "flat")
    np.testing.assert_array_equal(load(f"folder:{archive}?size=8").train.x, domain.train.x)


@pytest.mark.parametrize("extra", ["unlabeled", "unlabelled", "unsup", "figures"])
def test_folders_beside_those_of_the_splits_are_no_classes(put, tmp_path, extra):
    for split, n in (("train", 10), ("val", 3), ("test", 4)):
        for c in "ab":
            put(tmp_path / "set" / split / c, n)
    put(tmp_path / "set" / extra, 5)
    domain = load(f"folder:{tmp_path}/set?size=8")
    assert domain.classes == ("a", "b")
    assert sizes(domain) == [20, 6, 8]
    noted(domain, f"5 images in {extra}/ are left out (folder:PATH/{extra} reads them as a domain of their own)")


def test_without_a_test_folder_validation_is_the_test(put, tmp_path):
    for split, n in (("train", 20), ("val", 4)):
        for c in "ab":
            put(tmp_path / "set" / split / c, n)
    domain = load(f"folder:{tmp_path}/set?size=8")
    assert sizes(domain) == [36, 4, 8]
    assert all(name.startswith("val/") for name in domain.ids["test"])
    noted(domain, "there is no test folder: validation is the test, and a tenth of train is held out")


def test_a_test_folder_without_classes_has_no_labels(put, tmp_path):
    for c in "ab":
        put(tmp_path / "set" / "train" / c, 20)
    put(tmp_path / "set" / "test", 7)
    put(tmp_path / "set" / "train", 1)
    domain = load(f"folder:{tmp_path}/set?size=8")
    assert (domain.test.y == -1).all()
    assert sizes(domain) == [36, 4, 7]
    noted(domain, "7 images in test/ are in no class folder: their labels are unknown")
    noted(domain, "1 images beside the class folders are left out (first: train/0.png)")


@pytest.mark.parametrize("form", ["zip", "tar", "gztar"])
def test_an_archive_may_hold_one_folder_with_everything(shop, tmp_path, form):
    plain = load(f"folder:{shop}?size=8")
    archive = shutil.make_archive(str(tmp_path / "packed"), form, tmp_path, "shop")
    domain = load(f"folder:{archive}?size=8")
    assert domain.classes == plain.classes
    np.testing.assert_array_equal(domain.test.x, plain.test.x)
    noted(domain, "everything lies in shop/, which is taken for the folder")


def packed(path, members, kind=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", kind) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, data in members:
            archive.writestr(name, data)
    return f"folder:{path}?size=8"


def test_strange_members_of_a_zip_are_left_out_and_said(tmp_path, picture):
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = 0o120777 << 16
    good = [(f"{c}/{i}.png", picture(10 * ord(c) + i)) for c in "ab" for i in range(10)]
    domain = load(packed(tmp_path / "z.zip", [*good, (link, "../b/1.png"), ("../../etc/1.png", b"x"), good[3]]))
    assert sum(sizes(domain)) == 20
    noted(domain, "1 links in the archive are left out (first: a/link.png)")
    noted(domain, "1 members whose names lead out of the archive are left out")
    noted(domain, "1 names stand twice in the archive; the last member of each counts (first: a/3.png)")
    back = [(name.replace("/", "\\"), data) for name, data in good]
    assert load(packed(tmp_path / "w.zip", back)).classes == ("a", "b")


def test_encrypted_and_swollen_members_are_refused_unread(tmp_path, picture, monkeypatch):
    good = [(f"{c}/{i}.png", picture(10 * ord(c) + i)) for c in "ab" for i in range(10)]
    spec = packed(tmp_path / "locked.zip", good)
    data = bytearray((tmp_path / "locked.zip").read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    assert "a/0.png is encrypted (1 of 20 are). Unpack it first" in said(spec)
    monkeypatch.setattr(archives, "FREE", 1 << 16)
    spec = packed(tmp_path / "bomb.zip", [*good, ("a/bomb.png", bytes(30 << 20))], zipfile.ZIP_DEFLATED)
    assert "a/bomb.png, packed into 0.0 MB, has 0.0 GB" in said(spec)


def test_a_large_member_of_a_tar_is_never_held_in_memory(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(archives, "FREE", 1 << 20)
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as tar:
        for name, data in [
            *((f"{c}/{i}.png", picture(10 * ord(c) + i)) for c in "ab" for i in range(10)),
            ("notes.bin", bytes(2 << 20)),
        ]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        hard = tarfile.TarInfo("b/again.png")
        hard.type, hard.linkname = tarfile.LNKTYPE, "b/1.png"
        tar.addfile(hard)
    domain = load(f"folder:{tmp_path}/t.tar.gz?size=8")
    assert sum(sizes(domain)) == 21
    noted(domain, "members of more than 0.0 GB, or with gaps, are left out (first: notes.bin)")
    monkeypatch.setattr(archives, "FREE", 1 << 10)
    monkeypatch.setattr(archives, "SWOLLEN", 0)
    assert "unpacks to 0 times its size or more" in said(f"folder:{tmp_path}/t.tar.gz?size=8")


def test_a_file_that_no_memory_holds_is_not_read(shop, monkeypatch):
    monkeypatch.setattr(containers, "LARGEST", 100)
    assert "bike/03.png has 0.0 GB" in said(f"folder:{shop}?size=8")


@pytest.mark.parametrize("path", ["n" * 300, "a\0b", "~nobody_of_this_name/x"])
def test_a_path_that_cannot_be_is_named(path):
    for scheme in ("folder", "wav"):
        assert "there is no" in said(f"{scheme}:{path}")
