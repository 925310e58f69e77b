"""What can be written as JSON: the fields of what has a spec, and the way from a spec to its thing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, asdict, fields
from inspect import Parameter, isabstract, signature
from numbers import Real
from typing import Any, NamedTuple, TypeVar

import numpy as np

from npintdim.inputs import (
    check_flag,
    check_integer,
    check_real,
    check_seed,
    check_text,
    one_of,
    plain,
    shown,
    unknown,
)
from npintdim.typing import Spec

T = TypeVar("T")


class Kinds(NamedTuple):
    """What the "kind" in a spec can name: subclasses of `base` by name, which is their attribute `name`."""

    base: type
    name: str
    kinds: dict[str, Any]


KINDS_OF: dict[str, Kinds] = {}
"""Of "layer", "loss", "initializer", "optimizer", "schedule", "projection": filled where our own are."""
BUILT_IN: set[type] = set()
"""The package's own."""
SAID_WHERE_SET = {"said where set": True}
"""Metadata of a field that came later: specs name it where it is not the default, so older ones stay."""
UNREGISTERED = " One of your own is known where the module that registers it was imported."


def kinds(what: str, base: type, name: str, *classes: type) -> dict[str, Any]:
    """The package's own kinds by name, to which `register` adds."""
    KINDS_OF[what] = Kinds(base, name, {getattr(cls, name): cls for cls in classes})
    BUILT_IN.update(classes)
    return KINDS_OF[what].kinds


