"""The range coder: symbols become an interval of [0, 1), and that bits; frequencies learn. Integers only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

WIDTH = 32
ONE, HALF, QUARTER = 1 << WIDTH, 1 << (WIDTH - 1), 1 << (WIDTH - 2)
LARGEST_TOTAL = QUARTER  # so that no share of the interval is empty


class Interval(ABC):
    """[low, high) ⊂ [0, 2³²), narrowed symbol by symbol; what is settled of it is shifted out.

    Notes
    -----
    A symbol with the share [a, b) of total t takes low + ⌊(high − low)·a/t⌋ ≤ x < low + ⌊(high − low)·b/t⌋.
    Where the interval lies in one half of [0, 2³²), that half is a bit. Where it straddles the middle within
    the middle half, the bit is not known yet, but it and the next differ.
    So high − low > 2³⁰ before every symbol.
    """

    def __init__(self) -> None:
        self.low, self.high = 0, ONE

    def narrow(self, a: int, b: int, total: int) -> None:
        """Take the symbol whose share is [a, b) of total."""
        width = self.high - self.low
        self.low, self.high = self.low + width * a // total, self.low + width * b // total
        while True:
            if self.high <= HALF:
                offset = 0
            elif self.low >= HALF:
                offset = HALF
            elif self.low >= QUARTER and self.high <= 3 * QUARTER:
                offset = QUARTER
            else:
                return
            self.low, self.high = 2 * (self.low - offset), 2 * (self.high - offset)
            self.shift(offset)

    @abstractmethod
    def shift(self, offset: int) -> None:
        """The half of [0, 2³²) that begins at the offset has become the whole."""


class Encoder(Interval):
    """Writes the bits. While the interval straddles the middle they are counted as pending.

    The bits of `finish` name a binary interval inside the last one: no code is the beginning of another,
    and a code is at most two bits longer than −log₂ of its interval.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pending = 0
        self.bits: list[int] = []

    def shift(self, offset: int) -> None:
        """A bit that is known, and those that waited for it; or one more that waits."""
        if offset == QUARTER:
            self.pending += 1
        else:
            bit = offset // HALF
            self.bits += [bit] + [1 - bit] * self.pending
            self.pending = 0

    def finish(self) -> list[int]:
        """All bits; the last two name the second or the third quarter, whichever lies in the interval."""
        self.pending += 1
        self.shift(0 if self.low < QUARTER else HALF)
        return self.bits


class Decoder(Interval):
    """Reads the bits through a window of 32 on the code; behind its end there are zeros.

    Parameters
    ----------
    bits : of `Encoder.finish`; more may follow
    """

    def __init__(self, bits: Sequence[int]) -> None:
        super().__init__()
        self.bits = iter(bits)
        self.window = 0
        for _ in range(WIDTH):
            self.shift(0)

    def target(self, total: int) -> int:
        """The number t < total for which the next symbol's share [a, b) has a ≤ t < b."""
        width = self.high - self.low
        return ((self.window - self.low + 1) * total - 1) // width

    def shift(self, offset: int) -> None:
        """The window moves by a bit."""
        self.window = 2 * (self.window - offset) + next(self.bits, 0)


class Frequencies:
    """How often each of K symbols is expected: f_k = 2·n_k + 1, n_k = how often it has occurred.

    Notes
    -----
    Krichevsky and Trofimov (1981). The decoder has seen the same symbols and so has the same table.
    Symbol k is coded with probability (2 n_k + 1)/(2 n + K),
    which over n symbols with counts n_k costs at most

        n · entropy(n_1/n, ..., n_K/n) + (K − 1)/2 · log₂ n + log₂ K  bits:

    the entropy, and half a logarithm for each frequency that nobody told.

    Parameters
    ----------
    K : number of symbols
    """

    def __init__(self, K: int) -> None:
        self.f = [1] * K
        self.total = K

    def share(self, k: int) -> tuple[int, int, int]:
        """[a, b) and the total: a = f_0 + ... + f_{k−1}, b = a + f_k."""
        a = sum(self.f[:k])
        return a, a + self.f[k], self.total

    def find(self, target: int) -> int:
        """The symbol whose share holds target."""
        k = 0
        while target >= self.f[k]:
            target -= self.f[k]
            k += 1
        return k

    def learn(self, k: int) -> None:
        """Symbol k has occurred."""
        self.f[k] += 2
        self.total += 2
