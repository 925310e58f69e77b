"""What Sphinx reads: the pages and examples as they are, in one folder, so that nothing is generated in the tree.

    python docs/site/stage.py FOLDER       with KaTeX's npm package in FOLDER/../npm

The layout is that of the repository, and so are all links. `pages/` adds what only the site has.
"""

import re
import shutil
import sys
from pathlib import Path

import reference

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCES = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc", "site")
THUMBNAILS = {  # of the examples that print and do not draw
    "00_whole_paper": "digits-curve",
    "02_toy_problem": "toy-step",
    "03_chain_rule_by_hand": "toy-phase",
    "04_mnist_subspace_training": "mnist-fc",
    "05_compress_and_restore": "mnist-compression",
    "06_check_your_own_fastfood": "butterfly",
    "07_measure_your_own_landscape": "mnist-lenet-curve",
}


def as_gallery_page(example: Path) -> str:
    """The example with its first line as a title, as the gallery wants it."""
    text = example.read_text(encoding="utf-8")
    title = re.match(r'"""(.*?)\.?\n', text)[1]
    text = text.replace(text.split("\n", 1)[0], f'"""\n{title}\n{"=" * len(title)}\n', 1)
    text = text.replace("Path(__file__).parents[1]", 'Path("..")')  # a notebook is no file
    text = re.sub(
        r"^ *sys\.stdout\.reconfigure\(.*\n", "", text, flags=re.MULTILINE
    )  # nor is its output a terminal
    if picture := THUMBNAILS.get(example.stem):
        text += f"\n# sphinx_gallery_thumbnail_path = 'docs/img/{picture}.png'\n"
    return text


def notebook_as_gallery_page(notebook: Path) -> str:
    """Its Markdown cells as the gallery wants them: reStructuredText, the first as the docstring."""
    page = ""
    for cell in re.split(r"^# %%", notebook.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        if not cell.startswith(" [markdown]"):
            page += f"# %%{cell}"
        elif not page:
            page = f'r"""\n{as_rst(cell)}"""\n\n'
        else:
            page += re.sub(r"^", "# ", f"%%\n{as_rst(cell)}".rstrip(), flags=re.MULTILINE) + "\n\n"
    return page


def as_rst(cell: str) -> str:
    """Headings, formulas and names of a Markdown cell, without its # at each line."""
    text = re.sub(r"^# ?", "", cell.partition("\n")[2].rstrip() + "\n", flags=re.MULTILINE)
    text = re.sub(
        r"^(#+) (.*)$",
        lambda m: f"{m[2]}\n{('=' if m[1] == '#' else '-') * len(m[2])}",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"`([^`]+)`", r"``\1``", text)
    return re.sub(r"\$([^$]+)\$", lambda m: f":math:`{' '.join(m[1].split())}`", text)


def main(folder: Path) -> None:
    """Copy everything into the folder, which must not exist."""
    shutil.copytree(HERE / "pages", folder)
    for name in ("docs", "npintdim"):
        shutil.copytree(ROOT / name, folder / name, ignore=SOURCES)
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    for example in (ROOT / "examples").glob("*.py"):
        (folder / "examples" / example.name).write_text(as_gallery_page(example), encoding="utf-8")
    for notebook in (ROOT / "examples" / "notebooks").glob("*.py"):
        (folder / "examples" / "notebooks" / notebook.name).write_text(
            notebook_as_gallery_page(notebook), encoding="utf-8"
        )
    shutil.copy(ROOT / "examples" / "check_vectors.c", folder / "examples")
    reference.write(folder / "reference")
    katex = folder.parent / "npm" / "node_modules" / "katex" / "dist"
    shutil.copytree(
        katex / "fonts", folder / "katex" / "fonts", ignore=shutil.ignore_patterns("*.ttf", "*.woff")
    )
    shutil.copy(katex / "katex.min.css", folder / "katex")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
