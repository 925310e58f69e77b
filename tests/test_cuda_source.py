"""The CUDA source compiled by nvcc: nothing fused where bits are promised, and every constant to the last bit."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from npintdim import kernels
from npintdim.kernels.reference.normals import LN2, SQRT_HALF, TWO_SD, A, B, C, D

NVCC = shutil.which("nvcc")
FOLDER = Path(kernels.__file__).with_name("cuda")
pytestmark = pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")


def ptx(folder, file, real, *options):
    out = folder / "kernels.ptx"
    macros = f"-DREAL={real}", "-DTHREADS=128", "-DTILE=2048"
    warnings = "-Werror", "all-warnings"
    command = (
        NVCC,
        "-ptx",
        "-arch=compute_80",
        "--std=c++17",
        *warnings,
        *macros,
        *options,
        FOLDER / file,
        "-o",
        out,
    )
    subprocess.run(command, check=True)
    return out.read_text()


@pytest.mark.parametrize("real", ["float", "double"])
def test_exact_kernels_hold_no_fused_multiply_add(tmp_path, real):
    text = ptx(tmp_path, "exact.cu", real, "--fmad=false")
    assert "mul.rn.f64" in text or "mul.f64" in text
    assert "fma." not in text
    assert "mad.f" not in text
    for approximate in ("approx", ".ftz", "div.full"):
        assert approximate not in text


def test_without_the_option_they_would(tmp_path):
    assert "fma.rn.f64" in ptx(tmp_path, "exact.cu", "double", "--fmad=true")


@pytest.mark.parametrize("real", ["float", "double"])
def test_fast_kernels_compile(tmp_path, real):
    assert ".entry spread_windows" in ptx(tmp_path, "fast.cu", real)


def test_the_constants_of_the_quantile_and_the_logarithm_are_the_reference_s(tmp_path):
    text = ptx(tmp_path, "exact.cu", "double", "--fmad=false").lower()
    constants = {*A, *B, *C, *D, SQRT_HALF, LN2, TWO_SD}
    constants |= {1.0 / (2 * i + 1) for i in range(11)}
    missing = [c for c in constants if f"0d{struct.pack('>d', c).hex()}" not in text]
    assert not missing


def test_the_package_asks_for_what_is_tested_here():
    text = (FOLDER / "launch.py").read_text()
    assert '"exact.cu": ("--fmad=false",)' in text
    assert '"--std=c++17"' in text
