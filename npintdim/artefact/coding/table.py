"""The frequencies that the range coder works with: integers that learn, so that no table is stored."""

from __future__ import annotations


class Table:
    """How often each of K symbols is expected: f_k = 2·n_k + 1, n_k = how often it has occurred.

    Notes
    -----
    Krichevsky and Trofimov (1981). The decoder has seen the same symbols and so has the same table. Symbol k is
    coded with probability (2 n_k + 1)/(2 n + K), which over n symbols with counts n_k costs at most

        n H(n_1/n, ..., n_K/n) + (K − 1)/2 · log₂ n + log₂ K  bits:

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
