"""The floors of the package: what may import what, what may be imported at all, how long a file may be."""

import ast
import functools
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
from helpers import python

import npintdim
import npintdim as nid

ROOT = Path(npintdim.__file__).parent
FLOORS = [  # a line imports only from lines above it
    ["_version", "signals", "typing"],
    ["inputs", "files"],
    ["machine"],
    ["kernels"],
    ["backend", "specs"],
    ["rng"],
    ["engine", "projections"],
    ["objective", "data"],
    ["toy", "adapters"],
    ["artefact", "es"],
    ["measurement"],
    ["testing"],
    ["plots"],
    ["reproduce"],
    ["cli"],
    ["__init__"],
    ["__main__"],
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
ACCELERATORS = {"numba", "llvmlite", "cupy", "cupyx"}
EXTRAS = {
    "gymnasium", "ale_py", "mujoco", "matplotlib", "joblib", "pooch", "tqdm", "threadpoolctl", "distributed",
    "dask",
}  # fmt: skip
FRAMEWORKS = {"torch", "jax", "tensorflow", "keras", "flax", "sklearn"}
HEAVY = ["scipy", *sorted(ACCELERATORS | EXTRAS)]
LONGEST = 400
PEFTS_OWN = "adapters/in_lora.py"  # an index map that NumPy's generator defines

SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}


def module(file):
    """'layers/base.py' → 'npintdim.engine.layers.base'."""
    return ".".join(["npintdim", *file.removesuffix(".py").split("/")]).removesuffix(".__init__")


def place(name):
    """'npintdim.engine.layers.base' → 'layers': its entry in the table."""
    return [*name.split("."), "__init__"][1]


parsed = functools.cache(ast.parse)  # a rule is broken in one file, and the others stay


@functools.cache
def imports(text, modules):
    """Every module that the text imports, wherever it does so; of the package, the module a name comes from."""
    found = set()
    tree = parsed(text)
    for_types = [node for node in tree.body if ast.unparse(node).startswith("if TYPE_CHECKING:")]
    typing_only = {
        id(node) for block in for_types for node in ast.walk(block) if "npintdim" not in ast.unparse(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules | {"numpy.random"} else node.module)
    return found


@functools.cache
def random_of(text):
    """Line and text of every attribute `random`."""
    nodes = (
        node for node in ast.walk(parsed(text)) if isinstance(node, ast.Attribute) and node.attr == "random"
    )
    return [(node.lineno, ast.unparse(node)) for node in nodes]


def complaints(sources):
    """Whatever breaks a rule, as lines of text."""
    modules = frozenset(module(file) for file in sources)
    graph = {}
    for file, text in sorted(sources.items()):
        own, found = module(file), imports(text, modules)
        inside = {name for name in found if name.split(".")[0] == "npintdim"}
        graph[own] = inside & modules
        here = place(own)
        if here not in FLOOR:
            yield f"{file} is on no floor"
            continue
        for name in sorted(inside):
            there = place(name)
            if there != here and FLOOR.get(there, len(FLOORS)) >= FLOOR[here]:
                yield f"{file} imports {name}, which is not below it"
        outside = {name.split(".")[0] for name in found - inside}
        yield from (f"{file} imports {name}, not by machine.need" for name in sorted(outside & EXTRAS))
        if "find_spec" in text and file != "measurement/custom.py":
            yield f"{file} trusts what is installed to import: machine.optional tries it"
        if here != "kernels":
            yield from (f"{file} imports {name}" for name in sorted(outside & ACCELERATORS))
        yield from (f"{file} imports {name}" for name in sorted(outside & (FRAMEWORKS | {"random"})))
        if file != PEFTS_OWN:
            yield from (f"{file}:{line} uses {name}" for line, name in random_of(text))
        yield from (f"{file} imports {name}" for name in found if name.startswith("numpy.random"))
        lines = len(text.splitlines())
        if lines > LONGEST:
            yield f"{file} has {lines} lines"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"a circle: {' → '.join(error.args[1])}"


def test_the_package_keeps_the_rules():
    assert len(SOURCES) > 50
    assert list(complaints(SOURCES)) == []


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("rng.py", "from npintdim.engine.model import Model", "rng.py imports npintdim.engine.model, which is not below it"),
        ("rng.py", "import npintdim.data", "rng.py imports npintdim.data, which is not below it"),
        ("kernels/reference/wht.py", "from npintdim import backend", "npintdim.backend, which is not below it"),
        ("toy/problem.py", "from npintdim import Batch", "toy/problem.py imports npintdim, which is not below it"),
        ("engine/train.py", "def f():\n    import npintdim.toy", "engine/train.py imports npintdim.toy"),
        ("newcomer.py", "", "newcomer.py is on no floor"),
        ("engine/model.py", "import numba", "engine/model.py imports numba"),
        ("engine/train.py", "def f():\n    from cupyx.scipy import sparse", "engine/train.py imports cupyx"),
        ("engine/layers/linear.py", "import torch.nn", "engine/layers/linear.py imports torch"),
        ("rng.py", "import numpy as np\nx = np.random.rand()", "rng.py:2 uses np.random"),
        ("rng.py", "def f(xp):\n    return xp.random", "rng.py:2 uses xp.random"),
        ("rng.py", "from numpy.random import default_rng", "rng.py imports numpy.random"),
        ("rng.py", "from numpy import random", "rng.py imports numpy.random"),
        ("rng.py", "import numpy.random as r", "rng.py imports numpy.random"),
        ("rng.py", "import random", "rng.py imports random"),
        ("engine/score.py", "\n" * (LONGEST + 1), f"engine/score.py has {LONGEST + 1} lines"),
        ("engine/layers/base.py", "from npintdim.engine.layers.linear import Linear", "a circle: "),
    ],
)  # fmt: skip
def test_a_broken_rule_is_noticed(file, text, complaint):
    assert any(complaint in line for line in complaints(SOURCES | {file: text}))


