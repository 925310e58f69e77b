"""What the commands share: options, and the way from their texts to objects."""

from __future__ import annotations

import argparse
import ast
import math
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from npintdim.adapters import check_adapter
from npintdim.artefact.base import read_base
from npintdim.artefact.compress import CompressedModel
from npintdim.artefact.mdl.certificate import also_trained
from npintdim.backend import NAMES, Backend, get_backend
from npintdim.data import own
from npintdim.data.registry import REGISTRY
from npintdim.engine.landscape import Dataset
from npintdim.files import read_json
from npintdim.inputs import cut, one_of, unknown
from npintdim.measurement.custom import Name
from npintdim.measurement.recipes import Recipe, fully_connected, recipe_for, recipe_of_file
from npintdim.measurement.work import load_data
from npintdim.typing import Spec

DATA = "digits (default), mnist, ...; FILE.npz, FILE.csv, FOLDER/ [--label NAME --test-share Q --standardise]"
MADE = "made by measure, compress or train --save"
LONGEST = 255  # bytes of a name
MOST = {"jobs": 4096, "seeds": 10_000, "epochs": 10**6, "draws": 10**6}  # beyond: years, or all memory
KEPT = ("results.csv", "summary.json", "report.md")

LENETS: dict[str, Spec] = {
    "lenet": {"architecture": "lenet", "conv_relu": True},
    "lenet-as-released": {"architecture": "lenet", "conv_relu": False},
    **{name: {"architecture": name} for name in ("untied-lenet", "fctied-lenet", "fc-lenet")},
}


def path(text: str) -> Path:
    """A path; ~ is the user's home also in --out=~/x, where no shell sees it."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty: a path is needed")
    found = Path(text)
    if text.startswith("~"):
        with suppress(RuntimeError):  # ~nobody is a name like any other, as in a shell
            found = found.expanduser()
    longest = max((len(os.fsencode(part)) for part in found.parts), default=0)
    if longest > LONGEST:
        raise argparse.ArgumentTypeError(f"a name has {longest} bytes, and a file system takes {LONGEST}")
    return found


def check_sizes(args: argparse.Namespace) -> None:
    """Refuse what is beyond reason, what nobody knows and what decides nothing, before anything is said."""
    for name, known in (("dtype", ("float32", "float64")), ("backend", NAMES)):
        if getattr(args, name) is not None:
            one_of(name, getattr(args, name), known)
    if args.seed and not args.drawing:
        instead = ": --repetition K says which run" if hasattr(args, "repetition") else ""
        raise ValueError(f"--seed is {args.seed}, and nothing is drawn here{instead}")
    if None not in (getattr(args, "cluster", None), getattr(args, "jobs", None)):
        raise ValueError(
            "--jobs and --cluster exclude each other: of a cluster every worker does a run at once"
        )
    for name, most in MOST.items():
        value = getattr(args, name, None)
        if isinstance(value, int) and value > most:
            raise ValueError(f"{name} is {value}: {name} ≤ {most} is needed")


class Parser(argparse.ArgumentParser):
    """Errors are one line, and paths are read by `path`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.register("type", Path, path)

    def option(self, form: str, help: str, **given: Any) -> None:
        """`add_argument`, where the form is a name and its metavar: "--out FILE"."""
        name, _, metavar = form.partition(" ")
        self.add_argument(name, help=help, **({"metavar": metavar} if metavar else {}) | given)

    def add_data(self) -> None:
        """The options that name data, told in one; `data_name` makes one name of them."""
        self.option("--data", DATA, default="digits")
        self.option("--label", argparse.SUPPRESS)
        self.option("--test-share", argparse.SUPPRESS, type=float)
        self.option("--standardise", argparse.SUPPRESS, action="store_true")

    def add_network(self, parametrisation: bool = False) -> None:
        """Options that name data, network (a pre-trained θ_0 too) and projection, or another T for it."""
        self.add_data()
        trained, also, rank = ", ...", "", ""
        if parametrisation:
            trained, also, rank = "; --base FILE", "; --parametrisation lora", ", r=4"
        self.option("--model NET", f"784-200-200-10, 784-200-10-tanh, lenet{trained}")
        self.option("--projection KIND", f"fastfood (default), sparse, dense{also}")
        self.option(
            "--option NAME=X", f"of it: blocks=single, signs=False{rank}", action="append", default=[]
        )
        if parametrisation:
            self.option("--parametrisation", argparse.SUPPRESS)
            self.option("--base", argparse.SUPPRESS, type=Path)

    def add_base(self) -> None:
        """The option of what reads a fine-tuned network."""
        self.option("--base FILE", "the pre-trained theta_0 that FILE names: .npy or .npid", type=Path)

    def add_training(self) -> None:
        """The options of every training run, but its learning rate."""
        self.option("--epochs N", "passes over the training data; default by data", type=int)
        self.option("--batch-size N", "examples in a step", type=int)
        self.option("--l2 W", "penalty W·Σθ² on the kernels", type=float)
        alone = "compute every layer alone: slower, same but for rounding"
        self.option("--no-fuse", alone, dest="fuse", action="store_false")

    def add_many_runs(self) -> None:
        """The options that say where many runs are done."""
        self.option("--jobs N", "runs at once (default: one a core)", type=int)
        self.option("--cluster ADDRESS", "a Dask scheduler's, e.g. tcp://10.0.0.1:8786")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is."""
        self.exit(2, f"npintdim: error: {cut(message)} (see {self.prog} --help)\n")


def data_name(args: argparse.Namespace) -> str | None:
    """The name of the data with what is said of its file, as `npintdim.data.own.Source` has it."""
    said = [f"label={args.label}"] if args.label is not None else []
    said += [f"test-share={args.test_share:g}"] if args.test_share is not None else []
    said += ["standardise"] if args.standardise else []
    if said and not own.is_file(args.data or ""):
        raise ValueError(
            f"--{said[0].replace('=', ' ')} is for a file of yours, "
            f"and --data is {args.data or 'not given'}: {', '.join(own.FORMS)} is needed"
        )
    return args.data and "+".join([args.data, *said])


def check_folder(folder: str | None, *names: str) -> None:
    """Refuse a --folder in which nothing is looked for."""
    if folder is not None and not any(Name(name).original in REGISTRY for name in names):
        read = " and ".join(filter(None, names))
        raise ValueError(
            f"--folder is {folder}: the files of {', '.join(REGISTRY)} are looked for in it, and "
            f"{f'the data are {read}' if read else 'none are read'}"
        )


def backend_of(args: argparse.Namespace) -> Backend:
    """The backend that the options name."""
    dtype = one_of("dtype", args.dtype, ("float32", "float64"))
    return get_backend(args.backend, dtype, args.threads, args.fuse)


def data_of(args: argparse.Namespace, backend: Backend) -> Dataset:
    """The data set, cut as its default recipe says; a file of one's own is told of in one line."""
    if own.is_file(args.data):
        say(own.read(args.data)[1])
        return load_data(args.data, args.folder, None, backend, own.content(args.data))
    return load_data(args.data, args.folder, recipe_for(args.data).limit_train, backend)


