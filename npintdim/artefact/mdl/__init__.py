"""Description length: a network as few bits, and what these bits promise (docs/description-length.md)."""

from npintdim.artefact.mdl.bounds import (
    BOUNDS,
    binomial_bound,
    catoni_bound,
    chernoff_bound,
    lotfi_bound,
    seeger_bound,
)
from npintdim.artefact.mdl.certificate import Certificate, certify
from npintdim.artefact.mdl.description import describe
from npintdim.artefact.mdl.levels import QuantisedLandscape, finetune, fit, quantise, smallest

__all__ = [
    "BOUNDS", "Certificate", "QuantisedLandscape", "binomial_bound", "catoni_bound", "certify",
    "chernoff_bound", "describe", "finetune", "fit", "lotfi_bound", "quantise", "seeger_bound", "smallest",
]  # fmt: skip
