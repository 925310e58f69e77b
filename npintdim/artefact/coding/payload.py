"""The code of a quantised theta_d: its codebook, its symbols through the range coder (docs/format.md)."""

from __future__ import annotations

import numpy as np

from npintdim.artefact.coding.arithmetic import LARGEST_TOTAL, Decoder, Encoder, Frequencies
from npintdim.artefact.coding.codebook import KINDS, LARGEST_K, Codebook
from npintdim.typing import Ints

LONGEST = LARGEST_TOTAL // 2 - LARGEST_K  # symbols: Table.total stays below what the coder can share out


def encode(symbols: Ints, K: int) -> list[int]:
    """The bits of d symbols below K; given d and K no code is the beginning of another."""
    table, coder = Frequencies(K), Encoder()
    for k in map(int, symbols):
        coder.narrow(*table.share(k))
        table.learn(k)
    return coder.finish()


def decode(bits: Ints, K: int, d: int) -> Ints:
    """The d symbols, (d,) uint8."""
    table, coder = Frequencies(K), Decoder(bits.tolist())
    symbols = np.empty(d, np.uint8)
    for i in range(d):
        symbols[i] = k = table.find(coder.target(table.total))
        coder.narrow(*table.share(k))
        table.learn(k)
    return symbols


def pack(codebook: Codebook, symbols: Ints) -> bytes:
    """Kind and K in a byte, scales in binary16, the bits of `encode`, highest first, zeros to a full byte."""
    if len(symbols) == 0 or len(symbols) > LONGEST:
        raise ValueError(f"there are {len(symbols)} symbols: 1 to {LONGEST} are needed")
    low, high = int(symbols.min()), int(symbols.max())
    if low < 0 or high >= codebook.K:
        raise ValueError(f"symbols run from {low} to {high}, but the codebook has K = {codebook.K} levels")
    head = KINDS.index(codebook.kind) << 7 | (codebook.K - 1)
    bits = np.array(encode(symbols, codebook.K), np.uint8)
    return bytes([head]) + codebook.scales.astype("<f2").tobytes() + np.packbits(bits).tobytes()


def unpack(payload: bytes, d: int) -> tuple[Codebook, Ints]:
    """Codebook and symbols of a payload, not trusted: a ValueError unless `pack` would write these bytes."""
    if not 1 <= d <= LONGEST:
        raise ValueError(f"d is {d}: 1 to {LONGEST} symbols can be coded")
    if not payload:
        raise ValueError("it is empty")
    kind, K = KINDS[payload[0] >> 7], (payload[0] & 127) + 1
    end = 1 + 2 * (K if kind == "free" else 1)
    if len(payload) < end:
        raise ValueError(
            f"it has {len(payload)} bytes: a {kind} codebook of K = {K} levels alone takes {end}"
        )
    codebook = Codebook(kind, K, np.frombuffer(payload[1:end], "<f2").astype(np.float16))
    bits = np.unpackbits(np.frombuffer(payload, np.uint8, offset=end))
    symbols = decode(bits, K, d)
    if pack(codebook, symbols) != payload:
        raise ValueError(f"its symbols are not those of d = {d} numbers, K = {K} levels")
    return codebook, symbols
