"""Does any test notice? A seeded sample of small changes to the core files, each run against the tests of its file.

python tests/mutants.py [changes a file] [seed] [part of a file's name ...]. A change that no test notices is printed; some are harmless
(another number of halvings), the others are a test that is missing. It takes half a minute a change: not for CI.
"""

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = {
    "artefact/coding/arithmetic": ["test_coding"],
    "artefact/coding/codebook": ["test_coding", "test_mdl"],
    "artefact/coding/payload": ["test_coding", "test_compress_refusals"],
    "artefact/compress": ["test_compress", "test_compress_refusals", "test_mdl"],
    "artefact/fileformat": ["test_compress_refusals", "test_compress"],
    "engine/losses": ["test_gradients", "test_model", "test_regression"],
    "engine/score": ["test_regression"],
    "artefact/mdl/bounds": ["test_mdl"],
    "artefact/mdl/certificate": ["test_mdl"],
    "artefact/mdl/description": ["test_mdl"],
    "objective": ["test_gradients", "test_errors"],
    "engine/optimizers": ["test_train"],
    "projections/fastfood": ["test_projection_dense", "test_projection_adjoint", "test_projection_edges"],
    "artefact/decode": ["test_compress_refusals", "test_compress"],
    "rng": ["test_random_words", "test_vectors"],
}
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.USub: ast.UAdd,
}  # fmt: skip
LIMIT = 300  # seconds; a change that makes an endless loop is noticed


def places(tree):
    """Every node that can be changed, with the field that is: an operator, or a number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield from ((node, "ops", i) for i, op in enumerate(node.ops) if type(op) in SWAPS)
        elif type(getattr(node, "op", None)) in SWAPS:
            yield node, "op", None
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node, "value", None


def change(tree, k):
    """Change place k, and say what was done."""
    node, field, i = list(places(tree))[k]
    before = ast.unparse(node)
    if field == "value":
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    elif i is None:
        node.op = SWAPS[type(node.op)]()
    else:
        node.ops[i] = SWAPS[type(node.ops[i])]()
    return f"{node.lineno}: {before}  →  {ast.unparse(node)}"


def passes(folder, tests):
    """Whether the tests pass there."""
    files = [f"tests/{name}.py" for name in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
    here = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}  # a stale .pyc would hide the change
    try:
        ran = subprocess.run(
            command, cwd=folder, env=os.environ | here, capture_output=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def main(each=3, seed=0, *only):
    """Print what survives; the exit code is that of a success, since somebody has to judge."""
    rng, survivors, tried = random.Random(int(seed)), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        for name in ("npintdim", "tests", "docs"):
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for name in ("setup.cfg", "pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, copy / name)
        for name, tests in CORE.items():
            path = copy / "npintdim" / f"{name}.py"
            source = path.read_text(encoding="utf-8")
            n = len(list(places(ast.parse(source))))
            chosen = sorted(rng.sample(range(n), min(int(each), n)))
            if only and not any(part in name for part in only):
                continue
            if not passes(copy, tests):
                raise SystemExit(f"{', '.join(tests)}: they fail before anything is changed")
            for k in chosen:
                tree = ast.parse(source)
                what = change(tree, k)
                path.write_text(ast.unparse(tree), encoding="utf-8")
                tried += 1
                if passes(copy, tests):
                    survivors += 1
                    sys.stdout.write(f"npintdim/{name}.py:{what}\n")
                    sys.stdout.flush()
            path.write_text(source, encoding="utf-8")
    sys.stdout.write(f"{survivors} of {tried} changes are noticed by no test\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