def test_the_table_has_every_name_once():
    assert sum(map(len, FLOORS)) == len(FLOOR)


def test_the_page_of_the_files_has_the_same_rows():
    page = (Path(__file__).parents[1] / "docs" / "files.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    assert [re.findall(r"`(\w+)`", row) for row in rows] == FLOORS


def test_importing_the_package_is_cheap():
    """Neither accelerators nor what only extras bring, nor SciPy: NumPy alone, as `npintdim.testing` promises."""
    code = f"import sys, npintdim.cli, npintdim.testing; print([name for name in {HEAVY + sorted(FRAMEWORKS)!r} if name in sys.modules])"
    run = python("-W", "error", "-c", code)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip() == "[]"


def test_the_numpy_backend_needs_no_numba():
    code = (
        "import sys; sys.modules['numba'] = None\n"  # whoever imports it now fails
        "import numpy as np, npintdim as nid\n"
        "backend = nid.get_backend('numpy')\n"
        "model = nid.mlp([4, 3], backend)\n"
        "P = nid.make_projection('fastfood', model.D, 2, 0, backend)\n"
        "objective = nid.SubspaceObjective(model, model.init_theta(0), P)\n"
        "batch = nid.Batch(np.ones((2, 4), np.float32), np.array([0, 2]))\n"
        "print(objective.loss_and_grad(objective.start(), batch)[1].shape)"
    )
    run = python("-c", code)
    assert run.stdout.strip() == "(2,)", run.stderr


def test_public_names_exist():
    assert len(set(npintdim.__all__)) == len(npintdim.__all__)
    for name in npintdim.__all__:
        assert hasattr(npintdim, name)


def test_the_files_that_are_mutated_exist():
    import mutants

    tests = {name for names in mutants.CORE.values() for name in names}
    assert not [file for file in mutants.CORE if not (ROOT / f"{file}.py").exists()]
    assert not [name for name in tests if not (Path(__file__).parent / f"{name}.py").exists()]


def test_files_that_texts_name_exist():
    """Paths in the package's texts and in the pages; modules that a package's docstring lists."""
    home = ROOT.parent
    files = [f"/{path.relative_to(home).as_posix()}" for path in home.rglob("*.py")]
    texts = [
        *ROOT.rglob("*.py"),
        *(home / "docs").glob("*.md"),
        *(home / "docs" / "walkthrough").glob("*.md"),
    ]
    named = {
        (text.name, name)
        for text in texts
        for name in re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.py)`", text.read_text(encoding="utf-8"))
    }
    listed = {
        (face.parent, name)
        for face in ROOT.rglob("__init__.py")
        for name in re.findall(r"^`([a-z_0-9]+)`", face.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) > 50 and len(listed) > 5  # or the patterns find nothing any more
    assert not [(text, name) for text, name in named if not any(file.endswith(f"/{name}") for file in files)]
    assert not [
        (str(p), name) for p, name in listed if not ((p / f"{name}.py").exists() or (p / name).is_dir())
    ]


WAY = [
    "ParametrisedObjective.loss_and_grad", "Subspace.theta", "FastfoodProjection.apply", "fastfood_apply",
    "Model.loss_and_grad", "Model.forward", "Linear.forward", "CrossEntropy.value_and_grad", "Model.backward", "Linear.backward",
    "Subspace.pullback", "FastfoodProjection.adjoint", "fastfood_adjoint", "Adam.update",
]  # fmt: skip


def entered(work):
    """The package's functions that are called, and how many of its frames each stands on."""
    found = []

    def note(frame, event, _):
        name = frame.f_code.co_qualname
        if event == "call" and Path(frame.f_code.co_filename).is_relative_to(ROOT):
            depth = 0
            while frame := frame.f_back:
                depth += Path(frame.f_code.co_filename).is_relative_to(ROOT)
            found.append((name, depth))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def test_a_parameter_goes_through_a_step_by_fourteen_functions(backend):
    """Down to the kernel and up again, through the same ones on every backend; what else is entered only looks."""
    model = nid.mlp([6, 5, 3], backend=backend, fuse=False)
    P = nid.make_projection("fastfood", model.D, 7, 1, backend)
    objective = nid.SubspaceObjective(model, model.init_theta(0), P)
    data = nid.Dataset.from_arrays(np.eye(30, 6), np.arange(30) % 3)
    config = nid.TrainConfig(epochs=1, batch_size=len(data.train) // 4, optimizer=nid.Adam())
    calls = entered(lambda: nid.train(objective, objective.start(), data, config, progress=False))
    begins = [i for i, (name, _) in enumerate(calls) if name == WAY[0]]
    step, base = calls[begins[1] : begins[2]], calls[begins[1]][1]
    names = iter(name for name, _ in step)
    assert [name for name in WAY if name in names] == WAY  # in this order
    on_it = [depth - base for name, depth in step if name in WAY]
    assert (base, max(on_it)) == (1, 3)  # the trainer calls the objective; a kernel is three calls below
    functions = {name for name, _ in step if "<" not in name}
    assert len(functions) <= {"numpy": 34, "numba": 37}[backend.name]
