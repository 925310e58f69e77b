"""Arrays of other libraries to NumPy, and numbers to hex words and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from npintdim.typing import Array, Spec

KINDS = {"float32": ">f4", "float64": ">f8", "uint32": ">u4"}  # written as hex words, most significant first


def to_numpy(answer: Any) -> Array:
    """A NumPy array of what a callable gave back.

    Takes numbers, nested lists, NumPy arrays, and the arrays of PyTorch (also with a gradient, also
    on a GPU), JAX, CuPy and whoever else has `.numpy()`, `.get()`, `__array__` or `__dlpack__`.

    Raises
    ------
    TypeError
        if the answer is none of these.
    """
    if isinstance(answer, np.ndarray | np.generic | int | float | list | tuple):
        return np.asarray(answer)
    for name in ("detach", "cpu", "resolve_conj", "numpy"):  # PyTorch: off the graph, off the GPU
        if hasattr(answer, name):
            answer = getattr(answer, name)()
    if isinstance(answer, np.ndarray):
        return answer
    if hasattr(answer, "__cuda_array_interface__") and hasattr(
        answer, "get"
    ):  # CuPy, whose __array__ refuses
        return np.asarray(answer.get())
    if hasattr(answer, "__array__"):
        return np.asarray(answer)
    if hasattr(answer, "__dlpack__"):
        return np.from_dlpack(answer)
    if answer is None:
        raise TypeError("the answer is None: an array is needed; is there a return?")
    raise TypeError(
        f"the answer is a {type(answer).__module__}.{type(answer).__name__}: an array is needed, with "
        ".numpy(), __array__ or __dlpack__"
    )


def words_of(array: Array) -> str:
    """The bits of floats or words, hexadecimal, a word a number, most significant digit first, in C order."""
    return " ".join(word.hex() for word in _bytes_of(array))


def _bytes_of(array: Array) -> list[bytes]:
    big = array.astype(KINDS[array.dtype.name]).reshape(-1)
    data, size = big.tobytes(), big.itemsize
    return [data[i : i + size] for i in range(0, len(data), size)]


def array_of(text: str, dtype: str, shape: list[int] | tuple[int, ...]) -> Array:
    """The numbers whose bits `words_of` wrote.

    Raises
    ------
    ValueError
        unless the words have as many digits as the dtype needs, and are as many as the shape needs.
    """
    digits = 2 * np.dtype(KINDS[dtype]).itemsize
    words = text.split()
    for word in words:
        if len(word) != digits:
            raise ValueError(f"the word {word!r} has {len(word)} digits: {dtype} needs {digits}")
    count = int(np.prod(shape, dtype=int))
    if len(words) != count:
        raise ValueError(f"{len(words)} words are given: shape {tuple(shape)} needs {count}")
    data = np.frombuffer(bytes.fromhex("".join(words)), KINDS[dtype])
    return data.astype(dtype).reshape(tuple(shape))


def decode(value: Any) -> Any:
    """A value of the vectors' JSON: an array object becomes an array or bytes, all else stays."""
    if not (isinstance(value, dict) and "dtype" in value):
        return value
    spec: Spec = value
    if spec["dtype"] == "bytes":
        return bytes.fromhex(spec["hex"])
    if "values" in spec:
        return np.array(spec["values"], dtype=spec["dtype"]).reshape(tuple(spec["shape"]))
    return array_of(spec["hex"], spec["dtype"], spec["shape"])
