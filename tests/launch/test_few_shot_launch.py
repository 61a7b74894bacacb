"""The episodes' launch script: mistakes before anything is trained."""

import pytest
from launched import launched

MISTAKES = {
    "--ways=two": "--ways=two: give a whole number, or several as in 5,20",
    "--novel=9": "--novel=9: digits:handwritten has 10 classes; use 2 to 8",
}


@pytest.mark.parametrize("flag", MISTAKES)
def test_a_mistake_has_one_message_and_writes_nothing(flag, tmp_path):
    done = launched("few_shot", flag, cwd=tmp_path)
    assert done.returncode == 2
    assert MISTAKES[flag] in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
