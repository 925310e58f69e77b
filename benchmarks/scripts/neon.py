"""What the hot loops become where registers are of 128 bits (NEON), read from assembly for such a processor: nothing is run.

    python -m benchmarks.scripts.neon                       # Arm's Neoverse N1
    python -m benchmarks.scripts.neon apple-m1 float64      # another processor, another dtype
    python -m benchmarks.scripts.neon neoverse-n1 float32 "Fastfood: permutation"    # with the loop itself

Numba of this process is given a target machine of aarch64 instead of its own, so that its passes and LLVM's choose as
they would there; the kernels find no AVX and take the constants of narrow registers. A line is the innermost loop of a
kernel, or the function where there is none: instructions on vectors (of which multiply-adds), on single floats, loads
and stores of whole registers and of less, those that go to the stack, and calls. A tile that does not fit in 32
registers shows in the stack's column.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
from numba.core import codegen, registry, types
from numba.np.numpy_support import from_dtype

TRIPLE = "aarch64-unknown-linux-gnu"
KERNELS = "npintdim.kernels."
ENDS = ("b\t", "br\t", "ret")  # nothing follows them
JUMPS = (*ENDS, "b.", "cbz", "cbnz", "tbz", "tbnz")


def compile_for(processor: str) -> None:
    """Let Numba, from here on, compile for another processor; what is compiled cannot be called."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(TRIPLE)
    own: Any = registry.cpu_target.target_context.codegen()
    own._tm = target.create_target_machine(processor, opt=3, codemodel="jitdefault", jit=True)
    own._tm_features, own._data_layout = "+neon", str(own._tm.target_data)
    patched: Any = codegen
    patched.ll.get_process_triple = lambda: TRIPLE
    patched.JITCPUCodegen._add_module = patched.JITCPUCodegen.set_env = lambda *_: None
    patched.JITCodeLibrary._finalize_specific = lambda _: None
    patched.JITCodeLibrary.get_pointer_to_function = lambda *_: 1  # Numba asks; nobody goes there


class Kernel(NamedTuple):
    """Where a loop is: module, function, the types of its arguments, and how many of which instruction it has, about."""

    module: str
    function: str
    arguments: tuple[Any, ...]
    what: str = "vector"
    count: int = 10**6  # the loop that has the most


def kernels(dtype: str) -> dict[str, Kernel]:
    """The hot loops by their names; a vector of 16 numbers is 4 registers, or 8 of float64."""
    number, i, u64 = from_dtype(np.dtype(dtype)), types.intp, types.uint64
    x = types.Array(number, 1, "C")
    x2, seen = x.copy(ndim=2), x.copy(readonly=True)
    ints, places = types.Array(i, 1, "C", readonly=True), types.Array(i, 1, "C")
    words = types.Array(types.uint32, 1, "C")
    bits, Pi = words.copy(readonly=True), types.Array(types.uint16, 1, "C", readonly=True)
    two, three, four, six = (types.UniTuple(i, n) for n in (2, 3, 4, 6))
    parts = number.bitwidth // 8  # registers of 16 numbers
    simd = importlib.import_module(f"{KERNELS}numba_cpu.machinery.simd")
    tile = importlib.import_module(f"{KERNELS}numba_cpu.machinery.tile")
    taps = importlib.import_module(f"{KERNELS}numba_cpu.machinery.taps")
    wht = importlib.import_module(f"{KERNELS}numba_cpu.wht")
    pool = importlib.import_module(f"{KERNELS}fused.conv_pool")
    log2, signs = wht.RADIX.bit_length() - 1, types.UniTuple(simd.Vector(types.uint32), 4)
    winners, n = types.Array(types.int8, 1, "C"), "numba_cpu"
    return {
        f"transform: tile of {wht.TILE}": Kernel(f"{n}.wht", "leaf", (x, i, i), "multiply-adds"),
        f"transform: fold of {wht.RADIX}": Kernel(f"{n}.wht", "fold", (x, i, i, i), "vector", log2 * wht.RADIX * parts),
        f"matrices: tile {tile.ROWS} × {tile.VECTORS}": Kernel(
            f"{n}.machinery.tile", "stripe", (seen, i, i, i, seen, i, types.UniTuple(types.UniTuple(i, 1), 3), i, i, x, i, i, types.boolean),
            "multiply-adds", tile.ROWS * tile.VECTORS * parts),
        "matrices: transpose": Kernel(f"{n}.machinery.tile", "transpose", (seen, i, i, i, i, x, i, i)),
        "layers: bias and ReLU": Kernel("fused.linear_run", "affine", (x, i, seen, i, types.boolean)),
        f"convolution: tile {taps.FEW} × {taps.VECTORS}, places": Kernel(
            f"{n}.machinery.taps", "correlate", (seen, seen, three, ints, two, four, x), "multiply-adds", taps.FEW * taps.VECTORS * parts),
        f"convolution: tile {taps.SPOTS} × 1, channels": Kernel(
            f"{n}.machinery.taps", "correlate_channels", (seen, seen, three, ints, two, i, places, three, x, x), "multiply-adds",
            taps.SPOTS * parts),
        f"convolution: tile {taps.TAPS} × 1, dW": Kernel(
            f"{n}.machinery.taps", "add_dW", (seen, ints, seen, types.UniTuple(three, 3), x2), "multiply-adds", taps.TAPS * parts),
        f"convolution and pooling: tile {pool.CHANNELS} × 4": Kernel(
            "fused.conv_pool", "conv_pool", (x, i, seen, i, six, x, i, winners, i), "multiply-adds", pool.CHANNELS * 4 * parts),
        f"convolution and pooling: tile {pool.CHANNELS} × {pool.TAPS}, dW": Kernel(
            "fused.conv_pool", "add_dW", (x, x, i, six, x, i), "multiply-adds", pool.CHANNELS * pool.TAPS * parts),
        "Fastfood: signs": Kernel(f"{n}.fastfood", "sign", (seen, bits, i, x)),
        "Fastfood: permutation": Kernel(f"{n}.fastfood", "permute", (seen, Pi, seen, x)),
        "Fastfood: permutation back": Kernel(f"{n}.fastfood", "permute_back", (seen, Pi, seen, x), "floats"),
        "dense, stored: P v": Kernel(f"{n}.stored", "add_columns", (x2.copy(readonly=True), i, i, seen, x)),
        "dense ±1, drawn: P v": Kernel(f"{n}.dense", "add_columns", (x, i, seen, i, signs)),
        "Philox, 16 blocks": Kernel(f"{n}.words", "fill_blocks", (words, u64, u64, u64, u64)),
        "normals, 16 words": Kernel(f"{n}.normals", "nearly", (simd.Vector(types.float64),)),
        "normals, 16 words in doubt": Kernel(f"{n}.normals", "exactly", (simd.Vector(types.float64),)),
    }  # fmt: skip


