"""The commands: what they print, what they leave, how they end."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers import MEASURE, SMALL, needs_matplotlib

import npintdim as nid
from npintdim.artefact.compress import CompressedModel
from npintdim.cli import COMMANDS, build_parser, main, one_line
from npintdim.measurement import runs
from npintdim.projections import FastfoodProjection

HUGE = 20 * "9"


# --- help and errors


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_screen_and_its_example_is_valid(cli, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = cli(command, "--help")
    assert (code, err) == (0, "")
    assert len(out) <= 30
    assert max(map(len, out)) <= 80
    assert out[-2] == "example:"
    program, *arguments = shlex.split(out[-1])
    assert program == "npintdim"
    assert build_parser().parse_args(arguments).run is COMMANDS[command].run


def test_help_lists_every_command_and_has_an_example(cli):
    code, out, _ = cli("--help")
    assert code == 0
    assert max(map(len, out)) <= 80
    program, *arguments = shlex.split(out[out.index("example:") + 1])
    assert program == "npintdim"
    assert build_parser().parse_args(arguments).run is COMMANDS["measure"].run
    assert [line.split()[0] for line in out if re.match(r"    \w", line)] == list(COMMANDS)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["mesure"], "unknown command 'mesure': .* Did you mean 'measure'"),
        (["measure", "--sedes", "3"], r"unrecognized arguments: --sedes 3 \(see npintdim measure --help\)"),
        (["measure", "--d", "search:3"], "'search:3' asks for ±300 %: search:0.03 is ±3 %"),
        (["measure", "--cluster", "tcp://a:1", "--jobs", "2"],
            "--jobs and --cluster exclude each other: of a clu"),
        (["reproduce", "toy", "--cluster", "tcp://a:1"], "--cluster is for networks, and toy has none"),
        (["measure", "--cluster", "here"], "cluster is 'here': an address such as tcp://10.0.0.1:8786"),
        (["measure", "--seeds", "x"], "argument --seeds: invalid int value: 'x'"),
        (["measure", "--d", "10,x"], "argument --d: '10,x' is not a list of integers such as 10,20,50"),
        (["measure", "--seeds", "0"], "seeds is 0: seeds ≥ 1 is needed"),
        (["measure", "--data", "mnits"], "unknown dataset 'mnits': .* Did you mean 'mnist'"),
        (["measure", "--data", "shuffled"], "cifar10, NAME.shuffled-pixels, NAME.shuffled-labels=0.5"),
        (["measure", "--model", "lent"], "unknown network 'lent': .* Did you mean 'lenet'"),
        (["measure", "--model", "64-20-10-flatten"],
            "activation is Flatten: a function of each number alone is"),
        (["train", "--model", "64-20-10-dropout"],
            "activation is Dropout: a function of each number alone is needed"),
        (["measure", "--model", "lenet"], r"in_shape is \(1, 8, 8\): LeNet needs images"),
        (["measure", "--model", "63-10"],
            r"the model takes examples of shape \(63,\), but digits has \(1, 8, 8\)"),
        (["measure", "--model", "64-5"], "the model has 5 outputs, but digits has 10 classes"),
        (["measure", "--projection", "spars"], "unknown projection 'spars': .* Did you mean 'sparse'"),
        (["measure", "--option", "blocks"], "--option is 'blocks': NAME=X is needed, e.g. blocks=single"),
        (["measure", "--option", "block=single"],
            "unknown option of 'fastfood' 'block': .* Did you mean 'blocks'"),
        (["measure", "--backend", "nunpy"], "unknown backend 'nunpy': .* Did you mean 'numpy'"),
        (["measure", "--dtype", "float16"], "unknown dtype 'float16': .* Did you mean 'float"),
        (["measure", "--threads", "0"], "threads is 0: "),
        (["measure", "--seed", "-1"], "seed is -1"),
        (["measure", "--d", "0"], "d is 0"),
        (["measure", "--d", "99999"], "d is 99999: 1 ≤ d ≤ D = 17610 is needed"),
        (["measure", "--jobs", "0"], "jobs is 0: jobs ≥ 1 is needed"),
        (["measure", "--batch-size", "5000"], "batch_size is 5000, but the training set has 1297 examples"),
        (["measure", "--fraction", "1.5"],
            "fraction is 1.5: 0 < q ≤ 1 is needed in threshold = q × baseline"),
        (["measure", "--threshold", "90"],
            "threshold is 90.0: a performance with 0 < threshold ≤ 1 is needed"),
        (["measure", "--lr", "0"], "lr is 0.0: a positive number is needed"),
        (["measure", "--jobs", HUGE], f"jobs is {HUGE}: jobs ≤ 4096 is needed"),
        (["measure", "--seeds", HUGE], f"seeds is {HUGE}: seeds ≤ 10000 is needed"),
        (["measure", "--lr", f"search:{HUGE}"],
            f"argument --lr: 'search:{HUGE}' asks for more than 10000 runs"),
        (["measure", "--epochs", HUGE], f"epochs is {HUGE}: epochs ≤ 1000000 is needed"),
        (["measure", "--d", f"20,{HUGE}"], f"d is {HUGE}: 1 ≤ d ≤ 4294967295 is needed"),
        (["measure", "--batch-size", HUGE], f"batch_size is {HUGE}: an integer below 2..63 is needed"),
        (["measure", "--model", f"64-{HUGE}-10"],
            "--model is 64-9+-10: sizes of at most 9 digits are needed"),
        (["measure", "--model", "64" + 150 * "-8" + "-10"],
            "the folder's name would have 321 bytes: .* with --out"),
        (["measure", "--out", 300 * "x"],
            "argument --out: a name has 300 bytes, and a file system takes 255"),
        (["measure", "--seed", HUGE], f"seed is {HUGE}: 0 ≤ seed ≤ 1000000000 is needed"),
        (["train", "--d", HUGE], f"d is {HUGE}: 1 ≤ d ≤ 4294967295 is needed"),
        (["train", "--epochs", HUGE], f"epochs is {HUGE}: epochs ≤ 1000000 is needed"),
        (["toy", "--draws", HUGE], f"draws is {HUGE}: draws ≤ 1000000 is needed"),
        (["reproduce", "toy", "--jobs", HUGE], f"jobs is {HUGE}: jobs ≤ 4096 is needed"),
        (["compress", 300 * "x"], "argument SOURCE: a name has 300 bytes"),
        (["measure", "--out", "file/below"], "the results cannot be written to file/below"),
        (["measure", "--data", "mnist", "--folder", "nowhere"], "there is no such folder"),
        *(
            (
                [*argv, "--folder", "x"],
                f"--folder is x: the files of mnist, .*, cifar10 are looked for in it, and {read}",
            )
            for argv, read in (
                (["measure"], "the data are digits"),
                (["train", "--data", "file.npz"], "the data are file.npz"),
                (["check", "--data", "digits+shuffled-labels=1"], "the data are digits"),
                (["evaluate", "file"], "the data are digits"),
                (["certify", "file"], "the data are digits"),
                (["toy"], "none are read"),
                (["bench"], "none are read"),
                (["plot", "file"], "none are read"),
                (["vectors", "list"], "none are read"),
            )
        ),
        (["measure", "--fraction", "0.5", "--threshold", "0.9"], "--fraction and --threshold exclude each"),
        (["measure", "--out", ""], "argument --out: the name is empty: a path is needed"),
        (["vectors", "list", "--out", "x"],
            "vectors list writes no vectors: --format, --questions and --out"),
        (["vectors", "check", "file", "--questions"], "vectors check writes no vectors"),
        (["compress", "file", "--d", "5"],
            "file is one run: --d and --repetition choose among those of a fol"),
        (["measure", "--progress", "--quiet"], "not allowed with argument"),
        (["train", "--save", "x.npid"], "--save needs --d: only a run in a subspace can be compressed"),
        (["train", "--d", "10", "--save", "nowhere/x.npid"], "there is no folder .*nowhere"),
        (["train", "--d", "10", "--save", "."], "--save is .: that is a folder"),
        (["train", "--d", "10", "--save", os.devnull], "--save is .*: that is a device or a pipe"),
        (["train", "--projection", "dense"], "--projection and --option need --d: without it all of theta"),
        (["train", "--option", "signs=False"], "--projection and --option need --d"),
        (["train", "--optimizer", "adm"], "unknown optimizer 'adm': .* Did you mean 'adam'"),
        (["train", "--model", "64-20-5"], "the model has 5 outputs, but digits has 10 classes"),
        (["toy", "--draws", "0"], "draws is 0"),
        (["toy", "--projection", "sparse", "--no-signs"], "--no-signs and --blocks are options of Fastfood"),
        (["check", "--dtype", "float32"], "finite differences need float64"),
        *(
            ([*argv, "--seed", "2"], f"--seed is 2, and nothing is drawn here{more}")
            for argv, more in (
                (["compress", "m"], ": --repetition K says which run"),
                (["evaluate", "m"], ""),
                (["certify", "m"], ""),
                (["plot", "m"], ""),
                (["bench"], ""),
                (["vectors", "list"], ""),
                (["info"], ""),
            )
        ),
        (["info", "--backend", "nunpy"], "unknown backend 'nunpy'.* Did you mean 'numpy'"),
        (["info", "--dtype", "float16"], "unknown dtype 'float16'"),
        (["quantise", "file", "--seed", "2"], "--seed needs --epochs: without it nothing is drawn"),
        (["check", "--d", "0"], "d is 0"),
        (["check", "--projection", "spars"], "unknown projection 'spars'"),
        (["check", "--model", "63-10"], "the model takes examples of shape"),
        (["check", "--model", "64-5"], "the model has 5 outputs"),
        (["vectors", "list", "file"], "vectors list takes no file, but file is given"),
        (["vectors", "check"], "vectors check needs a file of answers"),
        (["vectors", "export", "--out", "nowhere/x"], "--out is nowhere/x: there is no folder .*nowhere"),
        (["vectors", "export", "--format", "npy", "--out", "file"], "the results cannot be written to file"),
        (["reproduce", "toy", "--out", "file"], "the results cannot be written to file"),
        (["compress", "nowhere"], "nowhere is neither a record nor a folder that npintdim measure made"),
        (["compress", "file"], "file is not the record of a run"),
        (["compress", "text"], "text is not the record of a run"),
        (["evaluate", "nowhere.npid"], "nowhere.npid"),
        (["evaluate", "file"], "file: not a compressed model"),
        (["evaluate"], "the following arguments are required: FILE"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(cli, tmp_path, argv, message):
    """Said before anything else is, and nothing is left behind."""
    (tmp_path / "file").write_text("{}")
    (tmp_path / "text").write_text("root:x:0")
    code, out, err = cli(
        *argv, *([] if not argv or "--backend" in argv or argv[0] == "mesure" else SMALL[2:])
    )
    assert (code, out) == (2, [])
    assert len(err.splitlines()) == 1
    assert re.match(f"npintdim: error: .*{message}", err), err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "text"]


@pytest.mark.parametrize(
    "argv",
    [
        ["LONG"], ["train", "--LONG"], ["train", "--model", "LONG"], ["train", "--data", "LONG"],
        ["train", "--backend", "LONG"], ["measure", "--seeds", 5000 * "9"], ["measure", "--d", 5000 * "9"],
        ["measure", "--option", "LONG"], ["measure", "--out", "x/" * 5000], ["evaluate", "LONG"],
        ["measure", "--lr", "LONG"], ["toy", "--projection", "LONG"], ["info", "--folder", "LONG"],
    ],
)  # fmt: skip
def test_what_is_typed_by_mistake_is_not_repeated_in_full(cli, tmp_path, argv):
    code, out, err = cli(*(a.replace("LONG", 5000 * "x") for a in argv))
    assert (code, out, len(err.splitlines())) == (2, [], 1)
    assert len(err) < 600
    assert list(tmp_path.iterdir()) == []


def test_home_is_a_folder_also_after_an_equals_sign(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    (tmp_path / "me").mkdir()
    assert cli("train", *SMALL, "--d", "5", "--epochs", "1", "--save=~/x.npid")[0] == 0
    assert cli("evaluate", "~/x.npid", "--backend", "numpy")[0] == 0
    assert cli("toy", "--draws", "2", "--backend", "numpy", "--out=~/toy")[0] == 0
    assert cli("vectors", "export", "--family", "wht", "--out=~/v.json")[0] == 0
    assert "'me" in cli("train", "--data", "mnist", "--folder=~/none")[2].replace(str(tmp_path) + os.sep, "'")
    assert [path.name for path in tmp_path.iterdir()] == ["me"]
    assert {"x.npid", "toy", "v.json"} <= {path.name for path in (tmp_path / "me").iterdir()}


def test_a_stranger_with_a_tilde_is_a_name_like_another(cli, tmp_path):
    assert cli("toy", "--draws", "2", "--backend", "numpy", "--out=~no-such-user/t")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["~no-such-user"]


@needs_matplotlib
@pytest.mark.skipif(sys.platform == "win32", reason="a home that cannot be made is /proc/none")
def test_a_home_that_cannot_be_used_is_no_warning(tmp_path, measurement):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("XDG", "MPL"))} | {"HOME": "/proc/none"}
    call = [sys.executable, "-m", "npintdim", "plot", str(measurement), "--out", "c.png"]
    ended = subprocess.run(call, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.endswith("plot  c.png and .svg\n")


def test_a_missing_backend_is_told_with_the_pip_line(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    code, _, err = cli("train", "--backend", "numba")
    assert code == 2
    assert err == "npintdim: error: backend 'numba' needs the numba package: pip install 'npintdim[numba]'\n"


def test_python_m_npintdim_is_the_command(tmp_path):
    command = [sys.executable, "-m", "npintdim"]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert (version.returncode, version.stdout) == (0, f"npintdim {nid.__version__}\n")
    wrong = subprocess.run([*command, "tain"], capture_output=True, text=True, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "Did you mean 'train'" in wrong.stderr


def test_a_terminal_without_greek_letters_is_no_obstacle(tmp_path):
    command = [sys.executable, "-m", "npintdim", "train", *SMALL, "--epochs", "1", "--l2", "-1"]
    run = subprocess.run(
        command, capture_output=True, cwd=tmp_path, env={"PYTHONIOENCODING": "ascii", "PATH": ""}
    )
    assert run.returncode == 2
    assert run.stderr == b"npintdim: error: l2 is -1.0: a number ? 0 is needed\n"


def test_ctrl_c_outside_of_a_run_is_no_traceback(cli, monkeypatch):
    def interrupt(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["info"], "run", interrupt)
    assert cli("info") == (130, [], "npintdim: interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
@pytest.mark.parametrize("argv", [[*MEASURE, "--jobs", "1"], ["info"]])
def test_a_reader_that_leaves_ends_the_program_quietly(tmp_path, argv):
    """`npintdim measure | head -0`"""
    reads, writes = os.pipe()
    os.close(reads)
    ended = subprocess.run(
        [sys.executable, "-m", "npintdim", *argv], stdout=writes, stderr=subprocess.PIPE, cwd=tmp_path
    )
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (141, b"")


# --- measure


def test_measure_prints_the_table_the_files_and_last_the_reading(cli, tmp_path):
    code, out, err = cli(*MEASURE)
    folder = tmp_path / "results" / "digits-64-16-10-fastfood"
    assert (code, err) == (0, "")
    assert out[0] == (
        "digits, 64-16-10, fastfood: 8 runs of 15 epochs, 1 at a time, results in "
        f"{folder.relative_to(tmp_path)}"
    )
    assert re.fullmatch(r"8 runs to do: about \d+ s, \d\d kB", out.pop(1))
    for d in ("direct", "d = 20", "d = 100"):
        assert re.fullmatch(rf"{d}: 0\.\d+, 0\.\d+ \(\d of 8 runs, about \d+ s left\)", out.pop(1))
    assert re.fullmatch(r"d = 200: 0\.\d+, 0\.\d+ \(8 of 8 runs\)", out.pop(1))
    assert out[2] == f"D = {nid.mlp([64, 16, 10]).D:,}"
    assert [line.split()[0] for line in out[4:8]] == ["direct", "20", "100", "200"]
    named = dict(line.split(maxsplit=1) for line in out[9:13])
    assert named["report"].replace("\\", "/") == "results/digits-64-16-10-fastfood/report.md"
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert f"```bash\n{shlex.join(['npintdim', *MEASURE])}\n```" in report
    assert ("![performance against d](curve.png)" in report) == bool(find_spec("matplotlib"))
    assert named["csv"].replace("\\", "/") == "results/digits-64-16-10-fastfood/results.csv"
    assert (folder / "results.csv").exists()
    kept = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    size = (folder / "d_int90.npid").stat().st_size
    assert f"d_int90.npid, {size:,} bytes instead of {4 * kept['D']:,}; performance " in named["compressed"]
    assert f"performance {kept['compressed']['performance']:.4f} after decoding (d = " in named["compressed"]
    assert out[-1] == kept["summary"]
    assert re.fullmatch(
        r"d_int90 = \d+ \(95 % interval \d+ to \d+\); first tried d above the line: \d+; "
        r"threshold 0\.\d{4} = 0\.9 × 0\.\d{4}",
        out[-1],
    )
    if find_spec("matplotlib"):
        assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / "curve.svg").exists()


def test_measure_without_matplotlib_finishes_and_says_how_to_get_the_plot(cli, measurement, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out, _ = cli(*MEASURE, "--out", measurement)
    assert code == 0
    assert "plot        none: plots need matplotlib: pip install 'npintdim[plot]', then run it again" in out
    assert out[-1].startswith("d_int90 = ")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("curve.png", r"plot        none: .*m.curve\.png: .*"),
        ("curve.svg", r"plot        none: .*m.curve\.svg: .*"),
        ("report.md", r"report      none: .*m.report\.md: .*"),
        ("results.csv", r"csv         none: see the warning"),
        ("summary.json", r"report      .*m.report\.md"),
    ],
)
def test_a_file_that_cannot_be_written_after_the_runs_is_one_line(cli, tmp_path, name, line):
    if name.startswith("curve"):
        pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing is drawn")
    (tmp_path / "m" / name).mkdir(parents=True)
    code, out, err = cli(*MEASURE, "--epochs", "1", "--out", "m")
    assert code == 0
    assert any(re.fullmatch(line, said) for said in out)
    assert out[-1].startswith("d_int90 ")
    if name in ("results.csv", "summary.json"):
        assert re.match(r"npintdim: warning: .*" + re.escape(name), err)
        assert len(err.splitlines()) == 1


def broken(*args, **kwargs):
    raise RuntimeError("no latex\nanywhere " + "x" * 1000)


@pytest.mark.parametrize("name", ["measure", "plot", "toy", "reproduce"])
def test_a_picture_that_fails_is_one_line_and_costs_nothing_else(cli, measurement, monkeypatch, name):
    monkeypatch.setattr("npintdim.plots.style.save", broken)
    monkeypatch.setattr(COMMANDS["toy"], "STEPS", 5)
    monkeypatch.setattr("npintdim.reproduce.toy.least_shares", lambda *args: np.zeros((15, 2)))
    argv = {
        "measure": [*MEASURE, "--out", measurement],
        "plot": ["plot", measurement],
        "toy": ["toy", "--draws", "2", "--backend", "numpy"],
        "reproduce": ["reproduce", "toy", "--quick", "--backend", "numpy"],
    }[name]
    code, out, err = cli(*argv)
    assert (code, err) == (0, "")
    told = [
        line for line in out if re.match(r"(plot|pictures) +none: RuntimeError: no latex anywhere x", line)
    ]
    assert len(told) == (2 if name == "toy" else 1)
    assert max(map(len, told)) < 350
    last = {"measure": "d_int90 = ", "plot": "plot  none", "toy": "plot  none", "reproduce": "again "}[name]
    assert out[-1].startswith(last)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are UTF-8 there")
def test_a_folder_whose_name_is_no_text_takes_everything(cli, tmp_path):
    out = os.fsdecode(b"c-\xfc")
    code, lines, err = cli(*MEASURE, "--epochs", "1", "--out", out)
    assert (code, err) == (0, "")
    assert lines[-1].startswith("d_int90 ")
    assert (tmp_path / out / "summary.json").exists()
    assert r"--out 'c-\udcfc'" in (tmp_path / out / "report.md").read_text(encoding="utf-8")
    assert cli("compress", out, "--d", "20", "--backend", "numpy")[0] == 0
    assert cli("toy", "--draws", "2", "--backend", "numpy", "--out", out)[0] == 0


def test_measure_takes_every_option(cli):
    code, out, _ = cli(
        *MEASURE, "--epochs", "1", "--projection", "fastfood", "--option", "blocks=single", "--option", "signs=False",
        "--threshold", "0.05", "--direct-lr", "0.01", "--l2", "1e-4", "--batch-size", "32", "--seed", "5", "--d", "9",
        "--dtype", "float64", "--threads", "2", "--quiet",
    )  # fmt: skip
    assert code == 0
    assert "results/digits-64-16-10-fastfood-blocks-single-signs-False" in out[0].replace("\\", "/")
    assert out[-1].startswith("d_int ≤ 9: already reached at d = 9")
    folder = out[0].split("results in ")[1]
    kept = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))["recipe"]
    assert kept["projection"] == {"kind": "fastfood", "blocks": "single", "signs": False}
    assert (kept["l2"], kept["batch_size"], kept["seed"], kept["epochs"]) == (1e-4, 32, 5, 1)
    assert (kept["optimizer"]["lr"], kept["direct_optimizer"]["lr"], kept["d"]) == (0.1, 0.01, [9])


def test_measure_tells_a_failed_run_and_ends_with_1(cli, tmp_path, monkeypatch):
    plain = runs.objective

    def broken(spec, backend, data, folder=None):
        if (spec.d, spec.seed, spec.epochs) == (100, 1, 15):
            raise MemoryError("no room")
        return plain(spec, backend, data)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "objective", broken)
        code, out, err = cli(*MEASURE)
    assert code == 1
    assert err == "npintdim: a run failed and is tried again next time: MemoryError: no room\n"
    assert out[-1].endswith("; runs left out because they diverged or failed: 1")
    assert cli(*MEASURE)[0] == 0


def test_measure_tells_a_damaged_record_in_one_line(cli, tmp_path):
    cli(*MEASURE, "--epochs", "1")
    record = next((tmp_path / "results" / "digits-64-16-10-fastfood" / "runs").glob("*.json"))
    record.write_text("{")
    code, _, err = cli(*MEASURE, "--epochs", "1")
    assert code == 0
    assert re.fullmatch(
        rf"npintdim: warning: .*{record.name} is damaged \(.*\): the run is done again\n", err
    )


# --- train


def test_train_prints_an_epoch_a_line(cli):
    code, out, err = cli("train", *SMALL, "--epochs", "3")
    assert (code, err) == (0, "")
    assert out[0] == "digits, 64-16-10, D = 1,210, direct, seed 0, numpy"
    assert out[1].split() == ["epoch", "loss", "train", "test", "seconds"]
    rows = [[float(x) for x in line.split()] for line in out[2:5]]
    assert [row[0] for row in rows] == [1, 2, 3]
    assert rows[2][1] < rows[0][1]
    assert rows[2][3] > 0.5
    assert re.fullmatch(r"finished after \d+\.\d s", out[-1])


def test_train_saves_a_compressed_network_that_evaluate_reads(cli, tmp_path):
    code, out, _ = cli(
        "train", *SMALL, "--epochs", "2", "--d", "50", "--lr", "0.1", "--save", "net.npid", "--seed", "3"
    )
    assert code == 0
    saved = re.fullmatch(r"net\.npid: ([\d,]+) bytes, test performance (0\.\d{4}) after decoding", out[-2])
    assert int(saved[1].replace(",", "")) == (tmp_path / "net.npid").stat().st_size
    code, evaluated, _ = cli("evaluate", "net.npid", "--backend", "numpy")
    assert code == 0
    assert evaluated[0] == f"net.npid: {saved[1]} bytes, D = 1,210, fastfood, d = 50"
    assert re.fullmatch(
        rf"test performance {saved[2]}, loss \d+\.\d{{4}} on 500 examples of digits", evaluated[-1]
    )
    loaded = CompressedModel.load(tmp_path / "net.npid")
    assert evaluated[1].endswith(f"P seed {loaded.P.seed}, sha256 of theta {loaded.theta_sha256}")


def test_train_with_sgd_differs_from_adam(cli):
    tables = [
        cli("train", *SMALL, "--epochs", "1", "--optimizer", name)[1][2].split()[1]
        for name in ("sgd", "adam")
    ]
    assert tables[0] != tables[1]


def test_a_huge_loss_does_not_break_the_table(cli):
    _, out, _ = cli("train", *SMALL, "--epochs", "1", "--lr", "1e6", "--quiet")
    (row,) = [line for line in out if line.startswith("    1 ")]
    assert re.fullmatch(r" {4}1 \d\.\d{3}e\+\d\d  ?0\.\d{4}  0\.\d{4} +\d\.\d\d", row)


def test_train_that_diverges_ends_with_1(cli):
    code, out, _ = cli("train", *SMALL, "--optimizer", "sgd", "--lr", "1e6", "--epochs", "3", "--d", "20")
    assert code == 1
    assert out[-1].startswith("diverged after ")


def test_train_interrupted_shows_and_saves_what_was_reached(cli, tmp_path, monkeypatch):
    plain = runs.train

    def interrupted(landscape, start, data, config, progress, label, held):
        return replace(
            plain(landscape, start, data, replace(config, epochs=1), progress, label), status="interrupted"
        )

    monkeypatch.setattr(runs, "train", interrupted)
    code, out, err = cli("train", *SMALL, "--epochs", "9", "--d", "20", "--save", "net.npid")
    assert code == 130
    assert err == "npintdim: interrupted: the table ends with the last whole epoch\n"
    assert out[-1].startswith("interrupted after ")
    assert CompressedModel.load(tmp_path / "net.npid").P.d == 20


# --- toy


def test_toy_prints_fifteen_d_next_to_the_law(cli, tmp_path):
    code, out, err = cli("toy", "--draws", "60", "--backend", "numpy")
    assert (code, err) == (0, "")
    rows = np.array(
        [[float(x) for x in line.split()] for line in out if re.match(r" *\d+ +0\.|  1[0-5] ", line)]
    )
    d, share, law, best, trained = rows.T
    assert d.tolist() == list(range(1, 16))
    assert np.allclose(law, np.maximum(0, 1 - d / 10))
    sd = np.sqrt(d * np.maximum(10 - d, 0) / 600 / 60)
    assert (np.abs(share - law) <= 4 * sd + 1e-4).all()
    assert (best[d >= 10] > 0.9999).all()
    assert (best[d < 8] < 0.1).all()
    assert (trained[d >= 11] > 0.99).all()
    text = "\n".join(out)
    assert "d_int100 = 10" in text
    assert "These draws agree" in text
    if find_spec("matplotlib"):
        names = [p.name for p in sorted((tmp_path / "results" / "toy-dense").iterdir())]
        assert names == ["phase.png", "phase.svg", "toy.png", "toy.svg"]


def test_toy_says_that_fastfood_without_signs_is_not_isotropic(cli, monkeypatch):
    monkeypatch.setattr(COMMANDS["toy"], "STEPS", 5)
    argv = ("toy", "--projection", "fastfood", "--blocks", "single", "--draws", "60", "--backend", "numpy")
    with_signs, without = "\n".join(cli(*argv)[1]), "\n".join(cli(*argv, "--no-signs")[1])
    assert "These draws agree" in with_signs
    assert "These draws do NOT agree, so this P is not isotropic" in without
    assert "toy-fastfood-single-no-signs" in without or not find_spec("matplotlib")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "seed is -1: 0 ≤ seed ≤ 2147483647 is needed"),
        (["--no-signs"], "--no-signs and --blocks are options of Fastfood, but --projection is dense: "),
        (["--projection", "sparce"], "unknown projection 'sparce'"),
        (["--projection", "fastfood", "--blocks", "stack"], "unknown blocks 'stack'"),
        (
            ["--projection", "sparse", "--blocks", "single"],
            "but --projection is sparse: --projection fastfood",
        ),
    ],
)
def test_toy_refuses_what_it_cannot_do(cli, tmp_path, options, message):
    code, _, err = cli("toy", *options)
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert message in err


def test_toy_works_without_matplotlib(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out, _ = cli("toy", "--draws", "2", "--backend", "numpy")
    assert code == 0
    assert out[-1] == "plot  none: plots need matplotlib: pip install 'npintdim[plot]', then run it again"


# --- check


@pytest.mark.parametrize(
    "projection",
    [
        ["fastfood"],
        ["sparse"],
        ["dense"],
        ["fastfood", "--option", "blocks=single"],
        ["dense", "--option", "stored=False"],
    ],
)
def test_check_passes(cli, projection):
    code, out, err = cli("check", *SMALL, "--d", "40", "--projection", *projection)
    assert (code, err) == (0, "")
    rows = [line for line in out if line.endswith("  ok")]
    assert [row.split(":")[0] for row in rows] == ["P"] * 3 + ["network"] * 3 + ["subspace"] * 3
    assert out[-1] == "all checks passed"


def test_check_finds_a_wrong_adjoint(cli, monkeypatch):
    adjoint = FastfoodProjection.adjoint
    monkeypatch.setattr(FastfoodProjection, "adjoint", lambda P, g: adjoint(P, g) * (1 + 1e-5))
    code, out, _ = cli("check", *SMALL, "--d", "40")
    assert code == 1
    failed = [line.split("  ")[0] for line in out if "  FAILED: " in line]
    assert failed == [
        "P: <P v, g> = <v, P' g>",
        "P: entry by entry, 300 x 20",
        "subspace: gradient . v = difference",
    ]
    assert out[-1] == "FAILED: 3"


def test_check_finds_a_wrong_gradient_and_columns_that_are_not_unit(cli, monkeypatch):
    apply, backward = FastfoodProjection.apply, nid.ReLU.backward
    monkeypatch.setattr(FastfoodProjection, "apply", lambda P, v: apply(P, v) * 1.05)

    def without_mask(self, backend, params, cache, dy, need_dx=True):
        return dy, backward(self, backend, params, cache, dy, need_dx)[1]

    monkeypatch.setattr(nid.ReLU, "backward", without_mask)
    code, out, _ = cli("check", *SMALL, "--d", "40")
    assert code == 1
    failed = [line.split(":")[0] for line in out if "  FAILED: " in line]
    assert failed == ["P", "P", "P", "network", "subspace"]


# --- compress and evaluate


def test_compress_makes_the_file_of_the_measurement_again(cli, measurement, tmp_path):
    code, out, err = cli("compress", measurement, "--backend", "numpy", "--out", tmp_path / "again.npid")
    assert (code, err) == (0, "")
    assert (tmp_path / "again.npid").read_bytes() == (measurement / "d_int90.npid").read_bytes()
    kept = json.loads((measurement / "summary.json").read_text())["compressed"]
    assert f"{kept['bytes']:,} bytes instead of" in out[0]
    assert out[1] == f"test performance {kept['performance']:.4f} on digits, after decoding"


@pytest.mark.parametrize("command", ["compress", "certify"])
def test_a_network_of_a_measurement_is_computed_as_it_was_measured(cli, measurement, command):
    code, out, err = cli(command, measurement, "--dtype", "float64")
    assert (code, out) == (2, [])
    assert err == f"npintdim: error: --dtype is float64, and {measurement} was measured in float32\n"
    assert cli(command, measurement, "--dtype", "float32")[0] == 0


def test_compress_another_d_and_a_single_record(cli, measurement, tmp_path):
    assert "d = 20, seed 0" in cli("compress", measurement, "--d", "20")[1][0]
    code, out, _ = cli("compress", measurement, "--d", "20", "--repetition", "1")
    assert code == 0
    assert "d = 20, seed 1" in out[0]
    by_folder = (measurement / "d20-seed1.npid").read_bytes()
    records = {p: json.loads(p.read_text())["spec"] for p in (measurement / "runs").glob("*.json")}
    record = next(p for p, spec in records.items() if (spec.get("d"), spec["seed"]) == (20, 1))
    assert cli("compress", record, "--out", tmp_path / "one.npid")[0] == 0
    assert (tmp_path / "one.npid").read_bytes() == by_folder
    direct = next(p for p, spec in records.items() if "d" not in spec)
    code, _, err = cli("compress", direct)
    assert (code, err) == (
        2, "npintdim: error: a direct run has no theta_d: only a run in a subspace can be compressed\n"
    )  # fmt: skip


def test_compress_takes_the_runs_of_the_recipe_that_was_measured_last(cli, measurement, tmp_path):
    """Both are there with the same d and seed, and with other learning rates."""
    shutil.copytree(measurement, tmp_path / "m")
    theta = {}
    for lr in ("0.1", "0.05"):
        assert cli(*MEASURE, "--lr", lr, "--out", "m")[0] == 0
        assert cli("compress", "m", "--d", "20", "--backend", "numpy", "--out", f"{lr}.npid")[0] == 0
        theta[lr] = CompressedModel.load(f"{lr}.npid", backend=nid.get_backend("numpy")).theta_d
        with Path("m/results.csv").open(newline="") as file:
            (key,) = [row["key"] for row in csv.DictReader(file) if (row["d"], row["seed"]) == ("20", "0")]
        assert (theta[lr] == np.load(f"m/runs/{key}.npy")).all()
    assert (theta["0.1"] != theta["0.05"]).any()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--d", "21"), r"has no finished run with d = 21; it has d = 20, 100, 200$"),
        (("--d", "20", "--repetition", "7"), r"has no finished repetition 7 at d = 20; it has 0, 1$"),
        (("--repetition", "7"), r"has no finished repetition 7 at d = \d+; it has 0, 1$"),
    ],
)
def test_compress_says_what_there_is(cli, measurement, options, says):
    code, _, err = cli("compress", measurement, *options)
    assert code == 2
    assert re.search(says, err.strip()), err


@pytest.mark.parametrize("command", ["toy", "compress"])
def test_a_place_that_cannot_be_written_to_is_found_before_the_work(
    cli, measurement, tmp_path, monkeypatch, command
):
    (tmp_path / "file").write_text("")

    def work(*args, **kwargs):
        raise AssertionError("the work has begun")

    monkeypatch.setattr(COMMANDS["toy"], "explore", work)
    monkeypatch.setattr(COMMANDS["compress"], "compress_run", work)
    source, out = ([measurement], "file/a.npid") if command == "compress" else ([], "file")
    code, _, err = cli(command, *source, "--out", out)
    assert (code, len(err.splitlines())) == (2, 1)
    needed = (
        "--out is file/a.npid: there is no folder " if source else "the results cannot be written to file: "
    )
    assert f"npintdim: error: {needed}" in err


def test_compress_into_a_folder_or_without_its_data_writes_nothing(cli, measurement, tmp_path, monkeypatch):
    assert "--out is .: that is a folder" in cli("compress", measurement, "--out", ".")[2]

    def no_data(*args):
        raise ValueError("the data are gone")

    monkeypatch.setattr(COMMANDS["compress"], "load_data", no_data)
    assert "the data are gone" in cli("compress", measurement, "--out", "a.npid")[2]
    assert (
        "--out is below/a.npid: there is no folder "
        in cli("compress", measurement, "--out", "below/a.npid")[2]
    )
    assert list(tmp_path.iterdir()) == []


def test_the_number_of_jobs_is_refused_before_anything_is_said(cli):
    assert cli("measure", "--jobs", "-2") == (2, [], "npintdim: error: jobs is -2: jobs ≥ 1 is needed\n")


def test_compress_of_an_incomplete_measurement_asks_for_d(cli, tmp_path):
    (tmp_path / "m" / "runs").mkdir(parents=True)
    code, _, err = cli("compress", "m")
    assert (code, err) == (2, "npintdim: error: m: the measurement is not complete; say which run with --d\n")
    (tmp_path / "m" / "summary.json").write_text('{"compressed": null}')
    assert "m: no d is above the line; say which run with --d" in cli("compress", "m")[2]


def test_evaluate_refuses_a_damaged_file(cli, measurement, tmp_path):
    content = (measurement / "d_int90.npid").read_bytes()
    (tmp_path / "cut.npid").write_bytes(content[:-5])
    code, _, err = cli("evaluate", "cut.npid")
    assert code == 2
    assert err.startswith("npintdim: error: cut.npid: truncated: ")


def test_evaluate_on_data_of_another_shape(cli, measurement, tmp_path):
    net = nid.mlp([30, 10], nid.get_backend("numpy"))
    P = nid.make_projection("dense", net.D, 3, 0, net.backend)
    CompressedModel.from_parts(net, 0, P, np.ones(3)).save(tmp_path / "net.npid")
    code, _, err = cli("evaluate", "net.npid")
    assert code == 2
    assert err == (
        "npintdim: error: net.npid is a network for inputs of shape (30,), but digits has (1, 8, 8): "
        "which --data was it trained on?\n"
    )


@pytest.mark.parametrize("name", ["nofile", "."])
def test_evaluate_of_no_file_says_what_is_needed(cli, name):
    code, _, err = cli("evaluate", name)
    assert (code, err) == (
        2, f"npintdim: error: there is no file {name}: one that measure, compress or train --save made is needed\n"
    )  # fmt: skip


def test_deprecations_in_other_packages_are_not_told(capsys):
    """Matplotlib 3.9 beside a newer pyparsing: a line for every letter of a plot."""

    class Both(UserWarning, DeprecationWarning):
        pass

    one_line("'oneOf' deprecated - use 'one_of'", Both, "file", 1)
    one_line("the disk is slow", UserWarning, "file", 1)
    assert capsys.readouterr().err == "npintdim: warning: the disk is slow\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is a device of Linux")
def test_a_full_or_closed_stdout_is_one_line(tmp_path, cli, monkeypatch):
    call = [sys.executable, "-m", "npintdim", "info"]
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=60)
    said = "npintdim: error: the output cannot be written: No space left on device\n"
    assert (found.returncode, found.stderr) == (2, said)
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)
        assert main(["info"]) == 2
        closed.setattr(sys, "stderr", None)
        assert main(["info"]) == 2


def test_an_error_of_the_system_names_the_file_first(cli, monkeypatch):
    def run(args):
        raise FileNotFoundError(2, "No such file or directory", "theta.npy")

    monkeypatch.setattr(COMMANDS["info"], "run", run)
    assert cli("info")[2] == "npintdim: error: theta.npy: No such file or directory\n"


# --- info


def test_info_says_what_is_there(cli, monkeypatch):
    monkeypatch.setenv("NPINTDIM_DATA", "/some/folder")
    code, out, err = cli("info")
    assert (code, err) == (0, "")
    text = "\n".join(out)
    assert f"npintdim   {nid.__version__}, random numbers philox4x32-10/normal-grid-20/1" in text
    assert f"NumPy {np.__version__}" in text
    assert "backend    numpy: yes" in text
    assert re.search(r"^threads    \d+ cores", text, re.MULTILINE)
    assert "data       NPINTDIM_DATA = /some/folder" in text
    assert "data       digits, mnist, fashion-mnist, kmnist, cifar10; NAME+shuffled-pixels or " in text
    assert re.search(r"^optional   joblib: ", text, re.MULTILINE)


def test_info_says_how_many_threads_are_used_where(cli):
    pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed: it is optional")
    for threads in (1, 2):
        lines = [line for line in cli("info", "--threads", str(threads))[1] if line.startswith("threads")]
        assert f"here {threads}:" in lines[0]
        assert lines[1] == f"threads    backend numba: {threads}" or threads == 2
        assert (f"backend numba: {threads}, but 1 where" in lines[1]) == (threads == 2)
        assert all(line.endswith(f": {threads}") for line in lines if "BLAS" in line)


def test_info_says_what_is_missing_and_how_to_get_it(cli, monkeypatch):
    info = sys.modules["npintdim.cli.info"]
    monkeypatch.delenv("NPINTDIM_DATA", raising=False)
    for package in (*info.EXTRAS, "cupy"):
        monkeypatch.setitem(sys.modules, package, None)
    text = "\n".join(cli("info")[1])
    assert "backend    numpy: yes, the default" in text
    assert "backend    numba: backend 'numba' needs the numba package: pip install 'npintdim[numba]'" in text
    assert "backend    cupy: backend 'cupy' needs CuPy" in text
    assert "optional   matplotlib: not installed, pip install 'npintdim[plot]'" in text
    assert "data       NPINTDIM_DATA is not set: the cache, then a download" in text
