"""The notebooks of `examples/notebooks/` run from the first cell to the last, show what they promise and are valid notebooks."""

import importlib.util
import re
from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="executes notebooks: pip install 'npintdim[notebook]'")
pytest.importorskip("ipykernel", reason="executes notebooks: pip install 'npintdim[notebook]'")
pytest.importorskip("jupytext", reason="reads notebooks kept as text: pip install 'npintdim[notebook]'")
pytest.importorskip("matplotlib")

SITE = Path(__file__).parents[1] / "docs" / "site"
SHOWN = {  # what some output holds, as regular expressions
    "study": [
        r"finite differences: \de-(09|1\d)",
        r"10: 0\.0",
        r"100 numbers reach 0\.[78]\d+, all 3,760 reach 0\.9\d+",
    ],
    "measure": [r"d_int90 = \d+", r"<table", r"signs"],
    "check": [
        "Correct to rounding",
        "orthonormal",
        r"\d+ cases pass",
        "against",
        r"β2\^t\)/\(1 − β1\^t\) is missing",
    ],
}


@pytest.fixture(scope="module")
def site():
    """The file of the site that executes notebooks."""
    spec = importlib.util.spec_from_file_location("site_notebooks", SITE / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_notebook_is_tested(site):
    assert sorted(path.stem for path in site.NOTEBOOKS.glob("*.py")) == sorted(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_notebook_runs_and_shows_what_it_promises(name, site, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(SITE.parents[1]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    notebook = site.executed(site.NOTEBOOKS / f"{name}.py")
    site.nbformat.validate(notebook)
    outputs = [shown for cell in notebook.cells for shown in cell.get("outputs", ())]
    assert all(shown.output_type != "error" for shown in outputs)
    assert not any(shown.get("name") == "stderr" for shown in outputs), "a notebook prints no warnings"
    texts = [t for shown in outputs for t in (*shown.get("data", {}).values(), shown.get("text", ""))]
    for wanted in SHOWN[name]:
        assert any(re.search(wanted, text) for text in texts), f"no output has {wanted!r}"
    page = site.as_markdown(notebook, name, tmp_path)
    pictures = re.findall(r"!\[.*\]\((.*)\)", page)
    assert sorted(pictures) == sorted(path.name for path in tmp_path.iterdir())
    assert all((tmp_path / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert len(pictures) == {"study": 1, "measure": 1, "check": 0}[name]
