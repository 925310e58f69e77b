"""Landscapes and data of your own in a measurement: named, so that a run is still a function of its spec."""

from __future__ import annotations

import functools
import importlib
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from npintdim.data.holdout import limited
from npintdim.data.own import is_file
from npintdim.engine.landscape import Dataset, Landscape
from npintdim.engine.model import Model
from npintdim.inputs import Known, brief, named_kind, shown
from npintdim.machine import optional
from npintdim.specs import own_kinds
from npintdim.typing import Floats, Spec

NO_DATA = "none"
OWN: Spec = {"kind": "own"}  # of a P that the landscape draws itself
HERE: dict[str, Any] = {}  # what only this process knows


class Name(Known):
    """What the data, or the landscape, of a run is called, and what can be asked of it.

    "mnist+shuffled-labels=0.5" is the package's; "package.module:name" is your own, and every process can
    import it; "here:name" is your own, and only this process knows it; "none" is no data.
    A recipe keeps the name that `named` gave it, which stays with its thing; the text alone, read from a file
    say, stands for the last thing of that name.
    """

    def __new__(cls, text: str) -> Name:
        """The name; of a name the same thing's."""
        name = super().__new__(cls, text)
        name.it = getattr(text, "it", None)
        return name

    @property
    def none(self) -> bool:
        """Whether there are no data."""
        return self == NO_DATA

    @property
    def here(self) -> bool:
        """Whether only this process knows it."""
        return self.startswith("here:")

    @property
    def own(self) -> bool:
        """Whether it is not that of a data set of the package."""
        return (":" in self and not is_file(self)) or self.none  # C:\my.npz is a file

    @property
    def label(self) -> str:
        """For people."""
        return self.removeprefix("here:")

    @property
    def original(self) -> str:
        """Of the data set, before anything in it was shuffled."""
        return self.partition("+")[0]

    @property
    def relabelled(self) -> bool:
        """Whether labels were exchanged: then performance is that of training."""
        return "+shuffled-labels" in self

    def thing(self) -> Any:
        """What `named` gave the name; ValueError where it cannot be imported, or is another process's."""
        if self.it is not None or self in HERE:
            return HERE[self] if self.it is None else self.it
        if self.here:
            raise ValueError(
                f"{shown(self)} was defined in another process: give it again, or put it in a module"
            )
        module, _, path = self.partition(":")
        if not path:
            raise ValueError(f"{shown(self)}: 'package.module:name' is needed")
        try:
            return attrgetter(path)(importlib.import_module(module))
        except (ImportError, AttributeError, TypeError, ValueError) as error:  # TypeError: a path, ./mine.py
            raise ValueError(f"{shown(self)} cannot be imported: {error!s:.200}") from error


def named(thing: Any) -> str:
    """A `Name` that can be turned into the thing again.

    Parameters
    ----------
    thing : "package.module:name"; or something that can be imported by such a name, which every process can;
        or anything else with a name (a function of a notebook, a `Dataset`), which only this process knows:
        "here:name". The processes of a sweep on this machine are given it,
        if joblib is installed and it can be pickled

    Raises
    ------
    TypeError, ValueError
        for a pair of arrays, a name that cannot be imported, or a function without one (a lambda).
    """
    if isinstance(thing, tuple):
        raise TypeError("data is a tuple: a name, Dataset.from_arrays(x, y), or a function is needed")
    if isinstance(thing, str):
        Name(thing).thing()
        return thing
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if module not in (None, "__main__") and name and "<" not in name:
        try:
            if importable(module) and Name(f"{module}:{name}").thing() is thing:
                return f"{module}:{name}"
        except ValueError:
            pass
    name = name or getattr(thing, "name", None)
    if not name or "<lambda>" in name:
        raise ValueError(f"{shown(thing)} has no name, and its runs are kept under one: define it with def")
    here = Name(f"here:{name}")
    here.it = HERE[f"here:{name}"] = thing
    return here


def own(model: Spec) -> str:
    """Name of the landscape that the spec of a model means, if it is one of your own; of a network ""."""
    name: str = model.get("objective", "")
    return name


