"""`.. commands::` shows every command with its options, as its own parser says them."""

import argparse
import os

from docutils import nodes
from docutils.parsers.rst import Directive

from npintdim.cli import build_parser


class Commands(Directive):
    def run(self):
        os.environ["COLUMNS"] = "100"
        parser = build_parser()
        (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        shown = [nodes.literal_block("", parser.format_help(), language="text")]
        for name, command in commands.choices.items():
            section = nodes.section(
                "", nodes.title("", "", nodes.literal("", f"npintdim {name}")), ids=[name]
            )
            section += nodes.literal_block("", command.format_help(), language="text")
            shown.append(section)
        return shown


def setup(app):
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
