"""The wheel: built from the tree, unpacked elsewhere, and used from there."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CACHES = (".pyc", ".nbi", ".nbc")


def test_the_wheel_holds_every_file_of_the_package_and_works(tmp_path):
    pytest.importorskip("build")
    pytest.importorskip("setuptools", minversion="77")
    source, dist, site = tmp_path / "source", tmp_path / "dist", tmp_path / "site"
    shutil.copytree(ROOT / "npintdim", source / "npintdim", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(source)]
    built = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert built.returncode == 0, built.stderr
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for path in (ROOT / "npintdim").rglob("*"):
        if path.is_file() and path.suffix not in CACHES:
            assert (site / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    run = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(site)!r}); from npintdim.cli import main; "
         "import npintdim; assert npintdim.__file__.startswith(sys.path[0]); main(['vectors', 'list'])"],
        cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "fastfood            given   apply" in run.stdout
