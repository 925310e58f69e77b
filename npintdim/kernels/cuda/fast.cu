// Kernels of which only bounds are promised (kernels/reference says what each one computes); the compiler
// may fuse. The compiler is told REAL (float or double) and THREADS (of every block).
//
// Each thread owns one entry of the result and sums what belongs there in a fixed order; nothing is added
// atomically, so the bits are the same in every run.

typedef REAL T;
typedef unsigned int u32;
typedef long long i64;

__device__ i64 thread() { return (i64)blockIdx.x * THREADS + threadIdx.x; }

// ----------------------------------------------------------------------------------------- conv.py

// windows[(c, a, b), (s, i, j)] = x[s, c, i·stride + a − padding, j·stride + b − padding], 0 outside.
extern "C" __global__ void spread_windows(const T *x, i64 n, i64 channels, i64 h, i64 w, i64 k, i64 stride, i64 padding,
                                          i64 h_out, i64 w_out, T *windows)
{
    i64 index = thread(), places = n * h_out * w_out;
    if (index >= channels * k * k * places) return;
    u32 tap = (u32)(index / places), place = (u32)(index - tap * places);
    u32 side = (u32)k, height = (u32)h_out, width = (u32)w_out;  // divisions of 32 bits are several times as fast
    u32 a = tap / side % side, b = tap % side, i = place / width % height, j = place % width;
    i64 row = i * stride + a - padding, column = j * stride + b - padding;
    const T *image = x + ((i64)(place / (height * width)) * channels + tap / (side * side)) * h * w;
    windows[index] = 0 <= row && row < h && 0 <= column && column < w ? image[row * w + column] : (T)0;
}

// The adjoint: dx[s, c, y, x] = Σ over (a, b) of the window entries that were read from there.
extern "C" __global__ void collect_windows(const T *dwindows, i64 n, i64 channels, i64 h, i64 w, i64 k, i64 stride, i64 padding,
                                           i64 h_out, i64 w_out, T *dx)
{
    i64 index = thread();
    if (index >= n * channels * h * w) return;
    i64 x = index % w, y = index / w % h, c = index / (w * h) % channels, s = index / (w * h * channels);
    T sum = 0;
    for (i64 a = 0; a < k; ++a)
        for (i64 b = 0; b < k; ++b) {
            i64 i = y + padding - a, j = x + padding - b;
            if (i < 0 || j < 0 || i % stride || j % stride || i / stride >= h_out || j / stride >= w_out) continue;
            i64 tap = (c * k + a) * k + b, place = (s * h_out + i / stride) * w_out + j / stride;
            sum += dwindows[tap * (n * h_out * w_out) + place];
        }
    dx[index] = sum;
}

// ----------------------------------------------------------------------------------------- pool.py

extern "C" __global__ void max_pool_forward(const T *x, i64 planes, i64 h, i64 w, i64 size, i64 stride, i64 h_out, i64 w_out,
                                            T *y, int *winner)
{
    i64 index = thread();
    if (index >= planes * h_out * w_out) return;
    i64 j = index % w_out, i = index / w_out % h_out;
    const T *window = x + index / (w_out * h_out) * (h * w) + i * stride * w + j * stride;
    T best = window[0];
    int won = 0;
    for (int place = 1; place < size * size; ++place) {
        T seen = window[place / size * w + place % size];
        if (seen > best || (seen != seen && best == best)) best = seen, won = place;  // the first NaN wins, as in NumPy
    }
    y[index] = best, winner[index] = won;
}

extern "C" __global__ void max_pool_backward(const T *dy, const int *winner, i64 planes, i64 h, i64 w, i64 size, i64 stride,
                                             i64 h_out, i64 w_out, T *dx)
{
    i64 index = thread();
    if (index >= planes * h * w) return;
    i64 x = index % w, y = index / w % h, plane = index / (w * h);
    T sum = 0;
    for (i64 a = 0; a < size; ++a)
        for (i64 b = 0; b < size; ++b) {
            i64 i = y - a, j = x - b;
            if (i < 0 || j < 0 || i % stride || j % stride || i / stride >= h_out || j / stride >= w_out) continue;
            i64 place = (plane * h_out + i / stride) * w_out + j / stride;
            if (winner[place] == a * size + b) sum += dy[place];
        }
    dx[index] = sum;
}
