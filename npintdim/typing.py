"""Names for the arrays that travel through the package; CuPy's arrays pass as their NumPy twins."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""An array of any dtype on the backend's device."""

Floats: TypeAlias = NDArray[np.floating[Any]]
"""float32 (to run) or float64 (to check)."""

Words: TypeAlias = NDArray[np.uint32]
"""Random words; also bits packed 32 to a word, lowest first."""

Ints: TypeAlias = NDArray[np.integer[Any]]
"""Integers: labels, orders, grid normals."""

Spec: TypeAlias = dict[str, Any]
"""A JSON-able description from which an object can be built again."""
