"""The report of a reproduction: table, what was left out, pictures, cost, the command, every number of its recipe."""

from __future__ import annotations

from npintdim.files import write_atomically
from npintdim.reproduce.base import Outcome, Reproduction, Setting, markdown


def draw(outcome: Outcome, setting: Setting) -> tuple[list[str], str]:
    """Names of the pictures' files, and why there are none."""
    try:
        from npintdim.plots import save

        return [
            save(figure(), setting.folder / f"{name}.png").name for name, figure in outcome.pictures.items()
        ], ""
    except ImportError as error:
        return [], str(error)


def write_report(done: Reproduction, outcome: Outcome, setting: Setting, command: str, wall: float) -> str:
    """Write report.md and its pictures.

    Returns
    -------
    what happened to the pictures, for people
    """
    setting.folder.mkdir(parents=True, exist_ok=True)
    names, why = draw(outcome, setting)
    left_out = done.left_out()
    parts = [
        f"# {done.title}",
        markdown(outcome.rows),
        "\n\n".join(f"![{name}]({name})" for name in names),
        "**Left out by --quick:** " + "; ".join(left_out) + "." if left_out else "",
        "**Failed:** " + "; ".join(outcome.failed) if outcome.failed else "",
        f"{outcome.runs:,} {outcome.unit}, {outcome.seconds:,.0f} s of computing; this command took {wall:,.0f} s, "
        f"what lay on disk included. Backend {setting.backend.name}, {setting.backend.threads} thread(s) a run.",
        f"```bash\n{command}\n```",
        *outcome.details,
        "## Every number",
        "\n".join(f"- `{line}`" for line in done.describe()),
    ]
    write_atomically(setting.folder / "report.md", ("\n\n".join(filter(None, parts)) + "\n").encode())
    return ", ".join(str(setting.folder / name) for name in names) or f"none: {why}"
