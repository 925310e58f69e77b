"""The commands: `npintdim NAME` or `python -m npintdim NAME`, one a file; `main` tells errors in a line."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from npintdim._version import __version__
from npintdim.cli.common import Parser, check_folder, check_sizes, data_name, nobody_reads, note, path
from npintdim.inputs import unknown
from npintdim.machine import blas_threads, standard_files
from npintdim.signals import stoppable

NAMES = (
    "measure", "reproduce", "plot", "train", "toy", "check", "compress", "evaluate", "quantise", "certify",
    "bench", "vectors", "info",
)  # fmt: skip
DRAWING = ("measure", "reproduce", "train", "toy", "check", "quantise")  # these take --seed
COMMANDS = {name: import_module(f"npintdim.cli.{name}") for name in NAMES}
EPILOG = """\
npintdim COMMAND --help shows the options of a command, with an example.

example:
  npintdim measure
d_int90 of a small network on the embedded 8x8 digits, in about a minute."""
EVERYWHERE = """\
everywhere:
  --backend numba|numpy|cupy  --dtype float32|float64  --threads N (default 1)
  --folder PATH of the data files  --seed N  --progress | --quiet  -h
"""


def build_parser() -> Parser:
    """Every command with its options."""
    parser = Parser(
        prog="npintdim",
        description=(
            "The intrinsic dimension of objective landscapes:\nθ = θ_0 + P θ_d, and only θ_d is trained."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"npintdim {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        add_command(commands, name, module)
    return parser


def add_command(commands: Any, name: str, command: ModuleType) -> None:
    """A command with the options that all have, and its own; what it takes beside them is told."""
    takes = f"{command.TAKES} " if hasattr(command, "TAKES") else ""
    everywhere = EVERYWHERE if name in DRAWING else EVERYWHERE.replace("  --seed N", "")
    parser: Parser = commands.add_parser(
        name,
        help=command.PURPOSE.splitlines()[0].rstrip("."),
        usage=f"npintdim {name} {takes}[options]",
        description=command.PURPOSE,
        epilog=f"{everywhere}example:\n  {command.EXAMPLE}",
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=22, width=80),
        add_help=False,
    )
    parser.set_defaults(run=command.run, drawing=name in DRAWING, fuse=True, parametrisation=None, data="")
    hidden: dict[str, Any] = {"help": argparse.SUPPRESS}
    parser.add_argument("-h", "--help", action="help", **hidden)
    parser.add_argument("--backend", **hidden)
    parser.add_argument("--dtype", default="float32", **hidden)
    parser.add_argument("--threads", type=int, default=1, **hidden)
    parser.add_argument("--folder", type=lambda text: text and str(path(text)), **hidden)
    parser.add_argument("--seed", type=int, default=0, **hidden)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--progress", dest="progress", action="store_true", default=None, **hidden)
    shown.add_argument("--quiet", dest="progress", action="store_false", **hidden)
    command.add(parser)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : its name and options; None for those of the process,
        whose signals it then handles: see `npintdim.signals`

    Returns
    -------
    0; 1 where a check or a run failed; 2 for bad input, told in one line; 130 after Ctrl-C (of the process:
    143 after SIGTERM, 129 after SIGHUP); 141 where whoever read the output is gone, as in
    `npintdim measure | head`
    """
    if argv is None:
        return stoppable(partial(main, sys.argv[1:]))
    standard_files()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns where HOME cannot be written to
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks θ shows ?
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = one_line
        try:
            if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
                raise unknown("command", argv[0], COMMANDS)
            args, left = build_parser().parse_known_args(argv)
            if left:
                Parser(prog=f"npintdim {argv[0]}").error(f"unrecognized arguments: {' '.join(left)}")
            check_sizes(args)
            if hasattr(args, "test_share"):
                args.data = data_name(args)
            if args.data is not None:  # else the command finds out which it reads
                check_folder(args.folder, args.data)
            args.typed = shlex.join(["npintdim", *argv])
            with blas_threads(args.threads):
                status: int = args.run(args)
            if sys.stdout is not None:
                sys.stdout.flush()
        except KeyboardInterrupt as stop:
            note(str(stop) or "interrupted")
            return 130
        except BrokenPipeError:
            return nobody_reads()
        except OSError as error:
            note(f"error: {f'{error.filename}: {error.strerror}' if error.filename else error}")
            return 2
        except (ValueError, TypeError, ImportError, MemoryError, RuntimeError) as error:
            note(f"error: {error}")
            return 2
    return status


def one_line(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """A warning for people; what others will change in their code is none."""
    if not issubclass(category, DeprecationWarning):
        note(f"warning: {message}")
