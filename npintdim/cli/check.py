"""npintdim check."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from npintdim.backend import Backend
from npintdim.cli.common import Parser, backend_of, data_of, map_of, model_of, say
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.landscape import Dataset, first
from npintdim.measurement.recipes import model_name
from npintdim.measurement.runs import RunSpec, check_fit
from npintdim.objective import SubspaceObjective
from npintdim.projections import FastfoodProjection, Projection, make_projection
from npintdim.testing import CheckError, check_unit_columns
from npintdim.testing.checks import Check, adjoint_matrix_check, dot_test
from npintdim.testing.gradient import gradient_check
from npintdim.typing import Spec

PURPOSE = """\
Check gradients and adjoints: a table of ok and FAILED.

The network and its subspace against finite differences, P against its adjoint,
entry by entry, and for unit columns. Exit code 1 if anything failed."""
EXAMPLE = "npintdim check --model 64-30-10 --projection sparse --d 40"
EXAMPLES = 16
SMALL = (300, 20)  # D×d of the comparison entry by entry


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.set_defaults(dtype="float64")
    parser.add_network()
    parser.option("--d", "dimension of the subspace (default 100)", type=int, default=100)


def run(args: argparse.Namespace) -> int:
    """Run every check, print a line for each."""
    backend = backend_of(args)
    if backend.dtype != np.float64:
        raise ValueError(
            "--dtype is float32: finite differences need float64, which is this command's default"
        )
    data = first(data_of(args, backend), EXAMPLES)
    spec, P = model_of(args.model, data), map_of(args)["projection"]
    found = list(checks(spec, P, args.d, args.seed, backend, data))
    where = f"{P['kind']}, d = {args.d}, {backend.name} in {backend.dtype}"
    say(f"{model_name(spec)} on {args.data}, {where}\n")
    say(f"{'check':<44}{'left':>14}{'right':>14}{'error':>9}{'allowed':>9}")
    failed = 0
    for name, check in found:
        try:
            passed = check()
            for c in passed if isinstance(passed, list) else [passed]:
                say(f"{name:<44}{c.left:>14.6g}{c.right:>14.6g}{c.error:>9.1e}{c.tolerance:>9.1e}  ok")
        except CheckError as error:
            failed += 1
            say(f"{name:<44}  FAILED: {error}")
    say("\nall checks passed" if not failed else f"\nFAILED: {failed}")
    return 1 if failed else 0


def checks(
    model_spec: Spec, projection: Spec, d: int, seed: int, backend: Backend, data: Dataset
) -> Iterator[tuple[str, Callable[[], Check | list[Check]]]]:
    """Names and checks, in an order that finds the culprit: P alone, the network alone, both."""
    model, batch = model_from_spec(model_spec, backend), data.train
    check_fit(RunSpec(data.name, model_spec, batch_size=1), model, data)
    draw = partial(make_projection, seed=seed, backend=backend, **projection)
    P = draw(D=model.D, d=d)
    small = draw(D=min(SMALL[0], P.D), d=min(SMALL[1], d))
    theta_0 = model.init_theta(seed)
    subspace = SubspaceObjective(model, theta_0, P)
    theta_d = backend.xp.full(d, 0.01, dtype=backend.dtype)
    slack = max(1e-12, 6 * sd_of_norms(P))
    columns = partial(check_unit_columns, P.apply, P.D, P.d, backend.send, backend.dtype, slack)
    yield "P: columns have norm 1", columns
    yield "P: <P v, g> = <v, P' g>", lambda: dot_test(P, seed)
    yield f"P: entry by entry, {small.D} x {small.d}", lambda: adjoint_matrix_check(small)
    yield "network: gradient . v = difference", lambda: gradient_check(model, theta_0, batch, seed=seed)
    yield "subspace: gradient . v = difference", lambda: gradient_check(subspace, theta_d, batch, seed=seed)


def sd_of_norms(P: Projection) -> float:
    """Standard deviation of the norms that is known in theory; 0 where they are exactly 1."""
    if not isinstance(P, FastfoodProjection):
        return 0.0
    kept = P.D - (P.count - 1) * P.n  # rows of the last block
    return math.sqrt(kept * (1 - kept / P.n) / 2) / P.D