def own_data(name: str, limit_train: int | None, backend: Any) -> Dataset | None:
    """A data set of one's own on the backend's device: a `Dataset`, or what a function returns."""
    if Name(name).none:
        return None
    data = Name(name).thing()
    data = data if isinstance(data, Dataset) else data()
    if not isinstance(data, Dataset):
        raise TypeError(f"{name} is a {type(data).__name__}: a Dataset is needed")
    return limited(data, limit_train).to(backend)


def own_objective(model: Spec, d: int | None, seed: int, backend: Any) -> tuple[Landscape, Floats]:
    """A run's landscape, and where it starts; an error if it is none of dimension d, or says no start."""
    name = own(model)
    landscape = Name(name).thing()(d, seed, **model["options"])
    if isinstance(landscape, type) or not isinstance(landscape, Landscape):
        what = named_kind(landscape) if isinstance(landscape, type) else f"a {type(landscape).__name__}"
        raise TypeError(f"{name} returned {what}: dim, loss_and_grad and evaluate are needed")
    if d is not None and landscape.dim != d:
        raise ValueError(f"{name} returned a landscape of dimension {landscape.dim}, but d is {d}")
    if hasattr(landscape, "start"):
        start = landscape.start()
    elif isinstance(landscape, Model):
        start = landscape.init_theta(seed)
    elif d is None:
        raise ValueError(f"{name} with d = None returned a landscape without start(): theta_0 is needed")
    else:
        start = np.zeros(d)  # theta_d = 0
    return landscape, backend.send(np.asarray(backend.host(start)), backend.dtype)


def kinds_here(spec: Any) -> list[str]:
    """The kinds in a run's spec that a notebook or a script registered: only this process knows them."""
    return [f"here:{cls.__name__}" for cls in own_kinds(spec.spec()) if cls.__module__ == "__main__"]


def processes(names: Iterable[str], jobs: int | None, elsewhere: str = "") -> int | None:
    """Jobs, or 1 where other processes cannot be given what only this one knows.

    ValueError, with the reason, if more than one job was asked for then, or a cluster, which is `elsewhere`.
    """
    if jobs == 1 and not elsewhere:
        return 1  # nothing has to be sent
    here = sorted(name for name in names if Name(name).here)
    why = "put it in a module that they can import" if elsewhere and here else packed_names(here)[1]
    if why and (elsewhere or (jobs is not None and jobs > 1)):
        asked = elsewhere or f"jobs is {jobs}"
        raise ValueError(f"{asked}, but other processes do not know {shown(here[0])}: {why}, or jobs=1")
    return 1 if why else jobs


def packed_names(names: Iterable[str]) -> tuple[bytes, str]:
    """What other processes of this machine need to know these names, and why they cannot have it."""
    given = [
        (str(name), HERE.get(name) if name.it is None else name.it) for name in map(Name, names) if name.here
    ]
    own = dict(given)
    if not own:
        return b"", ""
    if any(own[name] is not thing for name, thing in given):
        return b"", "two of them have that name: give each its own"
    dumps = optional("joblib.externals.loky.backend.reduction:dumps")  # cloudpickle's
    modules = {str(getattr(thing, "__module__", "__main__")) for thing in own.values()} - {"__main__"}
    if dumps is None or None in own.values() or not all(map(importable, modules)):  # None: registered here
        return b"", "put it in a module that they can import"
    try:
        return bytes(dumps(own)), ""
    except Exception as error:  # whatever it holds
        return b"", f"it cannot be sent to them ({brief(error)}): put it in a module that they can import"


def importable(module: str) -> bool:
    """Whether other processes can import it: not one that was made by hand."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@contextmanager
def sent(names: Iterable[str]) -> Iterator[str]:
    """A file from which `receive` knows the names, while the runs go on; "" where there is none to know."""
    content, _ = packed_names(names)
    if not content:
        yield ""
        return
    with TemporaryDirectory(prefix="npintdim-") as folder:
        path = Path(folder) / str(os.getpid())
        path.write_bytes(content)
        yield str(path)


@functools.lru_cache(maxsize=1)
def receive(path: str) -> None:
    """Know, in another process, what the one that asks for the runs knows."""
    if Path(path).name != str(os.getpid()):
        HERE.update(pickle.loads(Path(path).read_bytes()))