def default_recipe(data: Dataset, model: Spec | None = None) -> Recipe:
    """`recipe_for`, where the data are read already."""
    return recipe_of_file(data, model) if own.is_file(data.name) else recipe_for(data.name, model)


def model_of(text: str | None, data: Dataset) -> Spec:
    """Spec of the network that the text names."""
    if text is None:
        return default_recipe(data).model
    if form := re.fullmatch(r"(\d+(?:-\d+)+)(?:-([a-z]\w*))?", text):
        if re.search(r"\d{10}", text):
            raise ValueError(f"--model is {text}: sizes of at most 9 digits are needed")
        sizes, activation = form.groups("relu")
        return fully_connected(*map(int, sizes.split("-")), activation=activation, numbers=not data.classes)
    if text in LENETS:
        shape = [int(n) for n in data.train.x.shape[1:]]
        return {**LENETS[text], "in_shape": shape, "classes": data.classes}
    raise unknown("network", text, ("784-200-200-10 (any sizes, and -tanh, say)", *LENETS))


def map_of(args: argparse.Namespace) -> dict[str, Spec]:
    """The projection, or the parametrisation in its place, as a recipe takes them."""
    if args.parametrisation is None:
        return {"projection": {"kind": args.projection or "fastfood", **options_of(args)}}
    if args.projection is not None:
        raise ValueError(
            f"--parametrisation {args.parametrisation} and --projection {args.projection} exclude each other"
        )
    spec = {"kind": args.parametrisation, **options_of(args)}
    check_adapter(spec)
    return {"parametrisation": spec}


