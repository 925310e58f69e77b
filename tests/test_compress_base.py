"""A fine-tuned network in a file that names its pre-trained θ_0 by its sha256: versions 5 to 8 (docs/format.md)."""

import hashlib
import json
import pickle
import re

import format_from_the_page as page
import numpy as np
import pytest
from helpers import BACKENDS

import npintdim as nid
from npintdim.artefact.base import read_base, write_base
from npintdim.artefact.fileformat import FormatError, MissingBaseError
from npintdim.artefact.mdl import certify, describe, quantise
from npintdim.measurement import runs
from npintdim.measurement.content import content_of
from npintdim.measurement.measure import base_beside, compress_run
from npintdim.measurement.runs import RunSpec, begin
from npintdim.testing import check_gradient

NUMPY = nid.get_backend("numpy")
D = 53  # of 6-5-3
BASE = ((np.arange(D) * 7 % 11 - 5) / 8).astype(np.float32)
HASH = hashlib.sha256(BASE.tobytes()).hexdigest()
U = (np.arange(20, dtype=np.float32) - 9.5) / 16


def made(kind, backend=NUMPY, base=BASE):
    """Fine-tuned from the base: d = 20 in a subspace, or LoRA of rank 1, moved by known numbers."""
    net = nid.mlp([6, 5, 3], backend)
    if kind == "fastfood":
        P = nid.make_projection(kind, D=D, d=20, seed=1, backend=backend)
        return nid.CompressedModel.from_parts(net, None, P, U, base)
    T = nid.make_adapter(kind, net.layout, backend.send(base, backend.dtype), 1, backend, r=1)
    v = backend.host(T.start()) + np.resize(U, T.dim)
    return nid.CompressedModel.from_parts(net, None, T, v, base)


FILES = {
    5: lambda backend=NUMPY: made("fastfood", backend),
    6: lambda backend=NUMPY: quantise(made("fastfood", backend), "uniform", 5),
    7: lambda backend=NUMPY: made("lora", backend),
    8: lambda backend=NUMPY: quantise(made("lora", backend), "free", 4),
}
GOLDEN = {
    5: "0a14c710e98254455167eb0a0964acddb7e908ae57259b03309703ee53bdd36e",
    6: "db0e1bca1f3d495504d61b4f2790dae49cfefbef2b08ac61e70d9c5d03ea6033",
    7: "76d4f488ce59dccd6192480e061cabeb71ab1f9544e860f6d6ac858cd2579fc9",
    8: "c3a2f012212877f3ace037aece4ddc6096c5af2a64b7c313b0324fdad955b0b7",
}  # sha256 of the file


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("version", FILES)
def test_a_file_names_its_base(version, backend, tmp_path):
    backend = nid.get_backend(backend)
    one = FILES[version](backend)
    data = one.to_bytes()
    assert hashlib.sha256(data).hexdigest() == GOLDEN[version]
    assert data[8] == version and one.header()["theta_0"] == HASH and "theta_0_seed" not in one.header()
    assert BASE.tobytes() not in data and len(data) < 4 * D + 400
    one.save(tmp_path / "net.npid")
    again = nid.CompressedModel.load(tmp_path / "net.npid", backend=backend, base=BASE)
    assert again.theta().tobytes() == one.theta().tobytes() and again.to_bytes() == data
    assert again.reread().theta_sha256 == pickle.loads(pickle.dumps(again)).theta_sha256 == one.theta_sha256
    assert f"base {HASH}" in one._repr_html_()


@pytest.mark.parametrize("version", FILES)
def test_a_reader_written_from_the_page_decodes_it(version, tmp_path):
    one = FILES[version]()
    one.save(tmp_path / "net.npid")
    parts = page.read(tmp_path / "net.npid")
    assert page.decode(parts, BASE.tobytes()) == one.theta().astype("<f4").tobytes()
    assert page.fingerprint(parts, BASE.tobytes()) == parts["fingerprint"]


def test_theta_is_base_plus_P_theta_d():
    one = made("fastfood")
    exact = nid.get_backend("numpy", "float64")
    P = nid.make_projection("fastfood", D=D, d=20, seed=1, backend=exact)
    np.testing.assert_allclose(one.theta(), BASE + P.apply(U.astype(float)), rtol=1e-6)
    nothing = nid.CompressedModel.from_parts(nid.mlp([6, 5, 3], NUMPY), None, P, np.zeros(20), BASE)
    assert nothing.theta().tobytes() == BASE.tobytes()


def test_the_base_stays_what_was_hashed():
    """Whoever writes to the array that was given changes nothing, and nobody can write to the one that is kept."""
    given = BASE.copy()
    one = made("fastfood", base=given)
    given[0] += 1
    assert not one.base.flags.writeable and one.header()["theta_0"] == HASH
    assert one.reread().theta_sha256 == one.theta_sha256


