"""npintdim vectors: the way of the vectors to another language and back, a C program included."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import vectors_by_the_package as package
from helpers import command

from npintdim.testing import FAMILIES, cases
from npintdim.testing.answers import explained, judge
from npintdim.testing.arrays import KINDS, words_of

ROOT = Path(__file__).parents[1]
EVERY = [case for family in FAMILIES for case in cases(family, task="all")]


@pytest.fixture
def vectors(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    return lambda *argv: command(capsys, "vectors", *argv)


def text_of(array):
    """As a program in another language would write it: hex words, integers as numbers."""
    array = np.asarray(array)
    return words_of(array) if array.dtype.name in KINDS else array.tolist()


def shortest(array):
    """The shortest decimals that give the numbers back in their own precision, as C++ and JavaScript print them."""
    array = np.asarray(array)
    return json.dumps([float(str(x)) if array.dtype.kind == "f" else int(x) for x in array.reshape(-1)])


def answers(family, write=text_of, **more):
    found = {}
    for case in cases(family, task="all"):
        if not case.valid:
            found[case.id] = "refused"
            continue
        named = case.named(package.answer("numpy", case)(*case.arguments))
        parts = {name: write(array) for name, array in named.items()}
        found[case.id] = parts if len(parts) > 1 else next(iter(parts.values()))
    return found | more


def saved(found):
    Path("answers.json").write_text(json.dumps(found), encoding="utf-8")
    return "answers.json"


# ---- list ----
def test_list_counts_and_shows(vectors):
    code, out, _ = vectors("list")
    assert code == 0
    rows = {tuple(line.split()[:3]): line.split()[3:] for line in out.splitlines()}
    assert rows["wht", "given", "transform"] == ["17", "3"]
    code, out, _ = vectors("list", "--family", "wht", "--level", "given")
    assert "wht-given-transform-13  refuse: n = 3  [BadLength]" in out
    assert "Known: H(1,0,1,0,0,1,1,0) = (4,2,0,−2,0,2,0,2)" in out
    assert "seeded" not in out


# ---- check ----
@pytest.mark.parametrize("family", ["philox", "maps", "wht", "fastfood", "subspace_gradient", "artefact"])
@pytest.mark.parametrize(
    "write", [text_of, lambda array: np.asarray(array).tolist(), lambda array: json.loads(shortest(array))]
)
def test_right_answers_pass(vectors, family, write):
    code, out, _ = vectors("check", saved(answers(family, write)), "--family", family)
    assert code == 0, out
    assert f"passed {len(cases(family, task='all'))}, failed 0, not answered 0" in out


@pytest.mark.parametrize(
    ("id", "answer", "reason"),
    [
        ("wht-given-transform-4", [4, 2, 0, -2, 0, 2, 0, 3], "y[7] is 3, but 2.0 is expected"),
        ("wht-given-transform-4", [4, 2, 0], "shape (3,), but (8,) is needed"),
        ("wht-given-transform-4", "4010000000000000", "1 words are given: shape (8,) needs 8"),
        ("wht-given-transform-4", "401 402", "the word '401' has 3 digits: float32 needs 8"),
        ("wht-given-transform-4", "refused", "the inputs are right, but were refused"),
        ("wht-given-transform-4", None, "y: None is no number, list of numbers"),
        (
            "wht-given-transform-4",
            [4, 2, False, -2, 0, 2, 0, 2],
            "y: [4, 2, False, -2, 0, 2, 0, 2] is no number",
        ),
        ("wht-given-transform-4", [4, 2, 0, -2, 0, 2, 0, 10**400], "y: an integer is beyond 64 bits"),
        ("wht-given-transform-4", "zzzzzzzz " * 8, "y: the word 'zzzzzzzz' is not hexadecimal"),
        ("wht-given-transform-4", "f" * 5000, f"y: the word '{'f' * 20}' has 5000 digits"),
        ("wht-given-transform-4", [4, 2, 0, -2, 0, 2, 0, float("nan")], "y[7] is nan, but 2.0 is expected"),
        ("wht-given-transform-4", [[1], [1, 2]], "the numbers do not form an array"),
        ("wht-given-transform-13", [3, 1, 1], "n = 3): malformed inputs must be refused"),
        ("maps-given-signs-1", "00000001", "integers are answered as numbers"),
        ("subspace_gradient-given-loss_grad-1", 1.0, "an object with loss, grad is needed"),
        ("subspace_gradient-given-loss_grad-1", {"loss": 1.0}, "the answer must be loss, grad"),
        ("wht-given-transfrom-4", [1], "no test has this id, did you mean wht-given-transform-4?"),
    ],
)
def test_wrong_answers_are_told_and_end_with_1(vectors, id, answer, reason):
    code, out, _ = vectors("check", saved({id: answer}))
    assert code == 1
    (line,) = (line for line in out.splitlines() if line.startswith("FAILED"))
    assert line.startswith(f"FAILED {id}")
    assert reason in line


GOOD = '{"wht-given-transform-4": [4, 2, 0, -2, 0, 2, 0, 2]}'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_an_answer_file_may_be_in_what_powershell_writes(vectors, encoding):
    Path("answers.json").write_text(GOOD, encoding=encoding)
    assert "passed 1, failed 0" in vectors("check", "answers.json")[1]


NOTHING = [
    None,
    True,
    "",
    " ",
    "0",
    "00000000",
    "٠٠٠٠٠٠٠٠",
    "\ud800",
    [],
    [[]],
    [[1], [1, 2]],
    {},
    {"": 1},
    0,
    -1,
]
NOTHING += [1e300, float("nan"), float("inf"), 10**20, 10**400, [10**20, 1.5], ["1"], [None], [{}], [True, 2]]
NOTHING += [[0.5] * 3, [1e300] * 8, "ffffffff " * 8, {"y": None}, {"y": {"y": 1}}, {"loss": 1, "grad": "x"}]


@pytest.mark.parametrize("answer", [*NOTHING, *({"y": x, "loss": x, "grad": x} for x in NOTHING)], ids=repr)
def test_a_malformed_answer_is_told_with_its_id(answer):
    """And never more of it than fits a line or three."""
    groups = {(case.family, case.level, case.task, case.valid): case for case in EVERY}
    for case in groups.values():
        reason = judge(case, answer)
        assert reason is None or (reason.startswith(case.id) and len(reason) < 1000)
        if case.family == "wht":
            list(explained([case], {case.id: answer}))


def test_a_deeply_nested_answer_is_told_with_its_id():
    answer = 1
    for _ in range(100_000):
        answer = [answer]
    for id in ("wht-given-transform-4", "wht-given-transform-13"):
        (case,) = (case for case in EVERY if case.id == id)
        assert judge(case, answer).startswith(id)
        list(explained([case], {id: answer}))


def test_a_family_that_is_named_must_be_answered_in_full(vectors):
    some = dict(list(answers("wht").items())[:5])
    code, out, _ = vectors("check", saved(some))
    assert (code, out.splitlines()[-1]) == (0, f"passed 5, failed 0, not answered {len(EVERY) - 5}")
    assert vectors("check", saved(some), "--family", "wht")[0] == 1


def test_a_family_that_is_named_twice_counts_once(vectors):
    once = vectors("list", "--family", "wht")
    assert vectors("list", "--family", "wht", "--family", "wht") == once


# ---- export ----
def test_json_with_and_without_answers(vectors):
    code, out, _ = vectors("export", "--family", "wht")
    assert code == 0
    (whole,) = json.loads(out)
    assert whole == json.loads((ROOT / "npintdim/vectors/v1/wht.json").read_text(encoding="utf-8"))
    _, out, _ = vectors("export", "--questions", "--level", "given")
    files = json.loads(out)
    assert len(files) == len(FAMILIES)
    tests = [test for file in files for group in file["groups"] for test in group["tests"]]
    assert all(set(test) == {"id", "comment", "flags", "dtype", "inputs"} for test in tests)


@pytest.mark.parametrize("format", ["json", "c-header"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16"])
def test_what_stdout_gets_is_the_file_whatever_its_letters(vectors, encoding, format):
    """Windows redirects in cp1252, which has no θ."""
    argv = ["vectors", "export", "--format", format]
    assert vectors(*argv[1:], "--out", "file")[0] == 0
    run = subprocess.run(
        [sys.executable, "-m", "npintdim", *argv],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout == Path("file").read_bytes()


def test_a_stream_of_text_may_stand_for_stdout(vectors, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    vectors("export", "--family", "wht")
    (whole,) = json.loads(sys.stdout.getvalue())
    assert whole["groups"]


def test_npy_holds_every_array(vectors):
    code, out, _ = vectors("export", "--format", "npy", "--family", "mlp_loss_grad", "--out", "folder")
    index = json.loads(Path("folder/index.json").read_text(encoding="utf-8"))
    files = list(Path("folder").rglob("*.npy"))
    assert (code, out) == (0, f"folder: {len(files) + 1} files, {len(index)} tests\n")
    for case in cases("mlp_loss_grad"):
        for folder, arrays in (("", case.inputs), ("expected", case.expected)):
            for name, array in arrays.items():
                if isinstance(array, np.ndarray):
                    np.testing.assert_array_equal(np.load(Path("folder", case.id, folder, f"{name}.npy")), array)  # fmt: skip
                elif not folder:
                    assert str(index[case.id]["inputs"][name]) == str(array)
    vectors("export", "--format", "npy", "--family", "wht", "--questions", "--out", "other")
    assert not list(Path("other").rglob("expected"))
    assert "result" not in Path("other/index.json").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler cc")
def test_a_c_program_passes_and_notices(vectors):
    """The example, with warnings as errors; and with a wrong constant it fails."""
    assert vectors("export", "--format", "c-header", "--family", "philox", "--family", "wht", "--out", "vectors.h")[0] == 0  # fmt: skip
    source = (ROOT / "examples" / "check_vectors.c").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 60
    for text, status in ((source, 0), (source.replace("b = x[i + h]", "b = -x[i + h]"), 1)):
        Path("check.c").write_text(text, encoding="utf-8")
        flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-I."]
        subprocess.run(["cc", *flags, "check.c", "-o", "check", "-lm"], check=True, timeout=120)
        run = subprocess.run(["./check"], capture_output=True, encoding="utf-8", timeout=60)
        assert run.returncode == status, run.stdout
        assert ("FAILED" in run.stdout) == bool(status)
    ids = [case.id for family in ("philox", "wht") for case in cases(family) if "wht-seeded" not in case.id]
    shown = [line.split()[0] for line in run.stdout.splitlines()]
    assert shown == [id for id in ids if id not in ("philox-seeded-words-8", "philox-seeded-words-9")]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler cc")
def test_the_header_of_everything_is_c(vectors):
    assert vectors("export", "--format", "c-header", "--out", "all.h")[0] == 0
    Path("all.c").write_text('#include "all.h"\nint main(void) { return 0; }\n', encoding="utf-8")
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    subprocess.run(["cc", *flags, "all.c"], check=True, timeout=120)


ADJOINT_IN_C = """
#include <math.h>
#include "dense.h"
int main(void) {
    for (int k = 0; k < npintdim_dense_given_adjoint_count; k++) {
        struct npintdim_dense_given_adjoint_test t = npintdim_dense_given_adjoint[k];
        size_t D = t.P_shape[0], d = t.P_shape[1];
        if (t.P_size != D * d) return 2;
        if ((D == t.g_size) != t.valid) return 3;
        for (size_t j = 0; t.valid && j < d; j++) {
            double y = 0;
            for (size_t i = 0; i < D; i++) y += t.P[i * d + j] * t.g[i];
            if (!(fabs(y - t.y[j]) <= t.y_bound)) return 1;
        }
    }
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler cc")
@pytest.mark.parametrize(("text", "status"), [("i * d + j", 0), ("j * D + i", 1)])
def test_c_knows_rows_and_columns(vectors, text, status):
    """Without them a g of the wrong length cannot be refused: 2 entries, and P has 3×2."""
    assert vectors("export", "--format", "c-header", "--family", "dense", "--out", "dense.h")[0] == 0
    Path("dense.c").write_text(ADJOINT_IN_C.replace("i * d + j", text), encoding="utf-8")
    flags = [
        "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wno-unused-variable", "-Wno-unused-const-variable",
        "-Werror",
    ]  # fmt: skip
    subprocess.run(["cc", *flags, "dense.c", "-o", "dense", "-lm"], check=True, timeout=120)
    assert subprocess.run(["./dense"], timeout=60).returncode == status


# ---- errors ----
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["show"], "unknown action 'show': choose one of list, export, check"),
        (["check"], "vectors check needs a file of answers: npintdim vectors check answers.json"),
        (["list", "answers.json"], "vectors list takes no file, but answers.json is given"),
        (["check", "missing.json"], "missing.json"),
        (["check", "list.json"], "list.json holds a JSON list: an object {id: answer} is needed"),
        (["check", "broken.json"], "broken.json is not JSON"),
        (["check", "deep.json"], "deep.json is not JSON: maximum recursion depth exceeded"),
        (["check", "twice.json"], "twice.json is not JSON: the name a stands twice in one object"),
        (["check", "empty.json"], "empty.json answers none of these tests"),
        (["list", "--family", "wth"], "unknown family 'wth'"),
        (["export", "--format", "xml"], "unknown format 'xml'"),
        (["export", "--format", "npy"], "--out FOLDER is needed"),
        (["export", "--format", "c-header", "--questions"], "--questions is for json and npy"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(vectors, argv, message):
    for name, text in (
        ("list.json", "[]"),
        ("broken.json", "{"),
        ("empty.json", "{}"),
        ("twice.json", '{"b": 1, "a": 1, "a": 1}'),
        ("deep.json", "[" * 10**6),
    ):
        Path(name).write_text(text, encoding="utf-8")
    code, _, err = vectors(*argv)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
