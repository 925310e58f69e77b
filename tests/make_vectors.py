"""Write npintdim/vectors/v1 again: `python tests/make_vectors.py`. Version 1 is append-only (docs/vectors.md): what
is written must hold every test of `vectors_v1_released.txt` unchanged, and new ones are added to that list.
"""

import hashlib
import json
import sys
from pathlib import Path

import random_from_the_page as page
from vectorgen import adapters, artefacts, drawing, networks, operators, pack, schema

FOLDER = Path(__file__).parents[1] / "npintdim" / "vectors" / "v1"
RELEASED = Path(__file__).parent / "vectors_v1_released.txt"
FAMILIES = {
    "philox": drawing.philox,
    "maps": drawing.maps,
    "wht": drawing.wht,
    "fastfood": operators.fastfood,
    "dense": operators.dense,
    "sparse": operators.sparse,
    "subspace_gradient": networks.subspace_gradient,
    "mlp_loss_grad": networks.mlp_loss_grad,
    "lenet_loss_grad": networks.lenet_loss_grad,
    "trajectory": networks.trajectory,
    "artefact": artefacts.artefact,
    "said": adapters.said,
    "lora": adapters.lora,
    "lora_xs": adapters.lora_xs,
    "vera": adapters.vera,
    "uni_lora": adapters.uni_lora,
}


def texts():
    """Name and text of every file."""
    yield "schema.json", schema.text()
    for family, make in FAMILIES.items():
        notes, groups = make()
        yield f"{family}.json", pack.text(pack.content(family, page.SCHEME, notes, groups))


def fingerprints(content):
    """Id → sha256 of all that decides whether an answer passes; comments, formulas and reasons may be reworded."""
    for group in content["groups"]:
        for test in group["tests"]:
            deciding = [group["arguments"], {k: v for k, v in test.items() if k != "comment"}]
            yield test["id"], hashlib.sha256(pack.dump(deciding).encode()).hexdigest()[:32]


def released():
    """What has been released, id → fingerprint."""
    return dict(line.split() for line in RELEASED.read_text(encoding="utf-8").splitlines())


def main():
    written = dict(texts())
    found = {}
    for name, text in written.items():
        found |= dict(fingerprints(json.loads(text))) if name != "schema.json" else {}
    kept = released() if RELEASED.exists() else {}
    changed = [id for id, fingerprint in kept.items() if found.get(id) != fingerprint]
    if changed:
        sys.exit(f"version 1 is append-only, but these would change or vanish: {', '.join(changed)}")
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
    RELEASED.write_text(
        "".join(f"{id} {digest}\n" for id, digest in found.items()), encoding="utf-8", newline="\n"
    )
    sys.stdout.write(f"{len(found)} tests, {sum(len(t.encode()) for t in written.values())} bytes\n")


if __name__ == "__main__":
    main()