def options_of(args: argparse.Namespace) -> Spec:
    """NAME=X of every --option."""
    options = {}
    for text in args.option:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--option is {text!r}: NAME=X is needed, e.g. blocks=single")
        if name in options:
            raise ValueError(f"--option {name} is given twice")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


def compressed_of(file: Path, backend: Backend, base: Path | None = None) -> CompressedModel:
    """The network in the file."""
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no file {file}: one that measure, compress or train --save made is needed"
        )
    return CompressedModel.load(file, backend=backend, base=None if base is None else read_base(base))


def data_for(
    compressed: CompressedModel, source: Path, args: argparse.Namespace, backend: Backend
) -> Dataset:
    """The data set of --data, all of it; never code of one's own, which a record may name."""
    if Name(args.data).own:
        raise ValueError(
            f"data is {args.data!r}: code of your own is not imported by a command that reads; "
            "in Python give the data to CompressedModel.evaluate or npintdim.artefact.mdl.certify"
        )
    data = load_data(args.data, args.folder, None, backend)
    takes, given = compressed.model().in_shape, tuple(data.test.x.shape[1:])
    if math.prod(takes) != math.prod(given):
        raise ValueError(
            f"{source} is a network for inputs of shape {takes}, but {args.data} has {given}: "
            "which --data was it trained on?"
        )
    return data


def measured_on(data: Dataset, backend: Backend) -> str:
    """What a performance on the test part is worth: with shuffled labels it is the training part."""
    return "training" if also_trained(data, backend) == len(data.test) else "test"


def check_writable(option: str, path: Path) -> None:
    """Refuse, before work is lost, a file whose folder is missing or closed, a folder, or a measurement's."""
    if path.is_dir():
        raise ValueError(f"{option} is {path}: that is a folder, the name of a file is needed")
    if path.exists() and not path.is_file():
        raise ValueError(f"{option} is {path}: that is a device or a pipe, the name of a file is needed")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise ValueError(f"{option} is {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{option} is {path}: the folder {folder} cannot be written to")
    check_not_kept(option, path)


def check_not_kept(option: str, path: Path) -> None:
    """Refuse a file that a measurement keeps: its results, its network, what lies in runs/."""
    file = path.resolve()
    network = file.with_name(file.name.replace("-base.npy", ".npid"))  # that of a base, or the file itself
    own = file.parent / "runs"
    in_runs = own.parent.name == "runs" and file.suffix in (".json", ".npy", ".claim")
    if in_runs or (own.is_dir() and file.name in KEPT) or kept_network(network):
        raise ValueError(f"{option} is {path}: a measurement keeps that file, give another name")


def kept_network(file: Path) -> bool:
    """Whether a measurement kept this network: the first above the line, chosen by its test accuracy."""
    try:
        return bool(read_json(file.parent / "summary.json")["compressed"]["file"] == file.name)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def default_folder(*names: object) -> Path:
    """results/<names joined by ->, a path's last part, without characters that a file system may refuse."""
    last = (re.split(r"[/\\]", str(name).rstrip("/\\"))[-1] for name in names)
    name = re.sub(r"[^\w.+-]+", "-", "-".join(last))
    if (length := len(os.fsencode(name))) > LONGEST:
        raise ValueError(
            f"the folder's name would have {length} bytes: give one of at most {LONGEST} with --out"
        )
    return Path("results") / name


def say(text: str | bytes) -> None:
    """A line on stdout, or a file's bytes as they are; the end of the program, where nobody reads them."""
    if sys.stdout is None:
        raise OSError("the output cannot be written: stdout is closed")
    try:
        if isinstance(text, str):
            sys.stdout.write(text + "\n")
        elif hasattr(sys.stdout, "buffer"):
            sys.stdout.buffer.write(text)
        else:  # a stream of text that took the place of stdout
            sys.stdout.write(text.decode())
        sys.stdout.flush()
    except BrokenPipeError:
        raise SystemExit(nobody_reads()) from None
    except OSError as error:
        raise OSError(f"the output cannot be written: {error.strerror}") from error


def nobody_reads() -> int:
    """141, as shells tell of programs that end by SIGPIPE; and Python's own last flush is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def note(text: str) -> None:
    """A line on stderr, if there is one."""
    if sys.stderr is None:
        return
    lines = [cut(line) for line in f"npintdim: {text}".splitlines()]
    with suppress(OSError, ValueError):  # a full disk, say, or a closed stream
        sys.stderr.write("\n".join(lines) + "\n")
