"""What a name of one's own stands for: a digest of arrays, and of the source of functions, for a run's identity."""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from npintdim.backend import as_array
from npintdim.data.own import content as content_of_file
from npintdim.data.own import content_at, is_file
from npintdim.files import canonical, read_json
from npintdim.inputs import shown
from npintdim.measurement.custom import Name, own
from npintdim.measurement.records import load, theta_of, write
from npintdim.measurement.runs import RunSpec
from npintdim.specs import own_kinds
from npintdim.typing import Spec

UNREADABLE = (OSError, KeyError, TypeError, ValueError, AttributeError)  # told where a record is read
PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, type(...), np.dtype, PurePath)


def content_of(data: str, model: Spec, *others: Spec | None, pretrained: Spec | None = None) -> Spec | None:
    """{"data": sha256, "pretrained": that of what θ_0 learnt, "objective": ..., "kinds": ...} of a run: what is one's own, or None.

    Data that a function returns are made once for it, in this process; where that fails its source is what counts.
    A warning names what may change without its digest.
    """
    content: Spec = {}
    unseen: list[str] = []
    if Name(data).own and not Name(data).none:
        thing = Name(data).thing()
        try:
            thing = thing() if callable(thing) else thing
        except Exception:  # where the data are may be known to the workers only
            unseen.append(f"what {data} returns, it cannot be called here")
        content["data"] = Digest(unseen).of(thing)
    elif is_file(data):
        content["data"] = content_of_file(data)
    if before := content_before(data, pretrained):
        content["pretrained"] = before
    if name := own(model):
        content["objective"] = Digest(unseen).of(Name(name).thing())
    if kinds := sorted(set(own_kinds([model, *others, pretrained])), key=lambda cls: cls.__qualname__):
        content["kinds"] = Digest(unseen).of(kinds)
    if unseen:
        warnings.warn(
            f"not seen: {', '.join(dict.fromkeys(unseen))}. When that changes, measure in another folder: the old "
            "runs would count",
            stacklevel=3,
        )
    return content or None


def content_before(data: str, pretrained: Spec | None) -> str | None:
    """sha256 of the file of a pre-trained θ_0, or of the data that it learnt; None where these are no file of one's own."""
    if pretrained and (base := pretrained.get("file")):
        return content_at(Path(base))
    before = str((pretrained or {}).get("data", data))
    return content_of_file(before) if pretrained and is_file(before) else None


def because(runs: Path, specs: Sequence[RunSpec]) -> str:
    """Which of the specs have a record, which only one of other content, and whose; "" where nothing has changed."""
    wanted = {canonical(spec.spec() | {"content": None}): spec for spec in specs if spec.content}
    changed: set[str] = set()
    for path in runs.glob("*.json") if wanted else ():
        with suppress(*UNREADABLE):
            old = dict(read_json(path)["spec"])
            if spec := wanted.get(canonical(old | {"content": None})):
                before, now = old.get("content") or {}, spec.content or {}
                changed |= {named_by(spec, part) for part in now if before.get(part) != now[part]}
    kept = sum((runs / f"{spec.key}.json").exists() for spec in specs)
    if not changed or kept == len(specs):
        return ""
    return f"kept {kept}, new {len(specs) - kept}, because {' and '.join(sorted(changed))} changed since the old runs"


def find_renamed(runs: Path, specs: Sequence[RunSpec]) -> None:
    """Copy the records of runs whose data, or pre-trained θ_0, lay under other names then: their content is the same."""
    wanted = {unnamed(spec.spec()): spec for spec in specs if spec.content}
    wanted = {what: spec for what, spec in wanted.items() if not (runs / f"{spec.key}.json").exists()}
    for path in runs.glob("*.json") if wanted else ():
        with suppress(*UNREADABLE):
            if (spec := wanted.get(unnamed(read_json(path)["spec"]))) is None:
                continue
            old, record = load(path)
            if record["status"] != "failed":
                theta = theta_of(runs, old, record) if record["status"] == "finished" and old.d else None
                write(runs, spec, record | {"spec": spec.spec()}, theta)


def unnamed(spec: Spec) -> bytes:
    """The spec of a run without the paths of its files, whose content it has; what is done to the data stays."""
    spec = dict(spec)
    own, pretrained = spec.get("content") or {}, dict(spec.get("pretrained") or {})
    if "data" in own and is_file(spec["data"]):
        spec["data"] = "".join(spec["data"].partition("+")[1:])
    if "pretrained" in own and "file" in pretrained:
        spec["pretrained"] = {"file": ""}
    elif "pretrained" in own and "data" in pretrained:
        spec["pretrained"] = pretrained | {"data": "".join(pretrained["data"].partition("+")[1:])}
    return canonical(spec)


def named_by(spec: RunSpec, part: str) -> str:
    """What a part of the content belongs to."""
    if part == "kinds":
        named = own_kinds([spec.model, spec.T, spec.optimizer, spec.pretrained])
        return " and ".join(sorted({cls.__name__ for cls in named}))
    if part == "pretrained":
        return spec.base or Name(spec.before().data).label
    return Name(spec.own if part == "objective" else spec.data).label


class Digest:
    """sha256 of a thing: numbers and arrays by value; functions and classes by their source and by that of what they
    name in their own module or package, `home`; of other packages the name only. What it cannot look into is `unseen`.
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
        self.sha256.update(f"{type(thing).__qualname__}(".encode())
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
            self.parts((type(thing), {f.name: getattr(thing, f.name) for f in fields(thing)}))
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
        """The text of a function or class, or its compiled code where there is none, and all that it refers to."""
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
            yield from (f.__globals__[name] for name in names(f.__code__) if name in f.__globals__)
        if isinstance(thing, type):
            yield from thing.__bases__


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


def names(code: types.CodeType) -> list[str]:
    """Every name that a function, or one inside it, asks its module for, and does not itself set there."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    counted = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_GLOBAL"}
    return sorted({*code.co_names, *(name for c in inner for name in names(c))} - counted)


def instructions(code: types.CodeType) -> tuple[Any, ...]:
    """Compiled code without the place where it stood."""
    consts = (instructions(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts)
    return (code.co_code, code.co_names, code.co_varnames, *consts)


def as_in_file(f: Any) -> bool:
    """Whether a function is what its file says now; not where that was edited and the function not loaded anew."""
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
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
