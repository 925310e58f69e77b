"""What a kernel needs beyond lane-by-lane arithmetic: sign bits, lookups, sums and butterflies of a `Vector`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from npintdim.kernels.numba_cpu.machinery.simd import (
    I1,
    I8,
    I16,
    I32,
    I64,
    LANES,
    REGISTER,
    Vector,
    constant,
    fused,
    intrinsic,
    place,
    read,
    shuffle,
    splat,
    write,
)


@intrinsic
def mask(typingctx, packed, i):
    """Packed bits i, ..., i + 15 as booleans; i a multiple of 8. Bytes lie lowest first wherever Numba runs."""

    def codegen(context, builder, signature, args):
        first = builder.bitcast(place(context, builder, packed, args[0], I64(0)), I8.as_pointer())
        bits = read(builder, builder.gep(first, [builder.lshr(args[1], I64(3))], source_etype=I8), I16)
        return builder.bitcast(bits, ir.VectorType(I1, LANES))

    return Vector(types.boolean)(packed, types.intp), codegen


@intrinsic
def flip(typingctx, x, minus):
    """−x where the mask holds, else x; a vector, or one number for all lanes."""
    vector = x if isinstance(x, Vector) else Vector(x)

    def codegen(context, builder, signature, args):
        plus = splat(context, builder, args[0], x, vector)
        return builder.select(args[1], builder.fneg(plus), plus)

    return vector(x, minus), codegen


@intrinsic
def flip_highest(typingctx, x, words):
    """−x where the highest bit of the uint32 word is 1, else x; a vector, or one number for all lanes."""
    vector: Any = x if isinstance(x, Vector) else Vector(x)
    bits = vector.dtype.bitwidth

    def codegen(context, builder, signature, args):
        wide = ir.VectorType(ir.IntType(bits), LANES)
        plus = splat(context, builder, args[0], x, vector)
        minus = args[1]
        if bits > 32:
            minus = builder.shl(builder.zext(minus, wide), constant(wide.element, [bits - 32] * LANES))
        minus = builder.and_(minus, constant(wide.element, [1 << (bits - 1)] * LANES))
        return builder.bitcast(builder.xor(builder.bitcast(plus, wide), minus), plus.type)

    return vector(x, words), codegen


@intrinsic
def total(typingctx, x):
    """Sum of the lanes, halves upon halves."""

    def codegen(context, builder, signature, args):
        (a,) = args
        for half in (8, 4, 2, 1):
            a = builder.fadd(a, shuffle(builder, a, a, [(lane + half) % LANES for lane in range(LANES)]))
        return builder.extract_element(a, I32(0))

    return x.dtype(x), codegen


@intrinsic
def counted(typingctx, first):
    """first, first + 1, ..., first + 15."""
    vector = Vector(first)

    def codegen(context, builder, signature, args):
        ty = context.get_value_type(first)
        return builder.add(splat(context, builder, args[0], first, vector), constant(ty, range(LANES)))

    return vector(first), codegen


@intrinsic
def frexp(typingctx, x):
    """(m, e) with x = m 2^e and ½ ≤ m < 1, for normal float64 x > 0; e is float64 too."""

    def codegen(context, builder, signature, args):
        (v,) = args
        bits = builder.bitcast(v, ir.VectorType(I64, LANES))
        e = builder.sub(builder.lshr(bits, constant(I64, [52] * LANES)), constant(I64, [1022] * LANES))
        m = builder.and_(bits, constant(I64, [(1 << 52) - 1] * LANES))
        m = builder.or_(m, constant(I64, [1022 << 52] * LANES))
        return context.make_tuple(
            builder, signature.return_type, (builder.bitcast(m, v.type), builder.sitofp(e, v.type))
        )

    return types.UniTuple(x, 2)(x), codegen


@intrinsic
def gather(typingctx, table, index, i):
    """table[index[i : i + 16]] by 16 loads, which on today's processors beat their gather instruction."""

    def codegen(context, builder, signature, args):
        first = place(context, builder, index, *args[1:])
        x = ir.Constant(context.get_value_type(Vector(table.dtype)), ir.Undefined)
        for lane in range(LANES):
            k = builder.zext(builder.load(builder.gep(first, [I64(lane)])), I64)
            x = builder.insert_element(x, builder.load(place(context, builder, table, args[0], k)), I32(lane))
        return x

    return Vector(table.dtype)(table, index, types.intp), codegen


@intrinsic
def store_pairs(typingctx, array, i, a, b):
    """array[i : i + 64] of uint32 = the 16 pairs of uint64 (a, b), each low half first."""

    def codegen(context, builder, signature, args):
        pairs = shuffle(
            builder, args[2], args[3], [lane // 2 + LANES * (lane % 2) for lane in range(2 * LANES)]
        )
        write(builder, place(context, builder, array, *args[:2]), pairs)

    return types.void(array, types.intp, a, b), codegen


def butterflies(count: int, lanes: bool = False) -> Callable[..., Any]:
    """log₂ count rounds of a Hadamard transform on the vectors x[i], x[i+h], x[i+2h], ..., in registers.

    `lanes` puts the four rounds inside a vector, strides 1, 2, 4 and 8, before them: lane k and its
    partner k ^ stride become partner ± lane, by one shuffle and one `muladd` with ±1. Without them the
    lanes know nothing of each other, and as many are done at a time as a register holds.
    """

    @intrinsic
    def apply(typingctx, x, i, h):
        def codegen(context, builder, signature, args):
            width = LANES if lanes else min(LANES, REGISTER // x.dtype.bitwidth)
            ty = ir.VectorType(context.get_value_type(x.dtype), width)
            for part in range(0, LANES, width):
                rounds(context, builder, x, args, ty, part)

        def rounds(context, builder, x, args, ty, part):
            first = place(context, builder, x, args[0], builder.add(args[1], I64(part)))
            places = [builder.gep(first, [builder.mul(args[2], I64(r))], inbounds=True) for r in range(count)]
            v = [read(builder, p, ty) for p in places]
            for stride in (1, 2, 4, 8) if lanes else ():
                sign = constant(ty.element, [-1.0 if lane & stride else 1.0 for lane in range(LANES)])
                partner = [lane ^ stride for lane in range(LANES)]
                v = [fused(builder, a, sign, shuffle(builder, a, a, partner)) for a in v]
            stride = 1
            while stride < count:
                for low in (r for r in range(count) if not r & stride):
                    a, b = v[low], v[low + stride]
                    v[low], v[low + stride] = builder.fadd(a, b), builder.fsub(a, b)
                stride *= 2
            for p, a in zip(places, v, strict=True):
                write(builder, p, a)

        return types.void(x, types.intp, types.intp), codegen

    return apply
