"""The register tile: rows × columns sums of products at once, the heart of products of matrices and images.

A processor multiplies and adds faster than it loads. Of a tile of 8 × 3 vectors, kept in 24
registers, one step of the sums loads 8 numbers and 3 vectors and makes 24 products, so that the
loads keep up. Where the operands lie is left open: a product of matrices (`multiply`), a convolution
and both of its gradients (`conv_pool.py`) are this tile with different steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed

from npintdim.kernels.numba_cpu.machinery.share import jit
from npintdim.kernels.numba_cpu.machinery.simd import (
    I32,
    I64,
    LANES,
    REGISTER,
    WIDE,
    Vector,
    constant,
    fused,
    intrinsic,
    load,
    place,
    read,
    shuffle,
    store,
    write,
)

REGISTERS = 12 if REGISTER == 256 else 28  # that the sums of a tile may fill, of 16 (AVX2) or 32


def first_lanes(builder: Any, count: Any) -> Any:
    """The mask of the first `count` lanes."""
    many = builder.insert_element(constant(I32, [0] * LANES), builder.trunc(count, I32), I32(0))
    many = shuffle(builder, many, many, [0] * LANES)
    return builder.icmp_signed("<", constant(I32, range(LANES)), many)


def masked(builder: Any, name: str, result: Any, vector: Any, *args: Any) -> Any:
    """LLVM's load or store of some lanes."""
    full = f"llvm.masked.{name}.v{vector.count}f{32 if vector.element == ir.FloatType() else 64}.p0"
    function = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, full), args)


def read_first(builder: Any, p: Any, vector: Any, mask: Any) -> Any:
    """What lies at p in the lanes of the mask, else 0; nothing else is touched."""
    p = builder.bitcast(p, vector.as_pointer())
    return masked(builder, "load", vector, vector, p, I32(1), mask, ir.Constant(vector, None))


@intrinsic
def seen(typingctx, array):
    """The array, to be read only: one compiled variant serves it and those that cannot be written to."""

    def codegen(context, builder, signature, args):
        return impl_ret_borrowed(context, builder, signature.return_type, args[0])

    return array.copy(readonly=True)(array), codegen


@intrinsic
def load_first(typingctx, array, i, count):
    """array[i : i + count], then zeros."""
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, args):
        p = place(context, builder, array, *args[:2])
        return read_first(builder, p, context.get_value_type(vector), first_lanes(builder, args[2]))

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def store_first(typingctx, array, i, x, count):
    """array[i : i + count] = the first lanes of x."""

    def codegen(context, builder, signature, args):
        ty = args[2].type
        p = builder.bitcast(place(context, builder, array, *args[:2]), ty.as_pointer())
        masked(builder, "store", ir.VoidType(), ty, args[2], p, I32(1), first_lanes(builder, args[3]))

    return types.void(array, types.intp, x, types.intp), codegen


