"""Docstrings are plain text for a terminal; before numpydoc reads them, what reStructuredText would misread is marked."""

import re


def escaped(line):
    """`*` and `|` are themselves, but in code."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else re.sub(r"([*|])", r"\\\1", part) for part in parts)


def as_laid_out(paragraph):
    """Formulas in several lines, of which some are indented, keep their lines."""
    indented = [line.startswith("    ") for line in paragraph]
    return [f"| {line}" for line in paragraph] if any(indented) and not indented[0] else paragraph


def mark(app, what, name, obj, options, lines):
    text = "\n".join(line if line.lstrip().startswith(">>>") else escaped(line) for line in lines)
    head, notes, rest = text.partition("Notes\n-----\n")
    body, *after = re.split(r"(?=^\w+\n---+$)", rest, maxsplit=1, flags=re.MULTILINE)
    paragraphs = ("\n".join(as_laid_out(p.split("\n"))) for p in body.split("\n\n"))
    lines[:] = (head + notes + "\n\n".join(paragraphs) + "".join(after)).split("\n")


def setup(app):
    app.connect("autodoc-process-docstring", mark, priority=400)
    return {"parallel_read_safe": True}
