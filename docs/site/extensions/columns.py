"""The walkthrough in two columns: what is said on the left, the source lines that are it on the right."""

from docutils import nodes

PAGES = ("docs/walkthrough/", "docs/description-length")


def is_origin(node):
    return isinstance(node, nodes.paragraph) and "origin" in node["classes"]


def rows_of(section):
    """Put an excerpt and its link beside the text above it, back to the row before or to the heading."""
    left, rows, excerpts = [], [], []

    def close():
        if excerpts:
            text = nodes.container("", *left, classes=["said"])
            rows.append(
                nodes.container("", text, nodes.container("", *excerpts, classes=["source"]), classes=["row"])
            )
        else:
            rows.extend(left)
        left.clear()
        excerpts.clear()

    children, take = list(section.children), 0
    for child in children:
        if take or is_origin(child):
            take = 0 if take else 1
            excerpts.append(child)
            continue
        if excerpts or isinstance(child, (nodes.title, nodes.section, nodes.table)) or plain_code(child):
            close()
        if isinstance(child, (nodes.title, nodes.section, nodes.table)) or plain_code(child):
            rows.append(child)
        else:
            left.append(child)
    close()
    section.children = []
    section.extend(rows)


def plain_code(node):
    """A snippet to run, or a block of text, is as wide as the page."""
    return isinstance(node, nodes.literal_block)


def two_columns(app, doctree):
    if app.env.docname.startswith(PAGES):
        for section in list(doctree.findall(nodes.section)):
            rows_of(section)
        app.env.metadata[app.env.docname]["hide-toc"] = ""


def setup(app):
    app.connect("doctree-read", two_columns, priority=600)  # after the links above the excerpts are known
    return {"parallel_read_safe": True}