def joined(builder: Any, parts: list[Any]) -> Any:
    """Vectors end to end."""
    while len(parts) > 1:
        both = range(2 * parts[0].type.count)
        parts = [shuffle(builder, a, b, both) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def tile(left_numbers: bool, right_numbers: bool = False) -> Callable[..., Any]:
    """The tile whose left or right operands are numbers, one for all lanes, or vectors.

    sums[r][c] = Σ left[p + r · apart] · right[q + shifts[c]], where p and q start at (at, start) and
    walk through a nest of loops = (counts, steps of p, steps of q), the outermost first; with a
    fourth (table, first), q is what stands in the table at the place to which these steps lead from first.
    Of the last column `kept` lanes are read, the others are 0. Where the sums would not fit in
    registers, as many lanes as do are done at a time: they know nothing of each other.
    """

    @intrinsic
    def sums(typingctx, rows, columns, left, at, apart, right, start, shifts, loops, kept):
        if not isinstance(rows, types.IntegerLiteral):
            return None  # Numba tries the written-out numbers first
        R, C = rows.literal_value, columns.literal_value
        vector = Vector(right.dtype)
        result = types.UniTuple(types.UniTuple(vector, C), R)

        def codegen(context, builder, signature, args):
            mask, width, size = first_lanes(builder, args[-1]), LANES, right.dtype.bitwidth
            while width * size > REGISTER and R * C * width * size > REGISTERS * REGISTER:
                width //= 2
            ty = ir.VectorType(context.get_value_type(right.dtype), width)
            parts = [part(context, builder, args[2:], ty, mask, lane) for lane in range(0, LANES, width)]
            lines = [[joined(builder, [own[r][c] for own in parts]) for c in range(C)] for r in range(R)]
            lines = [context.make_tuple(builder, result.dtype, line) for line in lines]
            return context.make_tuple(builder, result, lines)

        def part(context, builder, args, ty, mask, lane):
            a, at, apart, b, start, table, nest, _ = args
            acc = [
                [cgutils.alloca_once_value(builder, ir.Constant(ty, None)) for _ in range(C)]
                for _ in range(R)
            ]
            mask = shuffle(builder, mask, mask, range(lane, lane + ty.count))
            at, start = (
                here if numbers else builder.add(here, I64(lane))
                for here, numbers in ((at, left_numbers), (start, right_numbers))
            )
            a = place(context, builder, left, a, at)
            shift = [builder.load(place(context, builder, shifts, table, I64(c))) for c in range(C)]
            columns = [place(context, builder, right, b, builder.add(start, s)) for s in shift]
            nest = [cgutils.unpack_tuple(builder, steps) for steps in cgutils.unpack_tuple(builder, nest)]
            listing = [place(context, builder, loops[3][0], *table) for table in nest[3:]]

            def number(here):
                one = builder.insert_element(ir.Constant(ty, ir.Undefined), builder.load(here), I32(0))
                return shuffle(builder, one, one, [0] * ty.count)

            def of_left(p, r):
                here = builder.gep(a, [builder.add(p, builder.mul(apart, I64(r)))], inbounds=True)
                return number(here) if left_numbers else read(builder, here, ty)

            def of_right(q, c):
                here = builder.gep(columns[c], [q], inbounds=True)
                if right_numbers:
                    return number(here)
                return read_first(builder, here, ty, mask) if c == C - 1 else read(builder, here, ty)

            def add(r, c, w, x):
                builder.store(fused(builder, w, x, builder.load(acc[r][c])), acc[r][c])

            def step(p, q):
                if right_numbers:  # first the vectors, which all numbers meet
                    w = [of_left(p, r) for r in range(R)]
                    for c in range(C):
                        x = of_right(q, c)
                        for r in range(R):
                            add(r, c, w[r], x)
                else:
                    x = [of_right(q, c) for c in range(C)]
                    for r in range(R):
                        w = of_left(p, r)
                        for c in range(C):
                            add(r, c, w, x[c])

            def walk(nest, p, q):
                if not nest:
                    for here in listing:
                        q = builder.load(builder.gep(here, [q], inbounds=True))
                    step(p, q)
                    return
                (count, by_left, by_right), *inner = nest
                with cgutils.for_range(builder, count) as loop:
                    walk(
                        inner,
                        builder.add(p, builder.mul(loop.index, by_left)),
                        builder.add(q, builder.mul(loop.index, by_right)),
                    )

            walk(list(zip(*nest[:3], strict=True)), I64(0), I64(0))
            return [list(map(builder.load, line)) for line in acc]

        i = types.intp
        counts = types.UniTuple(i, len(loops[0]))
        nest = types.Tuple((counts, counts, counts, *tuple(loops)[3:]))
        return result(rows, columns, left, i, i, right, i, shifts, nest, i), codegen

    return sums


numbers_by_vectors, vectors_by_vectors, vectors_by_numbers = tile(True), tile(False), tile(False, True)


@intrinsic
def totals(typingctx, line):
    """The sums over the lanes of up to 16 vectors, in the first lanes of one: halves upon halves."""

    def codegen(context, builder, signature, args):
        v, half = cgutils.unpack_tuple(builder, args[0]), LANES // 2
        v = [*v, *[ir.Constant(v[0].type, None)] * ((1 << (len(v) - 1).bit_length()) - len(v))]
        while half:
            low = [k for k in range(2 * LANES) if not k & half]  # of two vectors end to end
            high = [k + half for k in low]
            pairs = zip(v[::2], v[1::2], strict=True) if len(v) > 1 else [(v[0], v[0])]
            v = [builder.fadd(shuffle(builder, a, b, low), shuffle(builder, a, b, high)) for a, b in pairs]
            half //= 2
        return v[0]

    return line.dtype(line), codegen


@intrinsic
def transpose_tile(typingctx, a, at, a_row, b, to, b_row):
    """b[to + i · b_row + j] = a[at + j · a_row + i] for i, j < 16, by four rounds of exchanging halves."""

    def codegen(context, builder, signature, args):
        p, q = place(context, builder, a, *args[:2]), place(context, builder, b, *args[3:5])
        ty = context.get_value_type(Vector(a.dtype))

        def line(p, row, r):
            return builder.gep(p, [builder.mul(row, I64(r))], inbounds=True)

        v = [read(builder, line(p, args[2], r), ty) for r in range(LANES)]
        for h in (8, 4, 2, 1):
            low = [k + (LANES - h if k & h else 0) for k in range(LANES)]
            high = [k + (LANES if k & h else h) for k in range(LANES)]
            for r in (r for r in range(LANES) if not r & h):
                x, y = v[r], v[r + h]
                v[r], v[r + h] = shuffle(builder, x, y, low), shuffle(builder, x, y, high)
        for r in range(LANES):
            write(builder, line(q, args[5], r), v[r])

    i = types.intp
    return types.void(a, i, i, b, i, i), codegen


# ---- products of matrices ----
# C = A B, of the sizes of small networks: nothing is packed, nothing is padded. A stripe of B, a few vectors
# wide and at most 256 rows long, stays in the nearest cache while tiles of rows of A pass over it.
# An entry of C is one sum in the order of the rows of B, in parts of 256.

ROWS, VECTORS = (8, 3) if WIDE else (6, 1)
DEPTH = 256
SHIFTS = np.arange(VECTORS) * LANES


@jit
def put(sums, C, at, width, kept, add):
    """Write a tile of C or, with `add`, add it there; `kept` lanes of the last column."""
    for r, line in enumerate(sums):
        for v, s in enumerate(line):
            i = at + r * width + v * LANES
            if v + 1 < len(line):
                store(C, i, load(C, i) + s if add else s)
            else:
                store_first(C, i, load_first(C, i, kept) + s if add else s, kept)


@jit
def stripe(A, at, apart, rows, B, start, loops, vectors, kept, C, to, width, add):
    """1, 2 or 3 vectors of every row of C."""
    i = 0
    while i < rows:
        a, c = at + i * apart, to + i * width
        if rows - i >= ROWS:
            i += ROWS
            if vectors == 3:
                t = numbers_by_vectors(ROWS, 3, A, a, apart, B, start, SHIFTS, loops, kept)
                put(t, C, c, width, kept, add)
            elif vectors == 2:
                u = numbers_by_vectors(ROWS, 2, A, a, apart, B, start, SHIFTS, loops, kept)
                put(u, C, c, width, kept, add)
            else:
                v = numbers_by_vectors(ROWS, 1, A, a, apart, B, start, SHIFTS, loops, kept)
                put(v, C, c, width, kept, add)
        else:
            i += 1
            if vectors == 3:
                x = numbers_by_vectors(1, 3, A, a, apart, B, start, SHIFTS, loops, kept)
                put(x, C, c, width, kept, add)
            elif vectors == 2:
                y = numbers_by_vectors(1, 2, A, a, apart, B, start, SHIFTS, loops, kept)
                put(y, C, c, width, kept, add)
            else:
                z = numbers_by_vectors(1, 1, A, a, apart, B, start, SHIFTS, loops, kept)
                put(z, C, c, width, kept, add)


@jit
def multiply(A, at, row, step, B, start, C, to, rows, depth, width):
    """C = A B, A[i, k] = A[at + i · row + k · step]; rows of B and C `width` apart, from `start` and `to`."""
    vectors = (width + LANES - 1) // LANES
    most = VECTORS if B.itemsize == 4 else 1  # 16 float64 take two registers
    stripes = (vectors + most - 1) // most
    for k in range(0, depth, DEPTH):
        loops = ((min(DEPTH, depth - k),), (step,), (width,))
        for s in range(stripes):
            first, end = vectors * s // stripes, vectors * (s + 1) // stripes
            j, kept = first * LANES, min(LANES, width - (end - 1) * LANES)
            a, b = at + k * step, start + k * width + j
            stripe(A, a, row, rows, B, b, loops, end - first, kept, C, to + j, width, k > 0)


@jit
def transpose(A, at, pitch, rows, columns, B, to, width):
    """B[to + j · width + i] = A[at + i · pitch + j] for i < rows, j < columns."""
    whole, even = rows - rows % LANES, columns - columns % LANES
    for i in range(0, whole, LANES):
        for j in range(0, even, LANES):
            transpose_tile(A, at + i * pitch + j, pitch, B, to + j * width + i, width)
    for i in range(rows):
        for j in range(even if i < whole else 0, columns):
            B[to + j * width + i] = A[at + i * pitch + j]
