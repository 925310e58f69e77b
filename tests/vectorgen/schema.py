"""schema.json: the form of a file of vectors, as JSON Schema."""

import json


def closed(properties, optional=()):
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def array_of(dtype, digits, more):
    word = f"[0-9a-f]{{{digits}}}"
    pattern = f"^({word}( {word})*)?$"
    shape = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    return closed(
        {"dtype": {"const": dtype}, "shape": shape, "hex": {"type": "string", "pattern": pattern}} | more
    )


TEXT, NAMES = {"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}}
DECIMAL = {"decimal": {"type": "array", "items": {"type": "number"}}}
INTEGERS = closed(
    {
        "dtype": {"const": "int64"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "values": {"type": "array", "items": {"type": "integer"}},
    }
)
OCTETS = closed({"dtype": {"const": "bytes"}, "hex": {"type": "string", "pattern": "^([0-9a-f]{2})*$"}})
ARRAYS = [
    array_of("float32", 8, DECIMAL),
    array_of("float64", 16, DECIMAL),
    array_of("uint32", 8, {}),
    INTEGERS,
]
PLAIN = {"type": ["string", "number", "boolean", "array"]}  # strings: options, and integers above 2⁵³
TEST = closed(
    {
        "id": {"type": "string", "pattern": "^[a-z0-9_]+-(given|seeded)-[a-z0-9_]+-[1-9][0-9]*$"},
        "comment": TEXT,
        "flags": NAMES,
        "result": {"enum": ["valid", "invalid"]},
        "dtype": {"enum": ["", "float32", "float64"]},
        "inputs": {"type": "object", "additionalProperties": {"anyOf": [*ARRAYS, OCTETS, PLAIN]}},
        "expected": {"type": "object", "additionalProperties": {"anyOf": ARRAYS}},
        "bound": {"type": ["object", "null"], "additionalProperties": {"type": "number", "minimum": 0}},
    },
    optional=("expected", "bound"),
)
TEST |= {
    "if": {"properties": {"result": {"const": "valid"}}},
    "then": {"required": ["expected", "bound"]},
    "else": {"not": {"anyOf": [{"required": ["expected"]}, {"required": ["bound"]}]}},
}
GROUP = closed(
    {
        "level": {"enum": ["given", "seeded"]},
        "task": TEXT,
        "formula": TEXT,
        "arguments": NAMES | {"minItems": 1, "uniqueItems": True},
        "answers": NAMES | {"minItems": 1, "uniqueItems": True},
        "reason": TEXT,
        "tests": {"type": "array", "minItems": 1, "items": TEST},
    }
)
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "npintdim test vectors, version 1",
    **closed(
        {
            "family": TEXT,
            "version": {"const": 1},
            "scheme": TEXT,
            "notes": {"type": "object", "additionalProperties": TEXT},
            "groups": {"type": "array", "minItems": 1, "items": GROUP},
        }
    ),
}


def text():
    return json.dumps(SCHEMA, indent=1, ensure_ascii=False) + "\n"
