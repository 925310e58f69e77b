"""The README's first screen is what happens: its commands exist, and its expected lines are those of a real run."""

import re
from pathlib import Path

import pytest
from helpers import python

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = r"\d[\d,]*(?:\.\d+)?"


def fenced(info):
    return re.findall(rf"^```{info}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def shape(line):
    """The line without its numbers, and the numbers."""
    numbers = [float(n.replace(",", "")) for n in re.findall(NUMBER, line)]
    return re.sub(NUMBER, "#", line).replace("\\", "/"), numbers


def test_first_screen_has_both_commands_and_what_to_expect():
    first_screen = "\n".join(README.splitlines()[:45])
    assert "make measure" in first_screen and "make test" in first_screen and "d_int90 = " in first_screen


def test_make_targets_exist_and_ci_calls_them():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^measure:.*\n\t.*-m npintdim measure$", makefile, re.MULTILINE)
    assert re.search(
        r"^test:.*\n\t.*-m pytest -n logical --maxprocesses 4 --dist loadfile$", makefile, re.MULTILINE
    )
    ci = (ROOT / ".ci" / "run").read_text()
    assert "\nmake test\n" in ci and "\nmake measure" in ci


def test_every_command_and_extra_of_the_readme_exists():
    from npintdim.cli import main

    for command in set(re.findall(r"`npintdim (\w+)", README)):
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0
    setup = (ROOT / "setup.cfg").read_text()
    for extra in re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \|", README, re.MULTILINE):
        for name in filter(None, extra):
            assert re.search(rf"^{name} =$", setup, re.MULTILINE), name


def test_the_first_snippet_reaches_what_it_says(capsys):
    code = next(c for c in fenced("python run") if "nid.train" in c)
    exec(code, {})
    said = float(re.search(r"# (\.\d+); all 3,760", code)[1])
    assert float(re.search(r"performance=([\d.]+)", capsys.readouterr().out)[1]) == pytest.approx(
        said, abs=0.04
    )


@pytest.mark.slow
def test_measure_ends_as_the_readme_says(tmp_path):
    """Words to the letter; d_int90 within its interval, other numbers within what another BLAS may move."""
    run = python("-m", "npintdim", "measure", cwd=tmp_path, encoding="utf-8", timeout=600)
    assert run.returncode == 0, run.stderr
    expected = fenced("text")[0].strip().splitlines()
    printed = run.stdout.strip().splitlines()[-len(expected) :]
    assert [shape(line)[0] for line in printed] == [shape(line)[0] for line in expected]
    measured = float(re.match(rf"d_int90 = ({NUMBER})", printed[-1])[1])
    claimed = float(re.match(rf"d_int90 = ({NUMBER})", expected[-1])[1])
    low, high = map(float, re.search(rf"interval ({NUMBER}) to ({NUMBER})", expected[-1]).groups())
    assert low <= measured <= high and low <= claimed <= high
    size = [float(re.search(rf"({NUMBER}) bytes", lines[-2])[1]) for lines in (printed, expected)]
    assert abs(size[0] - size[1]) < 200
    assert (tmp_path / "results" / "digits-64-100-100-10-fastfood" / "curve.png").stat().st_size > 20_000
