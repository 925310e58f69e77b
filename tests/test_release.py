"""What a stranger installs: source distribution and wheel, into an empty environment, used as the README says."""

import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def call(*command, **options):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, encoding="utf-8", timeout=900, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist from a clean copy of what git knows, and the wheel from the sdist."""
    pytest.importorskip("build")
    pytest.importorskip("setuptools", minversion="77")
    folder = tmp_path_factory.mktemp("release")
    try:
        names = call("git", "-C", ROOT, "ls-files", "-co", "--exclude-standard").splitlines()
    except (AssertionError, FileNotFoundError):
        pytest.skip("not a git repository: what belongs to a release is unknown")
    for name in names:
        if (ROOT / name).is_file():
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "source")
    return folder / "dist"


def test_sdist_and_wheel_hold_the_package_and_its_papers(built):
    (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "npintdim").rglob("*")
               if path.is_file() and path.suffix not in (".pyc", ".nbi", ".nbc")}  # fmt: skip
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert held >= package | {"README.md", "LICENSE", "setup.cfg", "pyproject.toml"}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == package


def test_the_index_can_show_the_readme(built):
    pytest.importorskip("twine")
    assert "PASSED" in call(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir())


def test_the_readme_works_from_the_wheel_in_an_empty_environment(built, tmp_path):
    """Without a network: NumPy and SciPy of this environment are laid beside it, the package is not."""
    venv.create(tmp_path / "venv", with_pip=False)
    (wheel,) = built.glob("*.whl")
    site = next((tmp_path / "venv").glob("**/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    import numpy
    import scipy

    for package in (numpy, scipy):
        where = Path(package.__file__).parent
        for found in where.parent.glob(f"{where.name}*"):
            (site / found.name).symlink_to(found)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python run\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL))
    (tmp_path / "readme.py").write_text(code + "print(nid.__file__)\n", encoding="utf-8")
    python = next(path for path in (tmp_path / "venv").glob("*/python*") if path.stem == "python")
    out = call(python, "-I", tmp_path / "readme.py", cwd=tmp_path)
    assert out.startswith("finished") and str(site) in out.splitlines()[-1]
