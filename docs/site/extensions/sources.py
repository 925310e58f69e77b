"""Links to source files lead to pages that show them, with numbered lines; from an excerpt, to its lines."""

import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx import addnodes
from sphinx.util.osutil import relative_uri

SHOWN = re.compile(r"(npintdim|examples)/.*\.py$")


def page_of(file):
    return f"source/{file}"


def first_line(file, name):
    """Where `Class.method` begins in a module's file."""
    thing = importlib.import_module(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    for part in name.split("."):
        thing = inspect.getattr_static(thing, part)
    for attribute in ("func", "fget"):
        thing = getattr(thing, attribute, thing)
    return inspect.getsourcelines(getattr(thing, "__wrapped__", thing))[1]


def link_to_pages(app, doctree):
    """MyST takes a link to a file for a download."""
    docname = app.env.docname
    for link in list(doctree.findall(addnodes.download_reference)):
        target = link["reftarget"]
        file = (
            (Path(app.srcdir) / docname).parent.joinpath(target).resolve().relative_to(app.srcdir).as_posix()
        )
        if not SHOWN.match(file):
            continue
        uri = relative_uri(app.builder.get_target_uri(docname), app.builder.get_target_uri(page_of(file)))
        if file.startswith("examples/") and file.endswith(".py"):
            page = f"gallery/{file.removeprefix('examples/').removesuffix('.py')}"
            uri = relative_uri(app.builder.get_target_uri(docname), app.builder.get_target_uri(page))
        else:
            app.env.shown_sources.add(file)
        strong = link.parent
        if isinstance(strong, nodes.strong) and len(strong.children) == 3:  # above an excerpt
            uri += f"#line-{first_line(file, strong.children[2].astext())}"
            strong.parent["classes"].append("origin")
        new = nodes.reference("", "", *link.children, refuri=uri, internal=True)
        link.replace_self(new)


def pages(app):
    formatter = HtmlFormatter(linenos="inline", lineanchors="line", anchorlinenos=False, wrapcode=True)
    for file in sorted(app.env.shown_sources):
        text = (Path(app.srcdir) / file).read_text(encoding="utf-8")
        code = highlight(text, PythonLexer(), formatter)
        body = f'<h1><code>{file}</code></h1><div class="source-file" tabindex="0">{code}</div>'
        yield page_of(file), {"title": file, "body": body, "display_toc": False, "toc": ""}, "page.html"


def begin(app, env, docnames):
    env.shown_sources = getattr(env, "shown_sources", set())


def setup(app):
    app.connect("env-before-read-docs", begin)
    app.connect("doctree-read", link_to_pages)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": False}
