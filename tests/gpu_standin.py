"""A module that behaves like CuPy but computes with NumPy, and counts what would cross the bus.

Its arrays refuse what CuPy's refuse (implicit conversion to NumPy, operands on the host) and count what
makes the host wait (`.get()`, `float(x)`, `if x:`, masks whose size only the device knows). `empty` gives
NaN and −1, so that a result that was not written is seen. `standin_backend` is a whole `Backend`.
"""

import inspect
import sys
from types import ModuleType, SimpleNamespace

import numpy as np

from npintdim.backend import Backend
from npintdim.kernels import reference

transfers = SimpleNamespace(to_host=0, to_device=0)
ABSENT = {
    "errstate", "insert", "spacing", "frompyfunc", "ndenumerate", "nditer", "unstack", "vecdot", "matvec",
}  # fmt: skip
WAITING = {
    "nonzero", "flatnonzero", "argwhere", "unique", "tolist", "item", "tobytes", "square_sum",
    "drawn_square_sum", "sparse_columns",
}  # fmt: skip


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):  # noqa: N801
    __cuda_array_interface__ = {}  # noqa: RUF012

    def __init__(self, a):
        self._a = np.asarray(a)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Use `.get()`.")

    def __array_ufunc__(self, ufunc, method, *args, out=None, **kwargs):
        if out is not None:
            kwargs["out"] = out
        result = on_device(getattr(ufunc, method))(*args, **kwargs)
        return result if out is None else out[0]

    def __array_function__(self, function, types, args, kwargs):
        return getattr(sys.modules[__name__], function.__name__)(*args, **kwargs)

    def __getattr__(self, name):
        if name == "_a" or name.startswith(
            "__"
        ):  # NumPy would find its own array through __array_interface__
            raise AttributeError(name)
        value = getattr(self._a, name)
        return on_device(value) if callable(value) else wrap(value)

    def __getitem__(self, key):
        for k in key if isinstance(key, tuple) else (key,):
            transfers.to_device += isinstance(k, np.ndarray)
            transfers.to_host += getattr(k, "dtype", None) == np.bool_
        key = tuple(unwrap(k, host=True) for k in key) if isinstance(key, tuple) else unwrap(key, host=True)
        return wrap(self._a[key])

    def __setitem__(self, key, value):
        self._a[unwrap(key)] = unwrap(value)

    def __pow__(self, exponent):  # x**2 of an array is x·x, np.power(x, 2) perhaps not to the last bit
        return wrap(self._a**exponent)

    def __len__(self):
        return len(self._a)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def get(self):
        transfers.to_host += 1
        return self._a.copy()

    __float__ = lambda self: float(self.get())  # noqa: E731
    __int__ = lambda self: int(self.get())  # noqa: E731
    __index__ = lambda self: self.get().__index__()  # noqa: E731
    __bool__ = lambda self: bool(self.get())  # noqa: E731
    __repr__ = lambda self: repr(self.get())  # noqa: E731
    __format__ = lambda self, spec: format(self.get(), spec)  # noqa: E731


def unwrap(x, host=False):
    """What NumPy computes with; an array of the host among operands is refused."""
    if isinstance(x, ndarray):
        return x._a
    if isinstance(x, np.ndarray) and x.ndim and not host:
        raise TypeError(f"Unsupported type {type(x)}")
    if isinstance(x, (tuple, list)):
        return type(x)(unwrap(y, host) for y in x)
    return x


def wrap(x):
    if isinstance(x, (np.ndarray, np.generic)):
        return ndarray(x)
    return type(x)(map(wrap, x)) if type(x) in (tuple, list) else x


def on_device(function):
    def call(*args, **kwargs):
        transfers.to_host += getattr(function, "__name__", "") in WAITING
        return wrap(function(*map(unwrap, args), **{k: unwrap(v) for k, v in kwargs.items()}))

    return call


def asarray(a, dtype=None, copy=None, order=None):
    on_host = not isinstance(a, ndarray) and not (
        isinstance(a, list) and all(isinstance(x, ndarray) for x in a)
    )
    transfers.to_device += on_host
    return ndarray(np.array(unwrap(a, host=True), dtype=dtype, copy=copy or (on_host or None), order=order))


def array(a, dtype=None, copy=True, order=None):
    return asarray(a, dtype, copy, order)


def empty(shape, dtype=np.float64):
    a = np.empty(shape, dtype)
    a.reshape(-1).view(np.uint8).fill(255)
    return ndarray(a)


def repeat(a, repeats, axis=None):  # as CuPy 13 has it
    if isinstance(repeats, ndarray):
        raise ValueError("cupy.ndarray cannot be specified as `repeats` argument.")
    return on_device(np.repeat)(a, repeats, axis)


def __getattr__(name):
    if name in ABSENT or name == "random":
        raise AttributeError(f"module 'cupy' has no attribute {name!r} that this package may use")
    value = getattr(np, name)
    return on_device(value) if callable(value) and not isinstance(value, type) else value


def standin_kernels():
    """The reference kernels on stand-in arrays."""
    kernels = ModuleType("standin_kernels")
    kernels.FASTFOOD_PARTS = reference.FASTFOOD_PARTS
    for name, kernel in inspect.getmembers(reference, inspect.isfunction):
        setattr(kernels, name, on_device(kernel))
    return kernels


def standin_backend(dtype=np.float32):
    xp = sys.modules[__name__]
    return Backend("cupy", xp, standin_kernels(), np.dtype(dtype), 1)