@pytest.mark.parametrize("version", [5, 7])
def test_training_goes_on(version):
    one = FILES[version]()
    objective = one.objective(nid.get_backend("numpy", "float64"))
    u = one.theta_d.astype(float)
    np.testing.assert_allclose(objective.theta(u), one.theta(), atol=3e-6)
    batch = nid.Batch(np.random.default_rng(1).normal(size=(8, 6)), np.arange(8) % 3)
    check_gradient(lambda u: objective.loss_and_grad(u, batch), u)


# ---- refused ----
OTHER = BASE + np.float32(1)


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        (
            None,
            MissingBaseError,
            rf"its theta_0 is a pre-trained one with the sha256 {HASH}: the base is needed",
        ),
        (OTHER, FormatError, rf"its theta_0 has the sha256 {HASH}, but the base that is given has "),
        (BASE[:-1], ValueError, r"base has shape \(52,\), but the model has D = 53: \(53,\) is needed"),
        (BASE.astype(float), TypeError, r"base has dtype float64: float32 is needed"),
        (np.where(np.arange(D) == 3, np.float32(np.nan), BASE), ValueError, "base holds NaN or infinity"),
    ],
)
@pytest.mark.parametrize("version", [5, 8])
def test_what_is_not_the_base_is_refused(version, base, error, message, tmp_path):
    FILES[version]().save(tmp_path / "net.npid")
    with pytest.raises(error, match=message):
        nid.CompressedModel.load(tmp_path / "net.npid", base=base)


def test_a_base_that_nobody_asks_for_is_refused(tmp_path):
    net = nid.mlp([6, 5, 3], NUMPY)
    P = nid.make_projection("fastfood", D=D, d=20, seed=1)
    nid.CompressedModel.from_parts(net, 0, P, U).save(tmp_path / "seed.npid")
    with pytest.raises(ValueError, match="a base is given, but the file draws its theta_0 from a seed"):
        nid.CompressedModel.load(tmp_path / "seed.npid", base=BASE)
    with pytest.raises(ValueError, match="theta_0_seed is 0 and a base is given: one of the two is theta_0"):
        nid.CompressedModel.from_parts(net, 0, P, U, BASE)
    with pytest.raises(TypeError, match="theta_0_seed is None"):
        nid.CompressedModel.from_parts(net, None, P, U)
    T = nid.make_adapter("lora", net.layout, BASE, 1, NUMPY, r=1)
    with pytest.raises(ValueError, match="theta_0 of T is not base"):
        nid.CompressedModel.from_parts(net, None, T, T.start(), OTHER)


@pytest.mark.parametrize("named", [HASH.upper(), HASH[:-2], "no hex", 7])
def test_a_name_that_is_no_hash_is_refused(named, tmp_path, monkeypatch):
    one = FILES[5]()
    header = one.header() | {"theta_0": named}
    monkeypatch.setattr(nid.CompressedModel, "header", lambda self: header)
    (tmp_path / "net.npid").write_bytes(one.to_bytes())
    with pytest.raises(FormatError, match="its header is wrong"):
        nid.CompressedModel.load(tmp_path / "net.npid", base=BASE)


def test_there_is_no_certificate_for_what_was_learnt_before():
    rng = np.random.default_rng(0)
    data = nid.Dataset(
        "mine",
        *(nid.Batch(rng.normal(size=(30, 6)).astype("f4"), np.arange(30) % 3) for _ in range(2)),
        classes=3,
    )
    for call in (describe, lambda one: certify(one, data)):
        with pytest.raises(ValueError, match="no certificate: theta_0 was learnt, and no bit pays for that"):
            call(FILES[6]())


# ---- files of a base ----
def test_a_base_is_read_from_npy_and_npid(tmp_path):
    assert write_base(tmp_path / "base.npy", BASE) == (tmp_path / "base.npy").stat().st_size
    assert read_base(tmp_path / "base.npy").tobytes() == BASE.tobytes()
    P = nid.make_projection("fastfood", D=D, d=20, seed=1)
    first = nid.CompressedModel.from_parts(nid.mlp([6, 5, 3], NUMPY), 0, P, U)
    first.save(tmp_path / "first.npid")
    assert read_base(tmp_path / "first.npid").tobytes() == first.theta().tobytes()
    assert made("fastfood", base=first.theta()).header()["theta_0"] == first.theta_sha256
    np.save(tmp_path / "double.npy", BASE.astype(float))
    (tmp_path / "text.npy").write_text("1 2 3")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "base.npy").read_bytes()[:-1])
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04 a zip that was cut off")
    np.savez(tmp_path / "many.npz", BASE)
    np.save(tmp_path / "big.npy", BASE.astype(">f4"))
    for name in ("double.npy", "text.npy", "cut.npy", "zip.npy", "many.npz", "big.npy"):
        with pytest.raises(
            ValueError, match=r"base is .*: a .npy of all D numbers of theta_0 in float32"
        ) as told:
            read_base(tmp_path / name)
        assert "pickle" not in str(told.value) and "Attribute" not in str(told.value)
    first.save(tmp_path / "first")  # known by its first bytes
    assert read_base(tmp_path / "first").tobytes() == first.theta().tobytes()
    made("fastfood").save(tmp_path / "fine-tuned.npid")
    with pytest.raises(
        ValueError, match=r"base is .*fine-tuned.npid, which only names the pre-trained theta_0"
    ):
        read_base(tmp_path / "fine-tuned.npid")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        read_base(tmp_path / "none.npy")