def register(cls: T) -> T:
    """Let specs, recipes and compressed files name your own layer, loss, optimizer, projection, adapter, ...

    A decorator. The name is that of the class; of a projection or an adapter its `kind`, of an optimizer
    or a schedule the class's in small letters. A process knows it once it has imported the
    module; the processes of a sweep do that themselves.

    Parameters
    ----------
    cls : a frozen dataclass, subclass of `Layer`, `Loss`, `Initializer`, `Optimizer`, `Schedule`,
        `SeededProjection` or `Adapter`; its fields are what JSON can hold

    Returns
    -------
    the class

    Raises
    ------
    TypeError
        for something else, or a class that lacks a method.
    ValueError
        for a name that is no identifier, or that another class has;
        the same class, defined again, takes its place.
    """
    kind: Any = cls
    bases = KINDS_OF.values() if isinstance(kind, type) else ()
    own = next((own for own in bases if issubclass(kind, own.base)), None)
    if own is None:
        names = ", ".join(own.base.__name__ for own in KINDS_OF.values())
        raise TypeError(f"{shown(kind)} cannot be registered: a subclass of one of {names} is needed")
    if isabstract(kind):
        raise TypeError(f"{kind.__name__} lacks {', '.join(sorted(kind.__abstractmethods__))}")
    if "__dataclass_fields__" not in vars(kind) or not kind.__dataclass_params__.frozen:
        raise TypeError(
            f"{kind.__name__} is no frozen dataclass: @dataclass(frozen=True) is needed below @register"
        )
    if "kind" in {field.name for field in fields(kind)}:
        raise TypeError(
            f"{kind.__name__} has a field 'kind', which is its name in a spec: another one is needed"
        )
    name = getattr(kind, own.name, None)
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"{kind.__name__} has the name {shown(name)}: an identifier is needed")
    other = own.kinds.get(name, kind)
    if (other.__module__, other.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ValueError(f"the name {name!r} is taken by {other.__module__}.{other.__qualname__}")
    own.kinds[name] = kind
    return cls


def kind_of(what: str, given: Any) -> Any:
    """A thing of a table: itself, by its spec, or by its name alone, in which capitals do not count."""
    own = KINDS_OF[what]
    if isinstance(given, own.base):
        return given
    if isinstance(given, str):
        given = {"kind": {name.lower(): name for name in own.kinds}.get(given.lower(), given)}
    return built(what, given, "kind", own.kinds)


def own_kinds(spec: object) -> Iterator[type]:
    """The registered classes, but the package's, that are named anywhere in a spec."""
    if isinstance(spec, Mapping):
        known = (own.kinds.get(str(spec.get("kind"))) for own in KINDS_OF.values())
        yield from (cls for cls in known if cls and cls not in BUILT_IN)
        spec = list(spec.values())
    for part in spec if isinstance(spec, list | tuple) else ():
        yield from own_kinds(part)


def spec_of(thing: Any) -> Spec:
    """Kind and fields of a layer or an initializer; of a field for an initializer its spec, nothing for None.

    See `SAID_WHERE_SET`, too.
    """
    spec = {"kind": type(thing).__name__, **asdict(thing)}
    for field in fields(thing):
        if field.metadata == SAID_WHERE_SET and getattr(thing, field.name) == field.default:
            del spec[field.name]
        if declared_kind(field) and spec.pop(field.name) is not None:
            spec[field.name] = spec_of(getattr(thing, field.name))
    return spec


def declared_kind(field: Field[Any]) -> str | None:
    """'initializer' for a field that is declared `Initializer | None`, say."""
    kind = str(field.type).removesuffix(" | None").rstrip("'>").rpartition(".")[2]
    return next((what for what, own in KINDS_OF.items() if own.base.__name__ == kind), None)


def check_json(name: str, value: object) -> Any:
    """A copy of the value in JSON's types; an error names the part that JSON does not have, as NaN."""
    own = plain(value)
    if own is None or isinstance(own, bool):
        return own
    if isinstance(own, str):
        return check_text(name, own)
    if isinstance(own, Real):
        if not math.isfinite(number := check_real(name, own)):
            raise ValueError(f"{name} is {number}: a finite number is needed")
        return number
    try:
        if isinstance(own, Mapping):
            return {
                check_text(f"a name in {name}", k): check_json(f"{name}[{shown(k)}]", v)
                for k, v in own.items()
            }
        if isinstance(own, list | tuple) or type(own) is np.ndarray:
            items = [check_json(f"{name}[{i}]", item) for i, item in enumerate(own)]
            return tuple(items) if isinstance(own, tuple) else items
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None
    raise TypeError(f"{name} is {shown(value)}: numbers, texts, lists and dictionaries are needed")


def check_spec(name: str, value: object) -> Spec:
    """A dictionary in JSON's types, see `check_json`; of a network, optimizer or P its own spec."""
    if not isinstance(value, Mapping | type) and callable(getattr(value, "spec", None)):
        value = value.spec()  # type: ignore[attr-defined]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {shown(value)}: a dictionary is needed")
    return check_json(name, value)


def settle(thing: Any, **ranges: int | tuple[int, int]) -> None:
    """Make the fields of a frozen dataclass what it declares: int, float, bool, str, Spec, or None.

    A NumPy number equals Python's, but it overflows, is no JSON, and is printed otherwise.

    Parameters
    ----------
    thing : in its `__post_init__`
    ranges : least value, or least and greatest, of its integers; a seed has its own
    """
    checks = {"float": check_real, "bool": check_flag, "str": check_text, "Spec": check_spec}
    for field in fields(thing):
        name, value = field.name, getattr(thing, field.name)
        kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
        kind, _, other = kind.partition(" | ")
        if value is None and other == "None":
            continue
        if kind == "int" and name == "seed" and name not in ranges:
            value = check_seed(value)
        elif kind == "int":
            limits = ranges.get(name)
            value = check_integer(name, value, *(limits if isinstance(limits, tuple) else (limits,)))
        elif kind in checks:
            value = checks[kind](name, value)
        elif what := declared_kind(field):
            value = kind_of(what, value)
        object.__setattr__(thing, name, value)


def called(what: str, make: Callable[..., T], options: Spec, **given: object) -> T:
    """make(**options, **given), where the options are all that make needs and nothing else."""
    known = {name: p for name, p in signature(make).parameters.items() if name not in given}
    takes_all = any(p.kind is p.VAR_KEYWORD for p in known.values())
    for name in options:
        if name not in known and not takes_all:
            raise unknown(f"option of {what}", name, known)
    varying = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    needed = [name for name, p in known.items() if p.default is p.empty and p.kind not in varying]
    lacking = [name for name in needed if name not in options]
    if lacking:
        raise ValueError(f"{what} lacks {', '.join(lacking)}")
    return make(**options, **given)


def built(what: str, spec: object, tag: str, makers: Mapping[str, Callable[..., T]], **given: object) -> T:
    """What a spec describes: its tag says which of the makers is `called`, with everything else in it."""
    options = check_spec(what, spec)
    if tag not in options:
        raise ValueError(f"{what} is {shown(options)}, without {tag!r}: one of {', '.join(makers)} is needed")
    name = one_of(what, options.pop(tag), makers, UNREGISTERED if what in KINDS_OF else "")
    return called(repr(name), makers[name], options, **given)
