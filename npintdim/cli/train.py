"""npintdim train."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from npintdim.artefact.compress import CompressedModel
from npintdim.backend import Backend
from npintdim.cli.common import (
    add_command,
    add_network,
    add_no_fuse,
    backend_of,
    check_writable,
    default_recipe,
    model_of,
    note,
    projection_of,
    say,
)
from npintdim.data import load_dataset, own
from npintdim.engine.landscape import Dataset
from npintdim.engine.optimizers import optimizer_from_spec
from npintdim.measurement.recipes import model_name, recipe_for
from npintdim.measurement.runs import RunSpec, parts
from npintdim.measurement.runs import run as train_run
from npintdim.typing import Spec

PURPOSE = """\
Train once: directly, or with --d in a random subspace."""


def add(commands: Any) -> None:
    """Options of the command."""
    example = "npintdim train --data mnist --d 750 --epochs 10 --lr 1e-2 --save mnist.npid"
    parser = add_command(commands, "train", run, PURPOSE, example)
    add_network(parser)
    parser.option("--d", "of the subspace; without it all of theta is trained", type=int)
    parser.option("--optimizer NAME", "adam (default), adamw or sgd (momentum 0.9)", default="adam")
    parser.option("--lr", "learning rate; default by data set", type=float)
    parser.option("--epochs N", "passes over the training data", type=int)
    parser.option("--batch-size N", "examples in a step", type=int)
    parser.option("--l2 W", "penalty W·Σθ² on the kernels", type=float, default=0.0)
    add_no_fuse(parser)
    parser.option("--save FILE", "the compressed network (needs --d)", type=Path)


def run(args: argparse.Namespace) -> int:
    """Train, and print an epoch a line."""
    if args.save and args.d is None:
        raise ValueError("--save needs --d: only a run in a subspace can be compressed")
    if args.d is None and (args.option or args.projection != "fastfood"):
        raise ValueError(
            "--projection and --option need --d: without it all of theta is trained, and there is no P"
        )
    if args.save:
        check_writable("--save", args.save)
    backend, data = backend_and_data(args)
    recipe = default_recipe(data)
    spec = RunSpec(
        data=args.data,
        model=model_of(args.model, data),
        projection=None if args.d is None else projection_of(args),
        d=args.d,
        seed=args.seed,
        optimizer=optimizer_of(args, recipe.direct_optimizer if args.d is None else recipe.optimizer),
        epochs=recipe.epochs if args.epochs is None else args.epochs,
        batch_size=recipe.batch_size if args.batch_size is None else args.batch_size,
        l2=args.l2,
        limit_train=recipe.limit_train,
        dtype=backend.dtype.name,
    )
    how = "direct" if args.d is None else f"d = {args.d}, {args.projection}"
    record, theta = train_run(spec, backend, data, args.progress)
    name = f"{args.data}, {model_name(spec.model)}, D = {record['D']:,}"
    say(f"{name}, {how}, seed {args.seed}, {backend.name}")
    say(table(record))
    if args.save and record["status"] != "diverged":
        model, _, P = parts(spec, backend)
        assert P is not None
        size = CompressedModel.from_parts(model, spec.seeds.theta_0, P, theta).save(args.save)
        performance = CompressedModel.load(args.save, backend=backend).evaluate(data.test).performance
        say(f"{args.save}: {size:,} bytes, test performance {performance:.4f} after decoding")
    say(f"{record['status']} after {record['seconds']:.1f} s")
    if record["status"] == "interrupted":
        note("interrupted: the table ends with the last whole epoch")
        return 130
    return 0 if record["status"] == "finished" else 1


def backend_and_data(args: argparse.Namespace) -> tuple[Backend, Dataset]:
    """The backend is imported while the files are unpacked: with Numba a sixth of the time of a first epoch."""
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


def optimizer_of(args: argparse.Namespace, default: Spec) -> Spec:
    """The recipe's, or what the options say."""
    base = default if args.optimizer == default["kind"] else {"kind": args.optimizer}
    return optimizer_from_spec(base | ({} if args.lr is None else {"lr": args.lr})).spec()


def table(record: Spec) -> str:
    """One line per epoch."""
    lines = [f"{'epoch':>5} {'loss':>9} {'train':>7} {'test':>7} {'seconds':>8}"]
    for e in record["epochs"]:
        loss = "not finite" if e["loss"] is None else f"{e['loss']:{'.4f' if e['loss'] < 1e4 else '.3e'}}"
        lines.append(
            f"{e['epoch'] + 1:>5} {loss:>9} {e['train']:>7.4f} {e['test']:>7.4f} {e['seconds']:>8.2f}"
        )
    return "\n".join(lines)