NET = {"architecture": "mlp", "sizes": [64, 8, 10]}


def test_a_run_begins_at_the_file(tmp_path):
    model = nid.mlp([64, 8, 10], NUMPY)
    theta = np.linspace(-1, 1, model.D, dtype=np.float32)
    path = tmp_path / "base.npy"
    write_base(path, theta)
    spec = RunSpec("digits", NET, {"kind": "fastfood"}, 5, pretrained={"file": str(path)})
    assert begin(spec.check(), model).tobytes() == theta.tobytes()
    before = content_of("digits", NET, pretrained=spec.pretrained)["pretrained"]
    write_base(path, theta + 1)
    assert content_of("digits", NET, pretrained=spec.pretrained)["pretrained"] != before
    write_base(path, theta[1:])
    with pytest.raises(
        ValueError, match=rf"base has shape \({model.D - 1},\), but the model has D = {model.D}"
    ):
        begin(spec, model)
    with pytest.raises(ValueError, match=r"\{'file': path\} alone is needed"):
        RunSpec("digits", NET, {"kind": "fastfood"}, 5, pretrained={"file": "x.npy", "epochs": 3}).check()


def test_an_interrupted_pretraining_interrupts(monkeypatch):
    """It is no matter of its rate, and what it has learnt so far is no θ_0."""
    spec = RunSpec("digits", NET, {"kind": "fastfood"}, 5, pretrained={"data": "digits+classes=0-4"}, seed=77)
    for status, error in (("interrupted", KeyboardInterrupt), ("diverged", ValueError)):
        monkeypatch.setattr(runs, "run", lambda *_, status=status: ({"status": status}, np.zeros(1)))
        with pytest.raises(error):
            begin(spec, nid.mlp([64, 8, 10], NUMPY))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("T", ["fastfood", "lora"])
def test_a_measurement_keeps_the_file_and_its_base(T, dtype, tmp_path):
    how = {"projection": {"kind": T}} if T == "fastfood" else {"parametrisation": {"kind": T}}
    recipe = nid.Recipe(
        "digits", NET, (90,), seeds=1, direct_seeds=1, epochs=10, fraction=0.5,
        pretrained={"data": "digits+classes=0-4", "epochs": 1}, optimizer=nid.Adam(0.03).spec(),
        direct_optimizer=nid.Adam(0.01).spec(), **how,
    )  # fmt: skip
    backend = nid.get_backend("numpy", dtype, 1)
    m = nid.measure(recipe, tmp_path, backend=backend, jobs=1, progress=False)
    kept = nid.CompressedModel.load(
        tmp_path / m.compressed["file"], base=read_base(base_beside(tmp_path / m.compressed["file"]))
    )
    run = next(r for r in m.records if "d" in r["spec"])
    assert m.compressed["performance"] == pytest.approx(run["performance"], abs=0.01)
    again = compress_run(tmp_path, RunSpec.from_spec(run["spec"]), backend)
    assert again.theta_sha256 == kept.theta_sha256 and again.header() == kept.header()


def test_another_base_than_the_runs_began_at_is_not_taken_for_it(tmp_path):
    """Neither the file of θ_0 nor that of the data which it learnt may have changed when a run is compressed later."""
    D, digits = nid.mlp([64, 8, 10], NUMPY).D, nid.load_dataset("digits").train
    path, data = tmp_path / "a+b.npy", tmp_path / "mine.npz"
    for changed, pretrained in ((path, {"file": str(path)}), (data, {"data": str(data), "epochs": 1})):
        write_base(path, np.zeros(D))
        np.savez(data, x=digits.x[:200], y=digits.labels[:200])
        how = {"seeds": 1, "direct_seeds": 1, "epochs": 1, "threshold": 0.01}
        recipe = nid.Recipe("digits", NET, (5,), pretrained=pretrained, **how)
        m = nid.measure(recipe, tmp_path / "runs", backend=NUMPY, jobs=1, progress=False)
        spec = RunSpec.from_spec(next(r["spec"] for r in m.records if "d" in r["spec"]))
        assert compress_run(m.folder, spec, NUMPY).base is not None
        write_base(path, np.ones(D))
        np.savez(data, x=1 - digits.x[:200], y=digits.labels[:200])
        with pytest.raises(
            ValueError, match=rf"{re.escape(str(changed))} changed since the runs in .*: the theta_0 "
        ):
            compress_run(m.folder, spec, NUMPY)


