"""Arrays of other libraries to NumPy, and numbers to hex words and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npintdim.typing import Array, Spec

NARROW = ("bfloat16", "float8")  # NumPy has no such types
DIGITS = frozenset("0123456789abcdefABCDEF")
KINDS = {"float32": ">f4", "float64": ">f8", "uint32": ">u4"}  # written as hex words, most significant first


class CheckError(AssertionError):
    """A check that failed; the message holds both numbers, the tolerance and the formula."""


def to_numpy(answer: Any) -> Array:
    """A NumPy array of what a callable gave back.

    Takes numbers, nested lists, NumPy arrays, and the arrays of PyTorch (also with a gradient, also
    on a GPU), JAX, CuPy and whoever else has `.numpy()`, `.get()`, `__array__` or `__dlpack__`.
    bfloat16 and float8 become float32, which holds them exactly.

    Raises
    ------
    TypeError
        if the answer is none of these.
    """
    if isinstance(answer, list | tuple) and any(hasattr(part, "detach") for part in answer):
        answer = [to_numpy(part) for part in answer]
    narrow = dtype_name(answer).startswith(NARROW)
    if narrow and hasattr(answer, "float"):
        answer = answer.float()
    array = _on_the_host(answer)
    return array.astype(np.float32) if narrow else array


def _on_the_host(answer: Any) -> Array:
    if isinstance(answer, np.ma.MaskedArray):
        raise TypeError("the answer is a masked array: fill, or leave out, what is masked")
    if isinstance(answer, np.ndarray | np.generic | int | float | list | tuple):
        return np.asarray(answer)
    for name in ("detach", "cpu", "resolve_conj", "resolve_neg", "numpy"):  # PyTorch: off graph and GPU
        if hasattr(answer, name):
            answer = getattr(answer, name)()
    if isinstance(answer, np.ndarray):
        return answer
    # CuPy's __array__ refuses.
    if hasattr(answer, "__cuda_array_interface__") and hasattr(answer, "get"):
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


def dtype_name(answer: Any) -> str:
    """Its dtype's name in whichever library, "float32", "bfloat16", ...; "" of what has none."""
    dtype = getattr(answer, "dtype", "")
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def too_coarse(answer: Any) -> str:
    """Why a half-precision answer cannot be judged; empty for any other."""
    name = dtype_name(answer)
    if not name.startswith((*NARROW, "float16")):
        return ""
    return (
        f"the answer is {name}, too coarse to tell a mistake from rounding: "
        "compute in float32 or float64 to be checked"
    )


def by_name(answer: Any, names: Sequence[str]) -> dict[str, Any]:
    """The parts of an answer: one array, or several in order or by name.

    Raises
    ------
    CheckError
        if they are more or fewer, or have other names.
    """
    if isinstance(answer, dict):
        parts = answer
    elif len(names) == 1 and not (isinstance(answer, tuple) and answer and np.ndim(answer[0])):
        parts = {names[0]: answer}
    else:  # several, or the tuple of one that a transpose by JAX or PyTorch gives
        as_many = isinstance(answer, list | tuple) and len(answer) == len(names)
        parts = dict(zip(names, answer, strict=True)) if as_many else {}
    if set(parts) != set(names):
        order = ", in this order or by name" if len(names) > 1 else ""
        kind = (
            f"has {', '.join(map(str, answer))}"
            if isinstance(answer, dict)
            else f"is a {type(answer).__name__}"
        )
        size = f" of {len(answer)}" if isinstance(answer, list | tuple) else ""
        raise CheckError(f"the answer must be {', '.join(names)}{order}, but {kind}{size}")
    if len(names) > 1 and (lacking := [name for name in names if parts[name] is None]):
        raise CheckError(
            f"{', '.join(lacking)} is None: an array is needed; has it a gradient (requires_grad, no detach)?"
        )
    return {name: parts[name] for name in names}


def words_of(array: Array) -> str:
    """The bits of floats or words, hexadecimal, a word a number, most significant digit first, in C order."""
    big = array.astype(KINDS[array.dtype.name])
    return big.tobytes().hex(" ", big.itemsize)


def array_of(text: str, dtype: str, shape: list[int] | tuple[int, ...]) -> Array:
    """The numbers whose bits `words_of` wrote.

    Raises
    ------
    ValueError
        unless the words have as many hexadecimal digits as the dtype needs,
        and are as many as the shape needs.
    """
    digits = 2 * np.dtype(KINDS[dtype]).itemsize
    words = text.split()
    for word in words:
        if len(word) != digits:
            raise ValueError(f"the word {word[:20]!r} has {len(word)} digits: {dtype} needs {digits}")
        if not DIGITS.issuperset(word):
            raise ValueError(f"the word {word!r} is not hexadecimal")
    count = int(np.prod(shape, dtype=int))
    if len(words) != count:
        raise ValueError(f"{len(words)} words are given: shape {tuple(shape)} needs {count}")
    data = np.frombuffer(bytes.fromhex("".join(words)), KINDS[dtype])
    return data.astype(dtype).reshape(tuple(shape))


def from_json(value: Any) -> Any:
    """A value of the vectors' JSON: an array object becomes an array or bytes, all else stays."""
    if not (isinstance(value, dict) and "dtype" in value):
        return value
    spec: Spec = value
    if spec["dtype"] == "bytes":
        return bytes.fromhex(spec["hex"])
    if "values" in spec:
        return np.array(spec["values"], dtype=spec["dtype"]).reshape(tuple(spec["shape"]))
    return array_of(spec["hex"], spec["dtype"], spec["shape"])
