"""The notebooks: text in `examples/notebooks/`, here executed, as pages and as .ipynb to download."""

import base64
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"


def executed(source: Path) -> nbformat.NotebookNode:
    """With what its cells showed; whatever it writes goes into an empty folder that is removed."""
    notebook = jupytext.read(source)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    return notebook


def as_markdown(notebook: nbformat.NotebookNode, stem: str, folder: Path) -> str:
    """The cells in order; pictures are put beside the page."""
    parts = []
    for i, cell in enumerate(notebook.cells):
        parts.append(f"```python\n{cell.source}\n```" if cell.cell_type == "code" else cell.source)
        for shown in cell.get("outputs", ()):
            data = shown.get("data", {"text/plain": shown.get("text", "")})
            if "image/png" in data:
                (folder / f"{stem}-{i}.png").write_bytes(base64.b64decode(data["image/png"]))
                parts.append(f"![What the cell above draws]({stem}-{i}.png)")
            elif "text/html" in data:
                parts.append(f'<div class="shown">\n{data["text/html"]}\n</div>')
            elif data.get("text/plain", "").strip():
                parts.append(f"```text\n{data['text/plain'].rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> None:
    """All pages, the notebooks beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(NOTEBOOKS.glob("*.py")):
        notebook = executed(source)
        nbformat.write(notebook, folder / f"{source.stem}.ipynb")
        download = f"{{download}}`As a notebook <{source.stem}.ipynb>`\n\n"
        title, rest = as_markdown(notebook, source.stem, folder).split("\n", 1)
        (folder / f"{source.stem}.md").write_text(f"{title}\n\n{download}{rest}", encoding="utf-8")


if __name__ == "__main__":
    import sys

    write(Path(sys.argv[1]))
