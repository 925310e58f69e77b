"""npintdim certify."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from npintdim.artefact.fileformat import MissingBaseError
from npintdim.artefact.mdl import certify
from npintdim.artefact.mdl.bounds import log_share
from npintdim.artefact.mdl.description import LEARNT
from npintdim.cli.common import Parser, backend_of, check_folder, compressed_of, data_for, kept_network, say
from npintdim.cli.compress import choose, dtype_of, other_data
from npintdim.inputs import check_integer
from npintdim.measurement.measure import compress_run
from npintdim.measurement.recipes import model_name

PURPOSE = """\
Bound a network's error on unseen data by the bits that describe it.

SOURCE is a compressed network, or the folder of a measurement (then the
run at its crossing, which its test accuracy chose, and its data). With
probability 1 − δ over the training examples every bound holds;
docs/description-length.md has the conditions."""
EXAMPLE = "npintdim certify lenet-K3.npid --data mnist"
TAKES = "SOURCE"


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.option("source SOURCE", "file, or folder of a measurement", type=Path)
    parser.add_data()
    parser.set_defaults(data=None, dtype=None)
    parser.option("--delta δ", "default 0.05", type=float, default=0.05)
    parser.option("--tried N", "networks it was chosen from: costs log2 N bits", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    """Bits, training error, bounds, test error."""
    log_share(0, 1, math.log2(check_integer("tried", args.tried, 1)), args.delta)
    if measured := args.source.is_dir():
        folder, spec = choose(args.source, None, None)
        given, args.data, args.dtype = args.data, args.data or spec.data, dtype_of(args, spec)
        if other_data(spec, args.data):
            wrong = f"{args.data} changed since the runs in {args.source}"
            if given:
                wrong = f"--data is {given}, and the runs in {args.source} saw other data, {spec.data}"
            raise ValueError(f"{wrong}: the data they saw are needed")
        if spec.pretrained is not None:
            raise ValueError(f"{args.source}: no certificate: {LEARNT}")
    args.data = args.data or "digits"
    check_folder(args.folder, args.data)
    args.dtype = args.dtype or "float32"
    backend = backend_of(args)
    try:
        compressed = compress_run(folder, spec, backend) if measured else compressed_of(args.source, backend)
    except MissingBaseError:
        raise ValueError(f"{args.source}: no certificate: {LEARNT}") from None
    data = data_for(compressed, args.source, args, backend)
    if not data.classes:
        raise ValueError(
            f"{args.data} has numbers as targets: a certificate bounds the share of wrong classes"
        )
    found = certify(compressed, data, args.delta, args.tried)
    P, codebook, name = compressed.P, compressed.codebook, model_name(compressed.network.spec())
    levels = "binary32" if codebook is None else f"K = {codebook.K} levels, {codebook.kind}"
    say(f"{args.source}: {name}, D = {P.D:,}, {P.kind}, d = {compressed.d:,}, {levels}")
    paid = " + ".join(f"{name} {bits:,}" for name, bits in found.bits.items())
    say(f"bits        {found.length:,} = {paid}")
    rate = f"{found.errors / found.n:.4f}, {found.errors:,} of {found.n:,}"
    say(f"training    error {rate} examples of {args.data}")
    bounds = found.bounds()
    for name, bound in bounds.items():
        say(f"bound       error ≤ {bound:.4f}  {name}")
    guess = 1 - 1 / data.classes
    if min(bounds.values()) >= guess:
        say(f"            vacuous: guessing among {data.classes} classes errs {guess:.2f}")
    say(f"            each with probability {1 - args.delta:g} over the training examples")
    errors, n = found.test
    if found.shared == n:
        say(f"test        none: the {n:,} test examples of {args.data} are training examples")
        return 0
    doubts = f"; {found.shared:,} of them are training examples" if found.shared else ""
    doubts += "; the run was chosen by it" if measured or kept_network(args.source) else ""
    say(f"test        error {errors / n:.4f}, {errors:,} of {n:,} examples; the bounds do not use it{doubts}")
    return 0
