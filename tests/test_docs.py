"""What the pages say is true: excerpts are the source, snippets run, links lead somewhere, values are right."""

import ast
import functools
import importlib
import inspect
import re
import sys
import textwrap
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import random_by_the_package as by_the_package
import random_from_the_page as from_the_page
from helpers import NO_NUMBA

import npintdim as nid

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def name_of(page):
    return page.relative_to(ROOT).as_posix()


# ---- fenced blocks ----
@dataclass(frozen=True)
class Block:
    page: Path
    line: int  # of the first line inside
    info: str
    code: str

    def __str__(self):
        return f"{name_of(self.page)}:{self.line}"


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text[: match.start(2)].count("\n") + 1, match[1], match[2])
        for match in re.finditer(r"^```([^`\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
EXCERPTS = [block for block in BLOCKS if "title=" in block.info]
RUN = re.compile(r"python run(?: needs=(\w+))?$")
RUNNABLE = [page for page in PAGES if any(RUN.match(block.info) for block in blocks_of(page))]


def test_every_fence_has_an_info_string_that_is_understood():
    """A typo in an info string would leave the block unchecked."""
    known = re.compile(
        r'(|text|bash|json|python|python run(| needs=\w+)|python title="[\w.]+(:[\w.]+)?"(| part))$'
    )
    assert [f"{block}: {block.info}" for block in BLOCKS if not known.match(block.info)] == []


# ---- excerpts ----
def source_of(title):
    module, _, qualified = title.partition(":")
    thing = importlib.import_module(module)
    for name in filter(None, qualified.split(".")):
        thing = inspect.getattr_static(thing, name)
    if isinstance(thing, functools.cached_property):
        thing = thing.func
    if isinstance(thing, property):
        thing = thing.fget
    return textwrap.dedent(inspect.getsource(thing))


def pieces_of(code):
    """Runs of lines between lines that are only `...`."""
    return [
        textwrap.dedent(piece).strip("\n") for piece in re.split(r"^ *\.\.\.\n", code, flags=re.MULTILINE)
    ]


def place(piece, source, after):
    """Line after the piece, which is a run of lines of the source; None where it is not."""
    wanted, lines = piece.splitlines(), source.splitlines()
    for i in range(after, len(lines) - len(wanted) + 1):
        if textwrap.dedent("\n".join(lines[i : i + len(wanted)])).strip("\n").splitlines() == wanted:
            return i + len(wanted)
    return None


def stale(code, source, part):
    """What of an excerpt is not in the source, as a message; empty where all is well."""
    if not part:
        return "" if code.strip("\n") == source.strip("\n") else f"the source is now\n{source}"
    after = 0
    for piece in pieces_of(code):
        found = place(piece, source, after)
        if found is None:
            return f"these lines are not in the source\n{piece}\nwhich is\n{source}"
        after = found
    return ""


@pytest.mark.parametrize("block", EXCERPTS, ids=str)
def test_excerpt_is_the_source(block):
    title = re.search(r'title="([^"]*)"', block.info)[1]
    if "numba_cpu" in title:
        pytest.importorskip("numba", reason=NO_NUMBA)
    assert stale(block.code, source_of(title), block.info.endswith(" part")) == ""


def test_a_stale_excerpt_is_noticed():
    source = "def f(x):\n    y = 2 * x\n    z = y + 1\n    return z\n"
    assert not stale(source, source, part=False)
    assert not stale("y = 2 * x\nz = y + 1\n", source, part=True)
    assert not stale("def f(x):\n    ...\n    return z\n", source, part=True)
    assert stale("y = 2 * x\n", source, part=False)
    assert stale("y = 3 * x\n", source, part=True)
    assert stale("y = 2 * x\nreturn z\n", source, part=True)
    assert stale("return z\n...\ny = 2 * x\n", source, part=True)


def origin_of(block):
    """The line that shows a reader where an excerpt is from: the file, as a link, and the name in it."""
    module, _, qualified = re.search(r'title="([^"]*)"', block.info)[1].partition(":")
    file = f"{module.replace('.', '/')}.py"
    up = "../" * (len(block.page.relative_to(ROOT).parts) - 1)
    return f"**[`{file}`]({up}{file}) · `{qualified}`**"


@pytest.mark.parametrize("block", EXCERPTS, ids=str)
def test_the_line_above_an_excerpt_links_to_its_file(block):
    above = block.page.read_text(encoding="utf-8").splitlines()[: block.line - 2]
    assert above[-2:] == [origin_of(block), ""]


# ---- formulas ----
def formulas_of(page):
    """Those between $$ on lines of their own, and those within a line."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    shown = re.compile(r"^\$\$\n(.*?)\n\$\$$", re.MULTILINE | re.DOTALL)
    return shown.findall(text), re.findall(r"\$([^$]*)\$", re.sub(r"`[^`\n]*`", "", shown.sub("", text)))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_formulas_are_rendered_everywhere(page):
    r"""Markdown takes \, \! \{ for escapes and }_ for emphasis; the code host's MathJax has no \operatorname."""
    shown, within = formulas_of(page)
    for formula in (*shown, *within):
        assert formula.count("{") == formula.count("}"), formula
        assert r"\operatorname" not in formula, formula
        assert r"\{" not in formula, formula
    assert [formula for formula in within if re.search(r"\\[,;!%\\]|[})]_|\||\n", formula)] == []


def test_the_pages_with_formulas_have_them():
    assert {page.stem for page in PAGES if formulas_of(page)[0]} >= {
        *(page.stem for page in (DOCS / "walkthrough").iterdir()), "check-your-code", "description-length", "index"
    }  # fmt: skip


# ---- snippets ----
@pytest.mark.usefixtures("own_tables")
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    lacking = set()
    for block in blocks_of(page):
        run = RUN.match(block.info)
        if run and run[1] and importlib.util.find_spec(run[1]) is None:
            lacking.add(run[1])
        elif run:
            code = "\n" * (block.line - 1) + block.code
            exec(compile(code, name_of(page), "exec"), module.__dict__)
    if lacking:
        pytest.skip(f"all ran but what needs {', '.join(lacking)}")


def test_the_reading_on_the_first_page_is_the_estimators():
    """Of the accuracies that its five runs and their baseline reach."""
    found = nid.d_int(
        [50, 100, 150, 200, 400], [0.616, 0.774, 0.892, 0.92, 0.946], baseline=[0.968]
    ).summary()
    said = re.search(
        r"# (d_int90 = .*?), of one run at each d", (DOCS / "index.md").read_text(encoding="utf-8")
    )[1]
    assert found.startswith(f"{said};")


# ---- links ----
def links_of(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:", link)]


def anchors_of(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_page_is_reachable_from_the_index():
    reached, front = set(), {DOCS / "index.md"}
    while front:
        page = front.pop()
        reached.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links_of(page)}
        front |= {t for t in targets if t in PAGES and t.is_relative_to(DOCS)} - reached
    assert [name_of(page) for page in PAGES if page.is_relative_to(DOCS) and page not in reached] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tests_that_are_named_exist(page):
    for file, test in re.findall(r"(tests/\w+\.py)(?:::(\w+))?", page.read_text(encoding="utf-8")):
        assert (ROOT / file).exists(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"


# ---- docs/random.md: its table, the package, and the implementation from the page ----
def call(where, text):
    """Evaluate `name(literals)` of a place that has the name."""
    node = ast.parse(text, mode="eval").body
    values = [ast.literal_eval(argument) for argument in node.args]
    return getattr(where, node.func.id)(
        *values, **{word.arg: ast.literal_eval(word.value) for word in node.keywords}
    )


def listed(value):
    """Plain Python numbers in a list."""
    return np.atleast_1d(np.asarray(value)).tolist()


def read_values(text, name, float32):
    if name == "fingerprint":
        return [text]
    if name == "signs":
        return [{"+": 1, "-": -1}[sign] for sign in text]
    if name in ("philox", "words"):
        return [int(word, 16) for word in text.split()]
    numbers = [ast.literal_eval(number) for number in text.split()]
    return [float(np.float32(x)) for x in numbers] if float32 else numbers


VALUES = re.findall(r"^\| `(\w+\(.*\))` \| `(.*)` \|$", (DOCS / "random.md").read_text("utf-8"), re.MULTILINE)


def test_the_table_of_random_values_leaves_nothing_out():
    answered = {name for name, f in vars(by_the_package).items() if inspect.isfunction(f)}
    shared = {name for name, f in vars(from_the_page).items() if inspect.isfunction(f)} & answered
    assert shared - {text.partition("(")[0] for text, _ in VALUES} == {"fastfood_apply"}  # takes a vector
    assert len(VALUES) >= 36


@pytest.mark.parametrize("where", [by_the_package, from_the_page], ids=["package", "page"])
@pytest.mark.parametrize(("text", "values"), VALUES, ids=[text for text, _ in VALUES])
def test_the_values_on_the_page(text, values, where):
    expected = read_values(values, text.partition("(")[0], "float32" in text)
    assert listed(call(where, text)) == expected


def test_a_literal_in_hexadecimal_and_in_decimals_is_one_number():
    pairs = re.findall(r"(0x1\.\w+p-?\d+) = ([\d.]+\d)", (DOCS / "random.md").read_text("utf-8"))
    assert pairs and all(float.fromhex(binary) == float(decimal) for binary, decimal in pairs)


SEEDS = (0, 5, 2**32 - 1, 2**64 - 1)
SAMPLES = [
    *(f"words({seed}, {purpose}, {lane}, {start}, 9)" for seed in SEEDS
      for purpose, lane, start in ((1, 0, 0), (14, 2**32 - 1, 3), (7, 1, 2**34 - 5), (2**31, 6, 2**40 + 1))),
    *(f"signs({seed}, 5, {lane}, 70)" for seed in SEEDS for lane in (0, 3)),
    *(f"permutation(5, 6, 0, {n}, row={row})" for n in (1, 2, 7, 64, 500) for row in (0, 3)),
    *(f"integers(5, 12, 0, {m}, 50)" for m in (1, 2, 1000, 2**32)),
    "uniform(5, 14, 1, 100)",
    *(f"log({x})" for x in (2.0**-33, 1e-5, 0.25, 0.49, 0.7071067811865475, 0.7071067811865476, 0.999, 1.0, 40.0)),
    *(f"normal({w})" for w in (*range(0, 2**32, 2**32 // 199), 0x13333333, 0x13333334, 0xECCCCCCB, 0xECCCCCCC)),
    *(f"truncated_normal({w})" for w in range(1, 2**32, 2**32 // 99)),
    *(f"theta_0(5, {lane}, {fan_in}, 50, {dtype!r})" for lane, fan_in in ((0, 784), (6, 25))
      for dtype in ("float32", "float64")),
    *(f"dense_column(5, {D}, {j}, {entries!r}, {dtype!r})" for D, j in ((1, 0), (33, 4), (200, 9))
      for entries in ("gaussian", "rademacher") for dtype in ("float32", "float64")),
    *(f"sparse_column(5, {D}, {j}, {density}, {dtype!r})"
      for D, j, density in ((50, 2, 1), (50, 2, 0.3), (300, 4, None), (2000, 1, 0.01))
      for dtype in ("float32", "float64")),
    *(f"fastfood_column(5, {D}, {d}, {j}, {blocks!r}, {signed}, {dtype!r})"
      for D, d, j in ((1, 1, 0), (7, 1, 0), (8, 8, 7), (21, 5, 4), (70, 33, 1))
      for blocks in ("stacked", "single") for signed in (True, False) for dtype in ("float32", "float64")),
    *(f"fingerprint('fastfood', {D}, {d}, 5, blocks={blocks!r}, signs={signed})" for D, d in ((7, 1), (70, 33))
      for blocks in ("stacked", "single") for signed in (True, False)),
    "fingerprint('dense', 40, 5, 5, entries='gaussian')",
    "fingerprint('dense', 40, 5, 5, entries='rademacher')",
    "fingerprint('sparse', 40, 5, 5, density=0.3)",
    "fingerprint('sparse', 40, 5, 5, density=1.0)",
]  # fmt: skip


def test_the_page_is_enough_to_write_the_scheme_again():
    for text in SAMPLES:
        assert listed(call(from_the_page, text)) == listed(call(by_the_package, text)), text


@pytest.mark.parametrize("blocks", ["stacked", "single"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fastfood_products_from_the_page_are_the_packages_bits(blocks, dtype):
    v = np.random.default_rng(1).standard_normal(11).astype(dtype).tolist()
    options = {"seed": 5, "D": 100, "blocks": blocks, "dtype": dtype}
    assert from_the_page.fastfood_apply(v, **options) == by_the_package.fastfood_apply(v, **options).tolist()


def test_a_compressed_theta_from_the_page_is_the_packages():
    model, theta_d = nid.mlp([3, 4, 2], backend=by_the_package.numpy_backend("float32")), [0.3, -1.7, 2.25]
    theta_d = [from_the_page.float32(v) for v in theta_d]
    theta_0 = [*from_the_page.theta_0(5, 0, 3, 12), *[0.0] * 4, *from_the_page.theta_0(5, 2, 4, 8), 0.0, 0.0]
    products = {
        "dense": from_the_page.exact_product(
            [from_the_page.dense_column(9, 26, j) for j in range(3)], theta_d
        ),
        "sparse": from_the_page.exact_product(
            [from_the_page.sparse_column(9, 26, j) for j in range(3)], theta_d
        ),
        "fastfood": from_the_page.fastfood_apply(theta_d, 9, 26),
    }
    for kind, y in products.items():
        P = by_the_package.projection(kind, 26, 3, 9, "float32")
        packed = nid.CompressedModel.from_parts(model, 5, P, np.array(theta_d))
        assert from_the_page.decode(theta_0, y) == packed.theta().tolist(), kind


def test_the_page_alone_needs_only_the_standard_library():
    tree = ast.parse(Path(from_the_page.__file__).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    assert imported <= sys.stdlib_module_names
