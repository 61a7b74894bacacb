"""What is known of every method by its name."""

from tl_jax.methods import BASELINES, METHODS
from tl_jax.programs.catalogue import entries, table, told

FOUND = {entry.name: entry for entry in entries()}


def test_every_method_is_there_once_with_its_paper():
    assert list(FOUND) == [entry.name for entry in entries()]
    assert set(FOUND) == {*METHODS, *BASELINES}
    without = {name for name, entry in FOUND.items() if not entry.paper}
    assert without <= {"source_only", "target_only", "fine_tune", "vicreg", "untrained", "pixels", "no_adaptation"}
    assert FOUND["mean_teacher"].paper == "French et al. 2018"
    assert FOUND["fixmatch"].paper == "Sohn et al. 2020"


def test_what_a_method_needs_is_read_off_it():
    needs = {name: set(entry.needs) for name, entry in FOUND.items()}
    assert needs["dann"] == set()
    assert needs["shot"] == {"a source model", "all targets now and then"}
    assert needs["wdgrl"] == {"phases", "second derivatives"}
    assert needs["mean_teacher"] == {"views", "another network's view", "memory"}
    assert needs["co_tuning"] == {"all labelled targets once", "the source's head"}
    assert (FOUND["joint"].labels, FOUND["tent"].labels) == ("source, target", "none")
    assert FOUND["dann"].values
    assert not FOUND["cdan"].values


def test_one_method_is_told_with_its_call_equation_and_other_forms():
    said = told(FOUND["deep_coral"])
    assert said.startswith("deep_coral(form='paper')\n\nL = CE_s")
    assert "other forms: deep_coral(form='tllib')" in said
    assert "needs: " not in said
    cells = table([FOUND["dann"]]).cells
    assert cells[1] == ["dann", "adaptation", "Ganin et al. 2016", "source", "", "yes"]
