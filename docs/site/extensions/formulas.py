"""Formulas become HTML at build, by KaTeX: a page needs no script to show them, and asks no other host."""

import json
import subprocess
from pathlib import Path

from docutils import nodes

HERE = Path(__file__).parent


class Typesetter:
    """One KaTeX process, a line of JSON a formula."""

    def __init__(self, npm):
        self.process = subprocess.Popen(
            ["node", str(HERE / "formulas.js"), str(npm / "node_modules" / "katex")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def html(self, tex, display):
        self.process.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise ValueError(f"{answer['error']} in the formula\n{tex}")
        return answer["html"]


def setup(app):
    typesetter = []

    def visit(translator, node):
        if not typesetter:
            typesetter.append(Typesetter(Path(app.srcdir).parent / "npm"))
        display = isinstance(node, nodes.math_block)
        html = typesetter[0].html(node.astext(), display)
        translator.body.append(f'<div class="formula" tabindex="0">{html}</div>' if display else html)
        raise nodes.SkipNode

    def done(app, exception):
        for each in typesetter:
            each.process.stdin.close()
            each.process.wait()

    app.add_html_math_renderer("katex", (visit, None), (visit, None))
    app.config.html_math_renderer = "katex"
    app.config.html_static_path.append(str(Path(app.srcdir) / "katex"))
    app.add_css_file("katex.min.css")
    app.connect("build-finished", done)
    return {"parallel_read_safe": True}
