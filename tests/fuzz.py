"""Seeded damage: to bytes, and to one place of a JSON value."""

import copy

ODD = (
    None, True, False, -1, 0, 1, 2, 1.5, -0.5, 1e-300, float("nan"), float("inf"), 10**400, -(2**64), 2**64, "", "x", "-1",
    "1", "é", "\ud800", "x" * 3000, [], {}, [[]], [1], [None] * 5, {"kind": "Linear"}, {"": 0}, ["0"] * 3, "here:x", "os:name",
)  # fmt: skip


def damaged(data, rng):
    """The bytes, with a bit, a byte, a piece or the end changed; now and then two such changes."""
    data = bytearray(data)
    for _ in range(1 + (rng.random() < 0.3)):
        i, j = sorted(int(rng.integers(0, len(data) + 1)) for _ in range(2)) if data else (0, 0)
        j = min(j, i + 40)
        some = rng.integers(0, 256, int(rng.integers(1, 9)), dtype="u1").tobytes()
        kind = rng.integers(0, 6)
        if kind == 0 and i < len(data):
            data[i] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[i : i + 1] = some[:1]
        elif kind == 2:
            del data[i:j]
        elif kind == 3:
            data[i:i] = some
        elif kind == 4:
            data[i:i] = data[i:j]
        else:
            del data[i:]
    return bytes(data)


def places(value, path=()):
    """The path of every place in a JSON value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*path, key))


def odd(value, rng):
    """The value, with one of its places replaced by something else, left out, or added."""
    value = copy.deepcopy(value)
    found = list(places(value))[1:]
    *way, last = found[int(rng.integers(0, len(found)))]
    inner = value
    for key in way:
        inner = inner[key]
    other = copy.deepcopy(ODD[int(rng.integers(0, len(ODD)))])
    kind = rng.integers(0, 10)
    if kind == 0:
        del inner[last]
    elif kind == 1 and isinstance(inner, dict):
        inner[str(other)[:20]] = other
    elif kind == 2 and isinstance(inner, list):
        inner.insert(last, other)
    elif kind == 3 and isinstance(inner[last], int | float):
        inner[last] += [1, -1, 0.5][int(rng.integers(0, 3))]
    else:
        inner[last] = other
    return value
