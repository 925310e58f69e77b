// Kernels whose bits are promised. They are compiled with --fmad=false, so that each product and each
// sum is rounded by itself, in the order of the NumPy text in kernels/reference, which says what every
// kernel computes. The compiler is told REAL (float or double), THREADS (of every block),
// and the purposes of streams.
//
// No kernel adds floating-point numbers atomically: an order that changes from run to run would change
// bits. Sums over a block are trees of fixed shape, kept in double.

typedef REAL T;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

__device__ i64 thread() { return (i64)blockIdx.x * THREADS + threadIdx.x; }

template <class V> __device__ V block_sum(V x)  // the sum over the block; valid in its first thread
{
    __shared__ V part[THREADS];
    __syncthreads();  // whoever called before has read its sum
    part[threadIdx.x] = x;
    for (unsigned s = THREADS / 2; s > 0; s /= 2) {
        __syncthreads();
        if (threadIdx.x < s) part[threadIdx.x] += part[threadIdx.x + s];
    }
    return part[0];
}

// ---------------------------------------------------------------------------------------- words.py

__device__ void philox(u64 seed, u32 purpose, u32 lane, u64 block, u32 *out)
{
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    u32 c0 = (u32)block, c1 = (u32)(block >> 32), c2 = lane, c3 = purpose;
    for (int round = 0; round < 10; ++round) {
        u64 p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (u32)(p1 >> 32) ^ c1 ^ k0, c1 = (u32)p1;
        c2 = (u32)(p0 >> 32) ^ c3 ^ k1, c3 = (u32)p0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

__device__ int sign_bit(const u32 *packed, i64 i) { return packed[i >> 5] >> (i & 31) & 1; }

extern "C" __global__ void words(u64 seed, u32 purpose, u32 lane, i64 start, i64 count, u32 *out)
{
    i64 block = start / 4 + thread();
    u32 w[4];
    philox(seed, purpose, lane, block, w);
    for (int r = 0; r < 4; ++r) {
        i64 i = 4 * block + r - start;
        if (0 <= i && i < count) out[i] = w[r];
    }
}

extern "C" __global__ void signs(const u32 *packed, i64 count, signed char *out)
{
    i64 i = thread();
    if (i < count) out[i] = 1 - 2 * sign_bit(packed, i);
}

// -------------------------------------------------------------------------------------- normals.py

template <int N> __device__ double horner(const double (&coefficients)[N], double x)
{
    double total = coefficients[N - 1];
    for (int i = N - 2; i >= 0; --i) total = total * x + coefficients[i];
    return total;
}

__device__ double natural_log(double x)
{
    const double series[11] = {1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11,
                               1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
    int e;
    double m = frexp(x, &e);
    if (m < 0.7071067811865476) m *= 2.0, e -= 1;
    double s = (m - 1.0) / (m + 1.0);
    return e * 0.6931471805599453 + 2.0 * s * horner(series, s * s);
}

__device__ double quantile(double p)  // AS 241
{
    const double central_numerator[8] = {
        3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
        4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3};
    const double central_denominator[8] = {
        1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
        2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3};
    const double tail_numerator[8] = {
        1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
        1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4};
    const double tail_denominator[8] = {
        1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
        1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9};
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * horner(central_numerator, r) / horner(central_denominator, r);
    }
    double r = sqrt(-natural_log(fmin(p, 1.0 - p))) - 1.6;
    double tail = horner(tail_numerator, r) / horner(tail_denominator, r);
    return q < 0.0 ? -tail : tail;
}

__device__ double uniform(u32 w) { return (w + 0.5) * 0x1p-32; }

__device__ int normal(u32 w) { return (int)rint(0x1p20 * quantile(uniform(w))); }

extern "C" __global__ void normals(const u32 *words, i64 count, int *out)
{
    i64 i = thread();
    if (i < count) out[i] = normal(words[i]);
}

extern "C" __global__ void truncated_normals(const u32 *words, i64 count, int *out)
{
    const double two_sd = 0x1.74bcf82c9d85cp-6;
    i64 i = thread();
    if (i < count) out[i] = (int)rint(0x1p20 * quantile(two_sd + (1.0 - 2.0 * two_sd) * uniform(words[i])));
}

// ------------------------------------------------------------------------------------------ wht.py

// Butterflies between entries h, 2h, ..., K·h/2 apart. A block does them for a tile of K entries that lie
// h apart, C such columns side by side (C ≤ h, so that neighbours in memory are read together).
extern "C" __global__ void wht(T *x, i64 h, i64 K, i64 C)
{
    __shared__ T tile[TILE];
    i64 size = K * C, tiles = h / C;
    T *corner = x + blockIdx.x / tiles * (K * h) + blockIdx.x % tiles * C;
    for (i64 e = threadIdx.x; e < size; e += THREADS) tile[e] = corner[e / C * h + e % C];
    for (i64 s = C; s < size; s *= 2) {
        __syncthreads();
        for (i64 p = threadIdx.x; p < size / 2; p += THREADS) {
            i64 e = p / s * (2 * s) + p % s;
            T a = tile[e], b = tile[e + s];
            tile[e] = a + b, tile[e + s] = a - b;
        }
    }
    __syncthreads();
    for (i64 e = threadIdx.x; e < size; e += THREADS) corner[e / C * h + e % C] = tile[e];
}

// ------------------------------------------------------------------------------------- fastfood.py

extern "C" __global__ void flip(T *x, const u32 *packed, i64 count)  // B ∘ x, S ∘ x
{
    i64 i = thread();
    if (i < count) x[i] *= (T)(1 - 2 * sign_bit(packed, i));
}

__device__ u32 place(const void *Pi, i64 bytes, i64 i)  // Pi is kept in two bytes where n ≤ 2¹⁶, else in four
{
    return bytes == 2 ? ((const u16 *)Pi)[i] : ((const u32 *)Pi)[i];
}

extern "C" __global__ void gather(const T *table, const void *Pi, i64 bytes, const T *G, i64 n, i64 m, i64 count, T *y)
{
    i64 i = thread();
    if (i < count) y[i] = table[i / n * m + place(Pi, bytes, i)] * G[i];
}

// Πᵀ of a permutation (n = m): every place is written once.
extern "C" __global__ void scatter(const T *x, const void *Pi, i64 bytes, i64 n, i64 count, T *table)
{
    i64 i = thread();
    if (i < count) table[i / n * n + place(Pi, bytes, i)] = x[i];
}

__device__ int shift(T largest, i64 room)  // so that 2^room numbers up to `largest` add up to 2⁶² at most
{
    int e;
    frexp((double)largest, &e);
    return 62 - e - (int)room;
}

// Πᵀ where 2^room entries share a place (m < n). A sum of integers has no order, so the numbers are added
// as multiples of 2^−shift: the same bits in every run, and 62 bits for the sum of the largest.
extern "C" __global__ void scatter_add(const T *x, const void *Pi, i64 bytes, const T *largest, i64 room, i64 count, u64 *total)
{
    i64 i = thread();
    if (i < count) atomicAdd(total + place(Pi, bytes, i), (u64)(i64)rint(ldexp((double)x[i], shift(*largest, room))));
}

extern "C" __global__ void scatter_sum(const u64 *total, const T *largest, i64 room, i64 m, T *table)
{
    i64 i = thread();
    T zero = *largest - *largest;  // or NaN, where some entry was not finite
    if (i < m) table[i] = (T)ldexp((double)(i64)total[i], -shift(*largest, room)) + zero;
}

// ---------------------------------------------------------------------------------------- dense.py

// Products with P are those of `count` rows from `start` on, which THREADS divides.
extern "C" __global__ void gaussian_apply(const T *v, u64 seed, const double *norms, i64 d, i64 start, i64 count, T *y)
{
    i64 q = thread();  // four rows share a Philox block
    T sum[4] = {0, 0, 0, 0};
    for (i64 j = 0; j < d && 4 * q < count; ++j) {
        u32 w[4];
        philox(seed, DENSE, (u32)j, start / 4 + q, w);
        for (int r = 0; r < 4; ++r) sum[r] += (T)(normal(w[r]) / norms[j]) * v[j];
    }
    for (int r = 0; r < 4 && 4 * q + r < count; ++r) y[4 * q + r] = sum[r];
}

extern "C" __global__ void gaussian_adjoint(const T *g, u64 seed, const double *norms, i64 start, i64 count, T *out)
{
    double sum = 0.0;
    for (i64 q = threadIdx.x; 4 * q < count; q += THREADS) {
        u32 w[4];
        philox(seed, DENSE, blockIdx.x, start / 4 + q, w);
        for (int r = 0; r < 4 && 4 * q + r < count; ++r)
            sum += (double)(T)(normal(w[r]) / norms[blockIdx.x]) * g[4 * q + r];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = (T)sum;
}

// A block of threads owns 128 rows: in every column their signs are one Philox block.
static_assert(THREADS == 128, "rademacher_apply gives a thread to each sign of a Philox block");
extern "C" __global__ void rademacher_apply(const T *scaled, u64 seed, i64 d, i64 start, i64 count, T *y)
{
    __shared__ u32 packed[THREADS][4];
    T sum = 0;
    for (i64 first = 0; first < d; first += THREADS) {
        __syncthreads();
        philox(seed, DENSE, (u32)(first + threadIdx.x), start / THREADS + blockIdx.x, packed[threadIdx.x]);
        __syncthreads();
        for (i64 j = first; j < d && j < first + THREADS; ++j)
            sum += sign_bit(packed[j - first], threadIdx.x) ? -scaled[j] : scaled[j];
    }
    if (thread() < count) y[thread()] = sum;
}

extern "C" __global__ void rademacher_adjoint(const T *g, u64 seed, T scale, i64 start, i64 count, T *out)
{
    __shared__ u32 packed[THREADS][4];  // signs of 128·THREADS rows
    double sum = 0.0;
    for (i64 first = 0; first < count; first += 128 * THREADS) {
        __syncthreads();
        philox(seed, DENSE, blockIdx.x, (start + first) / 128 + threadIdx.x, packed[threadIdx.x]);
        __syncthreads();
        for (i64 i = threadIdx.x; i < 128 * THREADS && first + i < count; i += THREADS)
            sum += sign_bit(packed[0], i) ? -g[first + i] : g[first + i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = (T)sum * scale;
}

// --------------------------------------------------------------------------------------- sparse.py

// A thread walks down a column, twice: first to count (indptr[j + 1]), then to fill (from indptr[j] on).
extern "C" __global__ void sparse_columns(u64 seed, i64 d, i64 D, double log_miss, i64 fill,
                                          i64 *indptr, int *rows, signed char *sign)
{
    i64 j = thread(), row = -1, k = 0;
    if (j >= d) return;
    u32 gap[4], packed[4];
    for (;; ++k) {
        if (k % 4 == 0) philox(seed, SPARSE_GAP, (u32)j, k / 4, gap);
        if (k % 128 == 0) philox(seed, SPARSE_SIGN, (u32)j, k / 128, packed);
        row += 1 + (i64)floor(natural_log(uniform(gap[k % 4])) / log_miss);
        if (row >= D) break;
        if (fill) rows[indptr[j] + k] = (int)row, sign[indptr[j] + k] = 1 - 2 * sign_bit(packed, k % 128);
    }
    if (!fill) indptr[j + 1] = k;
}

__device__ i64 first_from(const int *rows, i64 low, i64 high, i64 row)  // first place of [low, high) with rows[place] ≥ row
{
    while (low < high) {
        i64 middle = (low + high) / 2;
        if (rows[middle] < row) low = middle + 1; else high = middle;
    }
    return low;
}

// A block owns THREADS rows and finds the piece of each column that lies in them; a thread picks its row's
// entries from the pieces, columns ascending. Nothing is sorted, kept or added atomically.
extern "C" __global__ void sparse_apply(const T *v, const i64 *indptr, const int *rows, const T *values, i64 d, i64 start, i64 count, T *y)
{
    __shared__ i64 from[THREADS], to[THREADS];
    i64 top = start + (i64)blockIdx.x * THREADS, row = top + threadIdx.x;
    T sum = 0;
    for (i64 first = 0; first < d; first += THREADS) {
        i64 j = first + threadIdx.x;
        __syncthreads();
        if (j < d) {
            from[threadIdx.x] = first_from(rows, indptr[j], indptr[j + 1], top);
            to[threadIdx.x] = first_from(rows, from[threadIdx.x], indptr[j + 1], top + THREADS);
        }
        __syncthreads();
        for (i64 c = 0; c < THREADS && first + c < d; ++c)
            for (i64 k = from[c]; k < to[c]; ++k)
                if (rows[k] == row) sum += values[k] * v[first + c];
    }
    if (row < start + count) y[row - start] = sum;
}

extern "C" __global__ void sparse_adjoint(const T *g, const i64 *indptr, const int *rows, const T *values, i64 start, i64 count, T *out)
{
    double sum = 0.0;
    i64 from = first_from(rows, indptr[blockIdx.x], indptr[blockIdx.x + 1], start);
    i64 to = first_from(rows, from, indptr[blockIdx.x + 1], start + count);
    for (i64 k = from + threadIdx.x; k < to; k += THREADS) sum += (double)values[k] * g[rows[k] - start];
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = (T)sum;
}
