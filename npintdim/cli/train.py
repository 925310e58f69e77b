"""npintdim train."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from npintdim.adapters import ADAPTERS, Adapter, own_count
from npintdim.artefact.base import write_base
from npintdim.artefact.compress import CompressedModel
from npintdim.backend import Backend
from npintdim.cli.common import (
    Parser,
    backend_of,
    check_writable,
    default_recipe,
    map_of,
    model_of,
    note,
    say,
)
from npintdim.data import load_dataset, own
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.landscape import Dataset
from npintdim.engine.optimizers import optimizer_from_spec
from npintdim.measurement.measure import parts_of_file
from npintdim.measurement.recipes import model_name, recipe_for
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.runs import run as train_run
from npintdim.typing import Spec

PURPOSE = """\
Train once: directly, with --d in a random subspace, or through LoRA, say."""
EXAMPLE = "npintdim train --data mnist --d 750 --epochs 10 --lr 1e-2 --save mnist.npid"


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.add_network(parametrisation=True)
    parser.option("--d", "of the subspace; without it all of theta is trained", type=int)
    parser.option("--optimizer NAME", "adam (default), adamw or sgd (momentum 0.9)", default="adam")
    parser.option("--lr", "learning rate; default by data set", type=float)
    parser.add_training()
    parser.option("--save FILE", "the compressed network; without --d FILE.npy", type=Path)


def run(args: argparse.Namespace) -> int:
    """Train, and print an epoch a line."""
    direct = args.d is None and args.parametrisation is None
    if args.save:
        check_name(args.save, direct, args.base)
    if direct and (args.option or args.projection is not None):
        raise ValueError(
            "--projection and --option need --d: without it all of theta is trained, and there is no P"
        )
    if args.save:
        check_writable("--save", args.save)
    backend, data = backend_and_data(args)
    recipe = default_recipe(data)
    model = model_of(args.model, data)
    how: dict[str, Any] = {} if direct else map_of(args)
    d = args.d
    if d is None and (T := how.get("parametrisation")):
        d = own_count(T, model_from_spec(model, backend).layout)
        if d is None:
            rank = "" if "d" in ADAPTERS[T["kind"]].__dataclass_fields__ else ", or --option r=4"
            raise ValueError(f"--parametrisation {T['kind']} needs --d{rank}")
    default = recipe.direct_optimizer if direct else recipe.optimizer
    optimizer = default if args.optimizer == default["kind"] else {"kind": args.optimizer}
    optimizer = optimizer_from_spec(optimizer | ({} if args.lr is None else {"lr": args.lr})).spec()
    spec = RunSpec(
        args.data, model, **how, d=d, seed=args.seed, optimizer=optimizer,
        epochs=recipe.epochs if args.epochs is None else args.epochs,
        batch_size=recipe.batch_size if args.batch_size is None else args.batch_size,
        l2=args.l2 or 0.0, limit_train=recipe.limit_train, dtype=backend.dtype.name,
        pretrained=None if args.base is None else {"file": str(args.base)},
    )  # fmt: skip
    in_file = args.save and not direct
    start = map_and_start(spec, backend) if in_file else None  # what no file holds is known before the work
    record, theta = train_run(spec, backend, data, args.progress)
    told = f"d = {d}, {spec.T['kind']}" if spec.T else "direct"
    name = f"{args.data}, {model_name(spec.model)}, D = {record['D']:,}"
    say(f"{name}, {told}, seed {args.seed}, {backend.name}")
    say(table(record))
    if start and record["status"] != "diverged":
        made = CompressedModel.from_parts(start.network, start.theta_0_seed, start.P, theta, start.base)
        size = made.save(args.save)
        again = CompressedModel.load(args.save, backend=backend, base=made.base)
        performance = again.evaluate(data.test).performance
        say(f"{args.save}: {size:,} bytes, test performance {performance:.4f} after decoding")
    elif args.save and record["status"] != "diverged":
        say(
            f"{args.save}: {write_base(args.save, theta):,} bytes, all of theta: "
            f"--base {args.save} goes on from it"
        )
    say(f"{record['status']} after {record['seconds']:.1f} s")
    if record["status"] == "interrupted":
        note("interrupted: the table ends with the last whole epoch")
        return 130
    return 0 if record["status"] == "finished" else 1


def check_name(path: Path, direct: bool, base: Path | None) -> None:
    """Refuse a name under which what is saved would not be found, or in whose place theta_0 would be lost."""
    if base is not None and path.resolve() == base.resolve():
        raise ValueError(f"--save is {path}, the base that is read: files that name it would be lost with it")
    if not direct and path.suffix == ".npy":
        raise ValueError(
            f"--save is {path}: a .npy holds all of theta, and a run in a subspace is saved as FILE.npid"
        )
    if direct and path.suffix != ".npy":
        raise ValueError(
            "--save needs --d: only a run in a subspace can be compressed, "
            f"and without --d all of theta is saved as FILE.npy, which {path} is not"
        )


def map_and_start(spec: RunSpec, backend: Backend) -> CompressedModel:
    """The network as it is before training."""
    model, seed, T, base = parts_of_file(spec, backend)
    v = T.start() if isinstance(T, Adapter) else backend.xp.zeros(T.d, dtype=backend.dtype)
    return CompressedModel.from_parts(model, seed, T, v, base)


def backend_and_data(args: argparse.Namespace) -> tuple[Backend, Dataset]:
    """The backend is imported while files are unpacked: with Numba a sixth of the time of a first epoch."""
    with ThreadPoolExecutor(1) as other:
        importing = other.submit(backend_of, args)
        if own.is_file(args.data):
            data, told = own.read(args.data)
            say(told)
        else:
            limit_train = recipe_for(args.data).limit_train
            data = load_dataset(args.data, folder=args.folder, limit_train=limit_train)
    backend = importing.result()
    return backend, data.to(backend)


def table(record: Spec) -> str:
    """One line per epoch."""
    lines = [f"{'epoch':>5} {'loss':>9} {'train':>7} {'test':>7} {'seconds':>8}"]
    for e in record["epochs"]:
        loss = "not finite" if e["loss"] is None else f"{e['loss']:{'.4f' if e['loss'] < 1e4 else '.3e'}}"
        lines.append(
            f"{e['epoch'] + 1:>5} {loss:>9} {e['train']:>7.4f} {e['test']:>7.4f} {e['seconds']:>8.2f}"
        )
    return "\n".join(lines)
