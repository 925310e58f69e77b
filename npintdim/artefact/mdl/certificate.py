"""A certificate: what a file's bits and its training error say of the error on data nobody has seen."""

from __future__ import annotations

from dataclasses import dataclass

from npintdim.artefact.compress import CompressedModel
from npintdim.artefact.mdl.bounds import BOUNDS, log_share
from npintdim.artefact.mdl.description import describe
from npintdim.backend import Backend, get_backend, given
from npintdim.engine.landscape import Batch, Dataset, Evaluation, Examples
from npintdim.inputs import check_kind


@dataclass(frozen=True)
class Certificate:
    """With probability 1 − δ over the n training examples, error ≤ each of the bounds.

    Parameters
    ----------
    bits : of each part of the description, see `describe`
    errors, n : mistakes on the n training examples
    delta : δ, in (0, 1)
    test : mistakes and number of test examples, which the bounds know nothing of
    shared : how many of the test examples are training examples, so that they test nothing
    """

    bits: dict[str, int]
    errors: int
    n: int
    delta: float
    test: tuple[int, int]
    shared: int = 0

    @property
    def length(self) -> int:
        """ℓ, the bits of the description."""
        return sum(self.bits.values())

    def bounds(self) -> dict[str, float]:
        """By name, the sharpest first."""
        return {name: bound(self.errors, self.n, self.length, self.delta) for name, bound in BOUNDS.items()}


def certify(
    compressed: CompressedModel,
    data: Dataset,
    delta: float = 0.05,
    tried: int = 1,
    backend: Backend | None = None,
) -> Certificate:
    """Count the bits, the mistakes on all training examples, and for comparison those on the test examples.

    Parameters
    ----------
    compressed : the network
    data : all training examples that it could have been trained on, or chosen by
    delta : δ
    tried : see `describe`
    backend : None for that of the network

    Raises
    ------
    TypeError, ValueError
        for code of one's own, which no bit pays for: a layer, a projection, a backend, a kind of data.

    Notes
    -----
    A bound holds for examples drawn independently from one distribution, and for a language (here `describe`)
    that was fixed before they were drawn. So it is not the object that is tested, but what the description
    decodes to: network, P and θ_d are made anew by this package. Learning rate, epochs, order of the data:
    whatever is not needed to decode the file is no part of it, and may have been chosen in any way by the
    training examples. By the test examples nothing may have been chosen,
    or the test error is worth nothing; the bounds hold nevertheless.
    """
    check_kind("compressed", compressed, CompressedModel, "CompressedModel.load(path)")
    check_kind("data", data, Dataset, "load_dataset('mnist')")
    for part, kinds in ((data, [Dataset]), (data.train, [Batch, Examples]), (data.test, [Batch, Examples])):
        if type(part) not in kinds:
            raise TypeError(f"data has a {type(part).__name__} of your own: a {kinds[0].__name__} is needed")
    log_share(0, 1, 0, delta)
    wanted = compressed.network.backend if backend is None else given(backend)
    backend = get_backend(wanted.name, wanted.dtype, wanted.threads, wanted.fuse)
    if backend != wanted:
        raise TypeError(f"backend is {wanted} with code of your own: get_backend({wanted.name!r}) is needed")
    bits, decoded = describe(compressed, tried), compressed.reread(backend)
    data = data.to(backend)
    found, test = (decoded.evaluate(part) for part in (data.train, data.test))
    return Certificate(
        bits, mistakes(found), found.n, delta, (mistakes(test), test.n), also_trained(data, backend)
    )


def mistakes(found: Evaluation) -> int:
    """Of a classifier."""
    return round((1 - found.performance) * found.n)


def also_trained(data: Dataset, backend: Backend) -> int:
    """How many test examples are training examples too, e.g. all of them where labels were shuffled."""
    if data.test.x is data.train.x:
        return len(data.test)
    train, test = (backend.host(part.x) for part in (data.train, data.test))
    seen = {x.tobytes() for x in train}
    return sum(x.tobytes() in seen for x in test)
