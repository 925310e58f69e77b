"""Numbers as few bits: a codebook of a few values, and which each number is (docs/description-length.md)."""

from npintdim.artefact.coding.codebook import Codebook, kmeans
from npintdim.artefact.coding.payload import pack, unpack

__all__ = ["Codebook", "kmeans", "pack", "unpack"]
