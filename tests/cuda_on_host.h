// Runs CUDA kernels on the processor, one block after another. The threads of a block are fibers that
// take turns at __syncthreads(), first to last or last to first: a kernel without races gives the same
// bits both ways. A block whose threads do not all meet at the same barrier is reported. Kernels without a
// barrier run thread after thread, without the fibers' cost.

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <ucontext.h>

#define __global__
#define __device__
#define __shared__ static

struct Index { unsigned x; };
static Index blockIdx, threadIdx;

template <class V> V atomicAdd(V *place, V x) { V before = *place; *place += x; return before; }

namespace host {

constexpr size_t STACK = 1 << 16;
static ucontext_t scheduler, fibers[THREADS];
static bool finished[THREADS], in_fiber = false;
static char *stacks = nullptr;
static void (*body)(void *);
static void *body_args;

void fiber()
{
    body(body_args);
    finished[threadIdx.x] = true;
}

void run_threads(bool backwards)
{
    for (unsigned turn = 0; turn < THREADS; ++turn) {
        threadIdx.x = backwards ? THREADS - 1 - turn : turn;
        body(body_args);
    }
}

bool run_fibers(bool backwards)  // false: some threads ended while others wait at a barrier
{
    if (!stacks) stacks = (char *)malloc(STACK * THREADS);
    for (unsigned t = 0; t < THREADS; ++t) {
        getcontext(&fibers[t]);
        fibers[t].uc_stack.ss_sp = stacks + t * STACK;
        fibers[t].uc_stack.ss_size = STACK;
        fibers[t].uc_link = &scheduler;
        makecontext(&fibers[t], fiber, 0);
        finished[t] = false;
    }
    for (unsigned done = 0; done < THREADS;) {
        for (unsigned turn = 0; turn < THREADS; ++turn) {
            threadIdx.x = backwards ? THREADS - 1 - turn : turn;
            swapcontext(&scheduler, &fibers[threadIdx.x]);
            done += finished[threadIdx.x];
        }
        if (done % THREADS) return false;
    }
    return true;
}

template <class... A, size_t... I> void call(void (*kernel)(A...), void **args, std::index_sequence<I...>)
{
    kernel(*static_cast<A *>(args[I])...);
}

template <auto kernel> struct Launch;
template <class... A, void (*kernel)(A...)> struct Launch<kernel> {
    static int run(unsigned grid, int barrier, int backwards, void **args)
    {
        in_fiber = barrier;
        body = [](void *args) { call(kernel, (void **)args, std::index_sequence_for<A...>()); };
        body_args = args;
        for (unsigned b = 0; b < grid; ++b) {
            blockIdx.x = backwards ? grid - 1 - b : b;
            if (!barrier) run_threads(backwards);
            else if (!run_fibers(backwards)) return 1;
        }
        return 0;
    }

    template <class V> static std::string type()  // as NumPy writes it: f4, i8, ...; *f4 is a pointer
    {
        using Bare = std::remove_cv_t<V>;
        if constexpr (std::is_pointer_v<Bare>) return "*" + type<std::remove_pointer_t<Bare>>();
        else if constexpr (std::is_void_v<Bare>) return "?";
        else return (std::is_floating_point_v<Bare> ? "f" : std::is_signed_v<Bare> ? "i" : "u") + std::to_string(sizeof(Bare));
    }

    static const char *types()
    {
        static std::string all = ((type<A>() + " ") + ...);
        return all.c_str();
    }
};

}  // namespace host

inline void __syncthreads()
{
    if (!host::in_fiber) abort();  // cuda_on_host.py did not see this barrier
    swapcontext(&host::fibers[threadIdx.x], &host::scheduler);
}