def assembly(kernel: Kernel) -> str:
    """Of the kernel and of all that it calls."""
    function = getattr(importlib.import_module(f"{KERNELS}{kernel.module}"), kernel.function)
    function.compile(kernel.arguments)
    text: str = function.overloads[kernel.arguments].library.get_asm_str()
    return text


def innermost(text: str) -> Iterator[list[str]]:
    """The instructions of each loop without a loop in it, and of each function that has none."""
    for body in re.split(r"^(?=[A-Za-z_]\S*:$)", text, flags=re.MULTILINE)[1:]:
        lines = [line.split("//")[0].strip() for line in body.partition(".cfi_endproc")[0].splitlines()]
        blocks: dict[str, list[str]] = {}
        for line in lines:
            if line.endswith(":"):
                name = line[:-1]
                blocks[name] = []
            elif line and not line.startswith("."):
                blocks[name].append(line)
                if line.startswith(JUMPS) and not line.startswith(ENDS):
                    name = f"{name}+"
                    blocks[name] = []
        found = list(loops(blocks))
        for loop in found or [set(blocks)]:
            if not any(other < loop for other in found):
                yield [line for name, block in blocks.items() if name in loop for line in block]


def loops(blocks: dict[str, list[str]]) -> Iterator[set[str]]:
    """The natural loops: all from where one goes back to a block that all ways there lead through."""
    names = list(blocks)
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {name: [] for name in names}
    for name, following in zip(names, [*names[1:], ""], strict=True):
        last = blocks[name][-1] if blocks[name] else ""
        after[name] = [last.split()[-1]] if last.startswith(JUMPS) and last.split()[-1] in blocks else []
        if following and not last.startswith(ENDS):
            after[name].append(following)
        for target in after[name]:
            before[target].append(name)
    above = {name: set(names) for name in names}  # blocks that all ways from the entry lead through
    above[names[0]], changed = {names[0]}, True
    while changed:
        changed = False
        for name in names[1:]:
            ways = [above[other] for other in before[name]]
            now = {name}.union(set.intersection(*ways) if ways else ())
            changed |= now != above[name]
            above[name] = now
    for head in names:
        waiting = [name for name in before[head] if head in above[name]]
        if waiting:
            loop = {head}
            while waiting:
                here = waiting.pop()
                if here not in loop:
                    loop.add(here)
                    waiting += before[here]
            yield loop


def counts(loop: list[str]) -> dict[str, int]:
    """The columns of the table."""
    found = dict.fromkeys(
        ("all", "vector", "multiply-adds", "floats", "registers", "less", "stack", "calls"), 0
    )
    for line in loop:
        name, _, operands = line.partition("\t")
        found["all"] += 1
        if name.startswith(("ld", "st")):
            found["stack" if "[sp" in operands else "registers" if operands[0] in "q{" else "less"] += 1
        elif re.search(r"\bv\d+\.", operands):
            found["vector"] += 1
            found["multiply-adds"] += name in ("fmla", "fmls")
        elif re.search(r"\b[sd]\d", operands):
            found["floats"] += 1
        found["calls"] += name in ("bl", "blr")
    return found


def hottest(kernel: Kernel) -> list[str]:
    """The loop that fits its description best."""
    loops = list(innermost(assembly(kernel)))
    return min(loops, key=lambda loop: abs(counts(loop)[kernel.what] - kernel.count))


def main(processor: str = "neoverse-n1", dtype: str = "float32", only: str = "") -> None:
    compile_for(processor)
    print(f"| {processor}, {dtype} | {' | '.join(counts([]))} |\n|---{'|--:' * len(counts([]))}|")
    for name, kernel in kernels(dtype).items():
        if name.startswith(only):
            loop = hottest(kernel)
            if only:
                print("\n".join(loop))
            print(f"| {name} | " + " | ".join(map(str, counts(loop).values())) + " |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
