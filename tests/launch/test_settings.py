"""One table of settings: what reads it has every field, and the page is what it says."""

from pathlib import Path

import pytest

from tl_jax.core.errors import UserError
from tl_jax.kinds.table import KINDS
from tl_jax.launch.main import COMMANDS, listing
from tl_jax.launch.page import page
from tl_jax.run.plan.fits import check_settings
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config
from tl_jax.run.settings.settings import settings, taken

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_is_current():
    assert (ROOT / "docs" / "settings.md").read_text() == page()


def test_every_field_is_said_once():
    assert set(settings(Config)) == {name for name in vars(Config()) if name != "kind"}
    assert set(settings(Options)) == set(vars(Options()))
    assert all(one.help.endswith((".", ")")) for of in (Config, Options) for one in settings(of).values())


@pytest.mark.parametrize("name", settings(Config))
def test_a_default_is_what_its_flag_holds_read_back(name):
    one = settings(Config)[name]
    for kind in KINDS.values():
        value = getattr(kind.defaults, name)
        assert one.form.read(name, one.form.show(value)) == value
        assert taken(Config, name, value if name not in ("sweep", "freeze") else dict(value)) == value


@pytest.mark.parametrize("given", [{"steps": 0}, {"lr": -1.0}, {"precision": "half"}, {"pretrain_on": "all"}])
def test_a_value_that_nothing_can_use_is_named(given):
    with pytest.raises(UserError, match=f"{next(iter(given))}|{next(iter(given.values()))}"):
        check_settings(Config(**given))


def test_the_list_of_commands_has_a_line_for_each():
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(dict.fromkeys((*COMMANDS, *KINDS)))
    assert {path.stem for path in (ROOT / "launch").glob("*.py")} == {*COMMANDS, *KINDS, "__init__"}
