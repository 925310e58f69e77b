"""Every notebook runs in a fresh kernel, in an empty folder, and shows what it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"
for package in ("jupytext", "nbclient", "ipykernel", "pandas", "matplotlib"):
    pytest.importorskip(package, reason=f"{package} is not there: pip install 'npintdim[notebook]'")

EXECUTE = """
import sys
import jupytext, nbclient, nbformat
notebook = jupytext.read(sys.argv[1], fmt="py:percent")
notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
nbclient.NotebookClient(notebook, timeout=300).execute()
nbformat.write(notebook, "executed.ipynb")
"""
SHOWN = {  # the pictures, and what else must stand there
    "study_the_mathematics": (3, [r"^385\.0$", r"^(np\.float64\()?\d(\.\d+)?e-1\d\)?$|^(np\.float64\()?0\.0\)?$", r"^p = 0\.[0-9]*[1-9]"]),
    "measure_your_own_data": (3, [r"<b>d_int90 = \d+ \(95 % interval \d+ to \d+\)", r"\d bytes instead of \d", r"performance +loss +seconds"]),
    "check_your_own_code": (1, [r"Both H are divided by √n", r"^Correct to rounding\.$", r"^[1-9]\d test vectors agree$", r"‖P e_6‖ = 1"]),
}  # fmt: skip


def test_every_notebook_is_tested():
    assert sorted(path.stem for path in NOTEBOOKS.iterdir()) == sorted(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_it_shows_what_it_promises(name, tmp_path):
    import nbformat

    command = [sys.executable, "-c", EXECUTE, str(NOTEBOOKS / f"{name}.py")]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=600)
    assert process.returncode == 0, process.stderr
    notebook = nbformat.read(tmp_path / "executed.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    seen = [data for output in outputs for data in [output.get("data", {})]]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    pictures, lines = SHOWN[name]
    assert sum("image/png" in data for data in seen) == pictures
    text = "\n".join(
        [output["text"] for output in outputs if "text" in output]
        + [data[kind] for data in seen for kind in ("text/plain", "text/html") if kind in data]
    )
    for line in lines:
        assert re.search(line, text, re.MULTILINE), f"no {line!r} in:\n{text}"
