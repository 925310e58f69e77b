"""The CUDA source compiled by nvcc: nothing fused where bits are promised, and every constant to the last bit."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from npintdim import kernels
from npintdim.kernels.purpose import Purpose
from npintdim.kernels.reference.normals import (
    CENTRAL_DENOMINATOR,
    CENTRAL_NUMERATOR,
    LN2,
    SQRT_HALF,
    TAIL_DENOMINATOR,
    TAIL_NUMERATOR,
    TWO_SD,
)

NVCC = shutil.which("nvcc")
FOLDER = Path(kernels.__file__).with_name("cuda")
pytestmark = pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")


def ptx(folder, file, real, *options):
    out = folder / "kernels.ptx"
    macros = f"-DREAL={real}", "-DTHREADS=128", "-DTILE=2048", *(f"-D{p.name}={p.value}" for p in Purpose)
    strict = "--std=c++17", "-Werror", "all-warnings"
    command = [NVCC, "-ptx", "-arch=compute_80", *strict, *macros, *options, FOLDER / file, "-o", out]
    subprocess.run(command, check=True)
    return out.read_text()


@pytest.mark.parametrize("real", ["float", "double"])
def test_exact_kernels_hold_no_fused_multiply_add(tmp_path, real):
    text = ptx(tmp_path, "exact.cu", real, "--fmad=false")
    operations = set(re.findall(r"\b(?:add|sub|mul|div|sqrt|fma|mad)\.[a-z0-9.]*f(?:32|64)\b", text))
    assert operations >= {"add.rn.f64", "sub.rn.f64", "mul.rn.f64", "div.rn.f64", "sqrt.rn.f64"}
    # An operation without .rn is one that the assembler may fuse after all.
    assert not [name for name in operations if ".rn." not in name]
    assert not re.search(r"fma|ftz|approx", text)


@pytest.mark.parametrize("file", ["exact.cu", "fast.cu"])
def test_no_kernel_adds_floating_point_numbers_in_an_order_of_chance(tmp_path, file):
    text = ptx(tmp_path, file, "float")
    assert not re.search(r"\b(?:atom|red)\.[a-z.]*add\.[a-z.]*f(?:32|64)", text)


def test_without_the_option_they_would(tmp_path):
    text = ptx(tmp_path, "exact.cu", "double", "--fmad=true")
    assert "fma.rn.f64" in text


@pytest.mark.parametrize("real", ["float", "double"])
def test_fast_kernels_compile(tmp_path, real):
    assert ".entry spread_windows" in ptx(tmp_path, "fast.cu", real)


def test_the_constants_of_the_quantile_and_the_logarithm_are_the_reference_s(tmp_path):
    text = ptx(tmp_path, "exact.cu", "double", "--fmad=false").lower()
    constants = {*CENTRAL_NUMERATOR, *CENTRAL_DENOMINATOR, *TAIL_NUMERATOR, *TAIL_DENOMINATOR}
    constants |= {SQRT_HALF, LN2, TWO_SD, *(1.0 / (2 * i + 1) for i in range(11))}
    missing = [c for c in constants if f"0d{struct.pack('>d', c).hex()}" not in text]
    assert not missing


def test_the_package_asks_for_what_is_tested_here():
    text = (FOLDER / "launch.py").read_text()
    assert '"exact.cu": ("--fmad=false",)' in text
    assert '"--std=c++17"' in text
