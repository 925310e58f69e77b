"""How a file of vectors is written: numbers as JSON objects, tests in groups, one text for one content."""

import json
import struct
from dataclasses import dataclass, field

FORMATS = {"float32": ">f", "float64": ">d", "uint32": ">I"}
U = {"float32": 2.0**-24, "float64": 2.0**-53}  # the largest relative error of one rounding
VERSION = 1


def hex_word(x, dtype):
    return struct.pack(FORMATS[dtype], x).hex()


def floats(values, dtype="float64", shape=None):
    """An array; `values` may be numbers of any kind, each is rounded once."""
    values = [float(x) for x in values]
    return {
        "dtype": dtype,
        "shape": [len(values)] if shape is None else list(shape),
        "hex": " ".join(hex_word(x, dtype) for x in values),
        "decimal": [short(x) for x in values],
    }


def scalar(x, dtype="float64"):
    return floats([x], dtype, ())


def words(values):
    return {"dtype": "uint32", "shape": [len(values)], "hex": " ".join(hex_word(w, "uint32") for w in values)}


def integers(values, shape=None, dtype="int64"):
    values = list(values)
    return {"dtype": dtype, "shape": [len(values)] if shape is None else list(shape), "values": values}


def octets(data):
    return {"dtype": "bytes", "hex": data.hex()}


def short(x):
    x = float(f"{x:.4g}")
    return int(x) if x == int(x) and abs(x) < 1e9 else x


@dataclass
class Group:
    """Tests of one task: what is given, what is computed, and why the bound is what it is."""

    level: str
    task: str
    formula: str
    arguments: tuple
    answers: tuple
    reason: str
    tests: list = field(default_factory=list)

    def add(self, comment, inputs, expected, bound=None, flags=(), dtype=""):
        """`expected` is None for inputs that must be refused; `bound` is None for bits."""
        assert tuple(inputs) == self.arguments, (tuple(inputs), self.arguments)
        test = {"comment": comment, "flags": sorted(flags), "result": "valid", "dtype": dtype}
        test |= {"inputs": inputs}
        if expected is None:
            test["result"] = "invalid"
        else:
            assert tuple(expected) == self.answers
            test |= {"expected": expected, "bound": bound}
        self.tests.append(test)

    def refuse(self, comment, inputs, flags, dtype=""):
        self.add(comment, inputs, None, flags=flags, dtype=dtype)


def content(family, scheme, notes, groups):
    """The whole file as an object; ids are numbers within (family, level, task)."""
    used, out = set(), []
    for group in groups:
        name = f"{family}-{group.level}-{group.task}"
        tests = [{"id": f"{name}-{k}", **test} for k, test in enumerate(group.tests, start=1)]
        used |= {flag for test in tests for flag in test["flags"]}
        keys = ("level", "task", "formula", "arguments", "answers", "reason")
        out.append({key: getattr(group, key) for key in keys} | {"tests": tests})
    assert used == set(notes), used ^ set(notes)
    return {"family": family, "version": VERSION, "scheme": scheme, "notes": notes, "groups": out}


def text(content):
    """JSON with a line for every test."""
    lines = ["{"]
    for key in ("family", "version", "scheme"):
        lines.append(f" {dump(key)}: {dump(content[key])},")
    notes = [f"  {dump(flag)}: {dump(note)}" for flag, note in sorted(content["notes"].items())]
    lines += [' "notes": {', ",\n".join(notes), " },", ' "groups": [']
    groups = []
    for group in content["groups"]:
        head = {key: value for key, value in group.items() if key != "tests"}
        tests = ",\n".join(f"   {dump(test)}" for test in group["tests"])
        groups.append(f'  {dump(head)[:-1]},"tests":[\n{tests}\n  ]}}')
    return "\n".join([*lines, ",\n".join(groups), " ]", "}"]) + "\n"


def dump(x):
    return json.dumps(x, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
