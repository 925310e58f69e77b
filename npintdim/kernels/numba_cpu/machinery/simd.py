"""Vectors of 16 numbers as values inside @jit functions, so that a hot loop reads like its formula.

LLVM's automatic vectoriser gives up on butterflies, sign bits and branches, without a word and at a
cost of a factor of ten. A `Vector` is an LLVM vector; LLVM splits it where registers are narrower
(AVX2, NEON, float64). Inside a @jit function:

    x = load(array, i)               array[i : i + 16]; the caller keeps i + 16 ≤ len(array)
    store(array, i, 2.0 * x + y)     operators between vectors and with scalars, each rounded
    select(x < y, x, y)              lane by lane
    flip(x, mask(packed, i))         x times the packed signs i, ..., i + 15; i a multiple of 8

Nothing is fused or reordered, so bits are those of a plain loop. `muladd` alone may fuse; the
butterflies use it with factors ±1, where fusing changes nothing.
"""

from __future__ import annotations

import operator
import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import models, overload, register_model
from numba.np.arrayobj import make_array

intrinsic: Any = extending.intrinsic
LANES = 16
FEATURES = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
# Whether 16 float32 fit one register, of which there are 32 then; else they take two or four, of 16 or 32.
WIDE = "+avx512f" in FEATURES
HAS_FMA = "+fma" in FEATURES or platform.machine() in ("aarch64", "arm64")
REGISTER = 512 if WIDE else 256 if "+avx" in FEATURES else 128  # bits
I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))


class Vector(types.Type):
    """16 numbers of a dtype, or 16 booleans."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"vector({dtype} x {LANES})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """As LLVM holds it."""

    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        element = I1 if fe_type.dtype == types.boolean else dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, LANES))


def constant(element: ir.Type, values: Any) -> ir.Constant:
    """A vector written out."""
    return ir.Constant(ir.VectorType(element, len(values)), list(values))


def shuffle(builder: Any, a: Any, b: Any, lanes: Any) -> Any:
    """Pick lanes of a and b laid end to end."""
    return builder.shuffle_vector(a, b, constant(I32, lanes))


def splat(context: Any, builder: Any, x: Any, given: types.Type, wanted: Vector) -> Any:
    """A scalar in every lane; a vector as it is."""
    if isinstance(given, Vector):
        return x
    nothing = ir.Constant(context.get_value_type(wanted), ir.Undefined)
    one = builder.insert_element(nothing, context.cast(builder, x, given, wanted.dtype), I32(0))
    return shuffle(builder, one, nothing, [0] * LANES)


def place(context: Any, builder: Any, array_type: Any, array: Any, i: Any) -> Any:
    """Pointer to entry i of a contiguous array."""
    return builder.gep(make_array(array_type)(context, builder, array).data, [i], inbounds=True)


def read(builder: Any, p: Any, ty: Any) -> Any:
    """What lies at p, at any alignment."""
    return builder.load(builder.bitcast(p, ty.as_pointer()), align=1, typ=ty)


def write(builder: Any, p: Any, value: Any) -> None:
    """Put a value at p, at any alignment."""
    builder.store(value, builder.bitcast(p, value.type.as_pointer()), align=1)


@intrinsic
def load(typingctx, array, i):
    """array[i : i + 16]."""
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, args):
        return read(builder, place(context, builder, array, *args), context.get_value_type(vector))

    return vector(array, types.intp), codegen


@intrinsic
def store(typingctx, array, i, x):
    """array[i : i + 16] = x."""

    def codegen(context, builder, signature, args):
        write(builder, place(context, builder, array, *args[:2]), args[2])

    return types.void(array, types.intp, x), codegen


def binary(symbol: Any, floats: str, integers: str, relation: tuple[str, ...] = ()) -> None:
    """Give vectors an operator, by LLVM's instructions for floats and for unsigned integers."""

    @intrinsic
    def apply(typingctx, a, b):
        vector = a if isinstance(a, Vector) else b
        name = floats if isinstance(vector.dtype, types.Float) else integers

        def codegen(context, builder, signature, args):
            x, y = (splat(context, builder, *pair, vector) for pair in zip(args, (a, b), strict=True))
            return getattr(builder, name)(*relation, x, y)

        return (Vector(types.boolean) if relation else vector)(a, b), codegen

    @overload(symbol)
    def operate(a, b):
        return (lambda a, b: apply(a, b)) if isinstance(a, Vector) or isinstance(b, Vector) else None


