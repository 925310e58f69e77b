"""A digest of a thing of one's own: of arrays, and of the source of functions and of what they refer to."""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from npintdim.backend import as_array
from npintdim.engine.landscape import Batch, Examples
from npintdim.inputs import shown

PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, type(...), np.dtype, PurePath)


class Digest:
    """sha256 of a thing: numbers and arrays by value; functions and classes by their source.

    And by that of what they name in their own module or package, `home`; of other packages the name only.
    What it cannot look into is `unseen`.
    """

    def __init__(self, unseen: list[str]) -> None:
        self.unseen, self.home = unseen, ""
        self.sha256 = hashlib.sha256()
        self.met: dict[int, Any] = {}  # kept alive, so that no two have one id

    def of(self, thing: Any) -> str:
        """In hex."""
        for part in thing if isinstance(thing, list) else [thing]:
            self.home = package_of(part)
            self.add(part)
        return self.sha256.hexdigest()

    def add(self, thing: Any) -> None:
        """Whatever tells this thing from another one."""
        self.sha256.update(f"{kind(thing).__qualname__}(".encode())
        if isinstance(thing, PLAIN):
            self.sha256.update(repr(thing).encode())
        elif id(thing) in self.met:
            self.sha256.update(b"again")
        else:
            self.met[id(thing)] = thing
            self.look(thing)
        self.sha256.update(b")")

    def look(self, thing: Any) -> None:
        """Into what is not plain."""
        if isinstance(thing, types.ModuleType):
            self.sha256.update(thing.__name__.encode())
        elif isinstance(thing, functools.partial):
            self.parts((thing.func, thing.args, thing.keywords))
        elif isinstance(thing, types.MethodType):
            self.parts((thing.__func__, thing.__self__))
        elif isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType):
            self.sha256.update(f"{thing.__module__}:{thing.__qualname__}".encode())
            if package_of(thing) == self.home != "npintdim":
                self.parts(self.source(thing))
        elif hasattr(thing, "__array__"):
            self.array(thing)
        elif isinstance(thing, Mapping):
            self.parts(thing.items())
        elif isinstance(thing, list | tuple):
            self.parts(thing)
        elif isinstance(thing, set | frozenset):
            self.parts(sorted(map(repr, thing)))
        elif is_dataclass(thing):
            self.parts((kind(thing), {f.name: getattr(thing, f.name) for f in fields(thing)}))
        elif hasattr(thing, "__dict__"):
            self.parts((type(thing), vars(thing)))
        else:
            self.unseen.append(f"what {shown(thing)} holds")

    def parts(self, things: Any) -> None:
        """One after the other."""
        for thing in things:
            self.add(thing)

    def array(self, thing: Any) -> None:
        """Form and bytes of an array, in C order."""
        try:
            bare = thing.detach().cpu() if hasattr(thing, "detach") else thing
            array = np.ascontiguousarray(as_array("the array", bare))
        except TypeError:
            self.unseen.append(f"what a {type(thing).__name__} holds")
            return
        self.sha256.update(f"{array.dtype.str}{np.shape(thing)}".encode())
        self.sha256.update(
            repr(array.tolist()).encode() if array.dtype.hasobject else array.view(np.uint8).data
        )

    def source(self, thing: Any) -> Iterator[Any]:
        """The text of a function or class, or its compiled code if there is none, and what it refers to."""
        own = [f for f in (vars(thing).values() if isinstance(thing, type) else [thing]) if code_of(f)]
        try:
            yield inspect.getsource(thing)
        except (OSError, TypeError):
            if not own:
                self.unseen.append(f"the source of {thing.__qualname__}")
            yield from (instructions(code_of(f)) for f in own)
        for f in map(inspect.unwrap, map(plain_function, own)):
            yield from () if as_in_file(f) else instructions(f.__code__)
            yield from (f.__defaults__, f.__kwdefaults__)
            yield from (cell.cell_contents for cell in f.__closure__ or () if filled(cell))
            yield from (f.__globals__[name] for name in asked_names(f.__code__) if name in f.__globals__)
        if isinstance(thing, type):
            yield from thing.__bases__


def kind(thing: Any) -> type:
    """Its class; `Batch` for `Examples`, which are its fields: runs by the digests of before are found."""
    return Batch if type(thing) is Examples else type(thing)


def package_of(thing: Any) -> str:
    """The first part of the name of the module it was defined in."""
    return str(getattr(thing, "__module__", None) or type(thing).__module__).partition(".")[0]


def plain_function(thing: Any) -> Any:
    """Of a static or class method or a property, the function."""
    return getattr(thing, "__func__", None) or getattr(thing, "fget", None) or thing


def code_of(thing: Any) -> Any:
    """The compiled code of a function, or None of what is none."""
    return getattr(
        inspect.unwrap(plain_function(thing)) if callable(plain_function(thing)) else None, "__code__", None
    )


def asked_names(code: types.CodeType) -> list[str]:
    """Every name that a function, or one inside it, asks its module for, and does not itself set there."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    counted = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_GLOBAL"}
    return sorted({*code.co_names, *(name for c in inner for name in asked_names(c))} - counted)


def instructions(code: types.CodeType) -> tuple[Any, ...]:
    """Compiled code without the place where it stood."""
    consts = (instructions(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts)
    return (code.co_code, code.co_names, code.co_varnames, *consts)


def as_in_file(f: Any) -> bool:
    """Whether a function is what its file says now, not edited since it was loaded."""
    try:
        text = inspect.getsource(inspect.getmodule(f))  # type: ignore[arg-type]
        codes = [compile(text, "", "exec", dont_inherit=True)]
    except (OSError, TypeError, SyntaxError):
        return True  # no file: what was given is all there is
    for code in codes:
        codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return any(c.co_qualname == f.__qualname__ and instructions(c) == instructions(f.__code__) for c in codes)


def filled(cell: Any) -> bool:
    """Whether a variable of the function around it has a value yet."""
    return bool(cell != types.CellType())  # which is one without