SMALL = ("--backend", "numpy", "--quiet", "--model", "64-8-10", "--epochs", "2")


def test_commands(cli, tmp_path, monkeypatch):
    """Pre-train, fine-tune from it, test, quantise; each asks for the base, and no certificate is given."""
    monkeypatch.chdir(tmp_path)
    code, out, _ = cli("train", *SMALL, "--data", "digits+classes=0-4", "--save", "base.npy")
    assert code == 0 and any("all of theta: --base base.npy goes on from it" in line for line in out)
    task = ("--data", "digits+classes=5-9")
    lora = ("--parametrisation", "lora", "--d", "90")
    code, out, _ = cli("train", *SMALL, *task, *lora, "--base", "base.npy", "--save", "l.npid")
    assert code == 0
    told = next(line for line in out if line.startswith("l.npid")).rpartition("performance ")[2].split()[0]
    code, out, _ = cli("evaluate", "l.npid", "--base", "base.npy", *task, "--backend", "numpy")
    assert code == 0 and "pre-trained theta_0, T seed" in out[1] and f"performance {told}" in out[2]
    assert (
        cli("quantise", "l.npid", "--base", "base.npy", "--levels", "9", *task, "--backend", "numpy")[0] == 0
    )
    size = (tmp_path / "l-K9.npid").stat().st_size
    assert size < (tmp_path / "l.npid").stat().st_size < 4 * 612
    for command in ("evaluate", "quantise"):
        code, _, err = cli(command, "l.npid", *task, "--backend", "numpy")
        assert code == 2 and len(err.splitlines()) == 1 and "the base is needed" in err
    code, _, err = cli("certify", "l-K9.npid", *task, "--backend", "numpy")
    assert code == 2 and "l-K9.npid: no certificate: theta_0 was learnt" in err
    how = ("--d", "90", "--seeds", "1", "--fraction", ".5", "--direct-lr", ".01", "--epochs", "10")
    code, out, _ = cli("measure", *SMALL, *how, "--base", "base.npy")
    assert code == 0
    folder = next((tmp_path / "results").iterdir())
    assert folder.name.endswith("-base") and json.loads((folder / "summary.json").read_text())["compressed"]
    code, out, _ = cli("compress", str(folder), "--out", "again.npid", "--backend", "numpy")
    assert code == 0 and any("again-base.npy: the pre-trained theta_0 that it names" in line for line in out)
    for theta in (b"of somebody", (tmp_path / "base.npy").read_bytes()[:-1] + b"?"):
        (tmp_path / "mine-base.npy").write_bytes(theta)
        code, _, err = cli("compress", str(folder), "--out", "mine.npid", "--backend", "numpy")
        assert code == 2 and "goes to mine-base.npy, and that holds another" in err
        assert (tmp_path / "mine-base.npy").read_bytes() == theta and not (tmp_path / "mine.npid").exists()
    code, _, err = cli("certify", str(folder), "--backend", "numpy")
    assert code == 2 and f"error: {folder}: no certificate: theta_0 was learnt" in err
    code, _, err = cli("train", *SMALL, *task, "--base", "none.npy", "--d", "5")
    assert code == 2 and "base is none.npy: there is no such file" in err
    network = folder / json.loads((folder / "summary.json").read_text())["compressed"]["file"]
    base, kept = tmp_path / "base.npy", base_beside(network)
    before = base.read_bytes(), kept.read_bytes()
    for argv, why in (
        (("--save", "./base.npy"), "the base that is read"),
        (("--d", "5", "--save", "base.npy"), "the base that is read"),
        (("--save", str(kept)), "a measurement keeps that file"),
        (("--d", "5", "--save", str(network)), "a measurement keeps that file"),
    ):
        code, _, err = cli("train", *SMALL, *task, "--base", "base.npy", *argv)
        assert code == 2 and len(err.splitlines()) == 1 and "--save is" in err and why in err
    assert (base.read_bytes(), kept.read_bytes()) == before
    code, _, err = cli("train", *SMALL, *task, "--save", "x.npid")
    assert code == 2 and "--save needs --d: only a run in a subspace can be compressed" in err
