"""Examples that are made when they are asked for, read from files say: data that do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from npintdim.typing import Array, Floats, Ints

T = TypeVar("T")


class Streamed:
    """What training and evaluation need of x (n, ...), without x: a slice is another one, `take` makes rows.

    Parameters
    ----------
    make : from a place to its example, float32; always the same bits
    places : (n,), what each row is made from
    shape : of an example
    send : to the device that computes
    """

    ndim = property(lambda self: len(self.shape))
    dtype = np.dtype(np.float32)

    def __init__(
        self,
        make: Callable[[int], Floats],
        places: Ints,
        shape: tuple[int, ...],
        send: Callable[[Floats], Array] = lambda x: x,
    ) -> None:
        self.make, self.places, self.send = make, places, send
        self.shape = (len(places), *shape)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Any) -> Streamed:
        rows = rows.get() if hasattr(rows, "get") else rows  # from a GPU
        return Streamed(self.make, self.places[rows], self.shape[1:], self.send)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        x = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for row, place in zip(x, self.places.tolist(), strict=True):
            row[...] = self.make(place)
        return x

    def take(self, rows: Any, axis: int = 0) -> Array:
        """These examples, made and on the device."""
        return self.send(np.asarray(self[rows]))

    def to(self, backend: Any) -> Streamed:
        """With examples on a backend's device, in its dtype."""
        return Streamed(self.make, self.places, self.shape[1:], lambda x: backend.send(x, backend.dtype))


def made(x: Any) -> Any:
    """The examples themselves."""
    return x.take(slice(None)) if isinstance(x, Streamed) else x


def ahead(items: Iterator[T], x: Any) -> Iterator[T]:
    """The same items; those of a streamed x by a thread in the background, while the one before is in use."""
    if not isinstance(x, Streamed):
        yield from items
        return
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
