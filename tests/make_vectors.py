"""Write npintdim/vectors/v1 again: `python tests/make_vectors.py`. Only for tests that are added; see docs/vectors.md."""

import hashlib
import sys
from pathlib import Path

import random_from_the_page as page
from vectorgen import drawing, operators, pack

FOLDER = Path(__file__).parents[1] / "npintdim" / "vectors" / "v1"
RELEASED = Path(__file__).parent / "vectors_v1_released.txt"
FAMILIES = {
    "philox": drawing.philox, "maps": drawing.maps, "wht": drawing.wht,
    "fastfood": operators.fastfood, "dense": operators.dense, "sparse": operators.sparse,
}  # fmt: skip


def text_of(family):
    notes, groups = FAMILIES[family]()
    return pack.text(pack.content(family, page.SCHEME, notes, groups))


def fingerprints(content):
    """A line for each test: its id and the sha256 of all that belongs to it."""
    for group in content["groups"]:
        head = {key: value for key, value in group.items() if key != "tests"}
        for test in group["tests"]:
            digest = hashlib.sha256(pack.dump([head, test]).encode()).hexdigest()
            yield f"{test['id']} {digest[:32]}"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for family in FAMILIES:
        path = FOLDER / f"{family}.json"
        path.write_text(text_of(family), encoding="utf-8")
        sys.stdout.write(f"{path.name:24} {path.stat().st_size:8} bytes\n")
