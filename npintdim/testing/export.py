"""The vectors for other languages: JSON, a folder of .npy files, a C header."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.files import write_atomically
from npintdim.testing.cases import Case, read_family
from npintdim.typing import Spec

HIDDEN = ("result", "expected", "bound")
NOTHING = np.empty(0)  # is expected where the inputs are malformed
C_TYPES = {"float32": "double", "float64": "double", "uint32": "uint32_t", "int64": "int64_t"}
C_START = """\
/* Test vectors of npintdim, version 1, in the public domain (CC0 1.0). C99 or C++17.
 *
 * A struct holds a test: its id, its flags, valid (0: the inputs must be refused), its precision (dtype),\
 and then the
 * inputs and the expected arrays, each with its number of entries, and its shape where it has rows and\
 columns. Floats are exact hexadecimal literals; those of
 * float32 tests are float32 numbers. X_bound is the largest absolute error allowed in X, negative where the\
 bits are
 * promised. Tests whose seed no uint64_t can hold are left out: the type has refused them. */
#include <stddef.h>
#include <stdint.h>
"""


def as_json(cases: Iterable[Case], questions: bool = False) -> str:
    """The files of the families, cut to these cases; without results, answers and bounds if questions."""
    ids = {case.id: case.family for case in cases}
    files = []
    for family in dict.fromkeys(ids.values()):
        content = dict(read_family(family))
        groups = []
        for group in content["groups"]:
            tests = [test for test in group["tests"] if test["id"] in ids]
            if questions:
                tests = [{name: x for name, x in test.items() if name not in HIDDEN} for test in tests]
            if tests:
                groups.append({**group, "tests": tests})
        files.append({**content, "groups": groups})
    return json.dumps(files, ensure_ascii=False, separators=(",", ":")) + "\n"


def write_npy(cases: Iterable[Case], folder: Path, questions: bool = False) -> int:
    """FOLDER/id/name.npy for every array, expected ones under id/expected/, and index.json with all else.

    Returns
    -------
    the number of files
    """
    index: dict[str, Spec] = {}
    count = 1
    for case in cases:
        place = folder / case.id
        plain: Spec = {"family": case.family, "level": case.level, "task": case.task, "dtype": case.dtype}
        plain |= {"comment": case.comment, "flags": list(case.flags), "inputs": {}}
        arrays = {}
        for name, value in case.inputs.items():
            if isinstance(value, bytes):
                arrays[f"{name}.npy"] = np.frombuffer(value, np.uint8)
            elif isinstance(value, np.ndarray):
                arrays[f"{name}.npy"] = value
            else:  # beyond 2**53 as a string, as in the files
                big = isinstance(value, int) and abs(value) > 1 << 53
                plain["inputs"][name] = str(value) if big else value
        if not questions:
            plain |= {"result": "valid" if case.valid else "invalid", "bound": case.bound}
            arrays |= {f"expected/{name}.npy": value for name, value in case.expected.items()}
        for name, array in arrays.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            data = io.BytesIO()
            np.save(data, array, allow_pickle=False)
            write_atomically(place / name, data.getvalue())
        index[case.id] = plain
        count += len(arrays)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(index, ensure_ascii=False, indent=1) + "\n"
    write_atomically(folder / "index.json", text.encode())
    return count


# ---- C ----
def as_c_header(cases: Iterable[Case]) -> str:
    """An array of structs for every family, level and task, and the number of its tests."""
    lines = [C_START]
    for (family, level, task), group in groupby(cases, key=lambda c: (c.family, c.level, c.task)):
        lines += _c_group(f"npintdim_{family}_{level}_{task}", list(group))
    return "\n".join(lines) + "\n"


def fits_c(case: Case) -> bool:
    """Whether every integer of the inputs fits the type of its field."""
    integers = {name: x for name, x in case.inputs.items() if isinstance(x, int)}
    return all(0 <= x < 1 << 64 if _unsigned(name) else abs(x) < 1 << 63 for name, x in integers.items())


def _unsigned(name: str) -> bool:
    return name.endswith("seed") or name == "start"


def _c_group(name: str, cases: list[Case]) -> Iterator[str]:
    if not cases:
        return
    model = next(case for case in cases if case.valid)
    named = {**model.inputs, **model.expected}
    dims = {key: _dims(key, cases) for key in named}
    fields = ["const char *id, *flags; int valid; const char *dtype;"]
    fields += [_c_field(key, value, dims[key]) for key, value in named.items()]
    fields += [f"double {key}_bound;" for key in model.expected]
    yield f"/* {model.formula} */"
    rows = []
    for k, case in enumerate(cases):
        values = {**case.inputs, **{key: case.expected.get(key, NOTHING) for key in model.expected}}
        row = [_c_text(case.id), _c_text(" ".join(case.flags)), str(int(case.valid)), _c_text(case.dtype)]
        for key, value in values.items():
            array = _c_array(value)
            if array is None:
                row.append(_c_scalar(key, value)[1])
            elif array[1]:
                yield f"static const {array[0]} {name}_{k}_{key}[] = {{{', '.join(array[1])}}};"
                row.append(f"{len(array[1])}, {name}_{k}_{key}")
            else:
                row.append("0, NULL")
            if dims[key] > 1:
                shape = (*np.shape(value), *[0] * dims[key])[: dims[key]]
                row.append(f"{{{', '.join(map(str, shape))}}}")
        row += [repr((case.bound or {}).get(key, -1.0)) for key in model.expected]
        rows.append(f"  {{{', '.join(row)}}}")
    body = "\n  ".join(fields)
    yield f"struct {name}_test {{\n  {body}\n}};"
    yield f"static const struct {name}_test {name}[] = {{\n" + ",\n".join(rows) + "\n};"
    yield f"enum {{ {name}_count = {len(cases)} }};\n"


def _dims(key: str, cases: list[Case]) -> int:
    """How many dimensions arrays of this name have."""
    values = [{**case.inputs, **case.expected}.get(key) for case in cases]
    return max((x.ndim for x in values if isinstance(x, np.ndarray)), default=0)


def _c_array(value: Any) -> tuple[str, list[str]] | None:
    """C type and entries of what is an array."""
    if isinstance(value, bytes):
        return "unsigned char", [str(byte) for byte in value]
    if isinstance(value, list) and all(isinstance(x, int) for x in value):
        return "int64_t", [str(x) for x in value]
    if isinstance(value, np.ndarray):
        flat, suffix = value.reshape(-1).tolist(), "u" if value.dtype.kind == "u" else ""
        return C_TYPES[value.dtype.name], [x.hex() if isinstance(x, float) else f"{x}{suffix}" for x in flat]
    return None


def _c_scalar(name: str, value: Any) -> tuple[str, str]:
    """C type and literal of anything else."""
    if isinstance(value, bool):
        return "int ", str(int(value))
    if isinstance(value, int):
        return ("uint64_t ", f"{value}u") if _unsigned(name) else ("int64_t ", str(value))
    if isinstance(value, float):
        return "double ", value.hex()
    return "const char *", _c_text(value if isinstance(value, str) else json.dumps(value))


def _c_field(name: str, value: Any, dims: int) -> str:
    array = _c_array(value)
    if array is None:
        return f"{_c_scalar(name, value)[0]}{name};"
    shape = f" size_t {name}_shape[{dims}];" if dims > 1 else ""
    return f"size_t {name}_size; const {array[0]} *{name};{shape}"


def _c_text(text: str) -> str:
    return json.dumps(text)
