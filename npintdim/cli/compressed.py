"""What evaluate, quantise and certify share: a compressed network, and data that it takes."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from npintdim.artefact.base import read_base
from npintdim.artefact.compress import CompressedModel
from npintdim.artefact.mdl.certificate import shared
from npintdim.backend import Backend
from npintdim.cli.common import Parser
from npintdim.engine.landscape import Dataset
from npintdim.measurement.custom import Name
from npintdim.measurement.work import load


def add_base(parser: Parser) -> None:
    """The option of what reads a fine-tuned network."""
    parser.option("--base FILE", "the pre-trained theta_0 that FILE names: .npy or .npid", type=Path)


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
    data = load(args.data, args.folder, None, backend)
    assert data.test.x is not None
    takes, given = compressed.model().in_shape, tuple(data.test.x.shape[1:])
    if math.prod(takes) != math.prod(given):
        raise ValueError(
            f"{source} is a network for inputs of shape {takes}, but {args.data} has {given}: "
            "which --data was it trained on?"
        )
    return data


def measured_on(data: Dataset, backend: Backend) -> str:
    """What a performance on the test part is worth: where labels were shuffled, that part is the training part."""
    return "training" if shared(data, backend) == len(data.test) else "test"