binary(operator.add, "fadd", "add")
binary(operator.sub, "fsub", "sub")
binary(operator.mul, "fmul", "mul")
binary(operator.truediv, "fdiv", "udiv")
binary(operator.xor, "", "xor")
binary(operator.and_, "", "and_")
binary(operator.or_, "", "or_")
binary(operator.lshift, "", "shl")
binary(operator.rshift, "", "lshr")
binary(operator.lt, "fcmp_ordered", "icmp_unsigned", ("<",))
binary(operator.gt, "fcmp_ordered", "icmp_unsigned", (">",))


def call(builder: Any, name: str, *args: Any) -> Any:
    """One of LLVM's own functions of float vectors."""
    ty = args[0].type
    full = f"llvm.{name}.v{LANES}f{32 if ty.element == ir.FloatType() else 64}"
    function = ir.FunctionType(ty, [ty] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, function, full), args)


def unary(name: str) -> Callable[..., Any]:
    """Such a function of one vector."""

    @intrinsic
    def apply(typingctx, x):
        return x(x), lambda context, builder, signature, args: call(builder, name, *args)

    return apply


sqrt, rint, floor, fabs = unary("sqrt"), unary("rint"), unary("floor"), unary("fabs")


@intrinsic
def convert(typingctx, x, dtype):
    """x in another dtype; floats become signed integers only."""
    old, new = x.dtype, dtype.dtype
    real, was_real = isinstance(new, types.Float), isinstance(old, types.Float)
    wider = old.bitwidth < new.bitwidth
    if was_real:
        name = ("fpext" if wider else "fptrunc") if real else "fptosi"
    elif real:
        name = "sitofp" if old.signed else "uitofp"
    else:
        name = ("sext" if old.signed else "zext") if wider else "trunc"

    def codegen(context, builder, signature, args):
        return args[0] if old == new else getattr(builder, name)(args[0], context.get_value_type(Vector(new)))

    return Vector(new)(x, dtype), codegen


@intrinsic
def select(typingctx, condition, a, b):
    """a where the condition holds, else b; each a vector or a number, not both numbers."""
    vector = a if isinstance(a, Vector) else b

    def codegen(context, builder, signature, args):
        x, y = (splat(context, builder, *pair, vector) for pair in zip(args[1:], (a, b), strict=True))
        return builder.select(args[0], x, y)

    return vector(condition, a, b), codegen


@intrinsic
def every(typingctx, condition):
    """Whether it holds in all lanes."""

    def codegen(context, builder, signature, args):
        return builder.icmp_unsigned("==", builder.bitcast(args[0], I16), I16(-1))

    return types.boolean(condition), codegen


@intrinsic
def zeros(typingctx, array):
    """16 zeros of an array's dtype."""
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, args):
        return ir.Constant(context.get_value_type(vector), None)

    return vector(array), codegen


def fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c with leave to fuse."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def of_three(formula: Callable[..., Any]) -> Callable[..., Any]:
    """A formula of a, b and c, each a vector or a number, not all numbers."""

    @intrinsic
    def apply(typingctx, a, b, c):
        vector = next(given for given in (a, b, c) if isinstance(given, Vector))

        def codegen(context, builder, signature, args):
            parts = [splat(context, builder, *pair, vector) for pair in zip(args, (a, b, c), strict=True)]
            return formula(builder, *parts)

        return vector(a, b, c), codegen

    return apply


muladd = of_three(fused)  # a·b + c, in one rounding where the processor can
fma = of_three(lambda builder, *parts: call(builder, "fma", *parts))  # in one rounding


# ---- sign bits, lookups, sums and butterflies ----


@intrinsic
def mask(typingctx, packed, i):
    """Packed bits i, ..., i + 15 as booleans; 8 divides i. Bytes lie lowest first wherever Numba runs."""

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
def count_from(typingctx, first):
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
