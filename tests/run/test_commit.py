"""Which commit a run says it was made by."""

import subprocess

from tl_jax.run.store import environment
from tl_jax.run.store.environment import commit


def test_the_commit_says_whether_the_package_is_as_committed(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert commit(package) is None
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "one")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    found = commit(package)
    assert found
    assert len(found) == 40
    (tmp_path / "notes.txt").write_text("beside the package")
    assert commit(package) == found
    (package / "__init__.py").write_text("x = 1")
    assert commit(package) == f"{found}-dirty"


def test_a_checkout_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("jax", "no-such-package"))
    found = environment.environment()["packages"]
    assert found["jax"]
    assert found["no-such-package"] is None
