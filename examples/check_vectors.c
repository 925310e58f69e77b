/* Philox and the Walsh-Hadamard transform in C, checked against the test vectors:
 *   npintdim vectors export --format c-header --family philox --family wht --out vectors.h
 *   cc -std=c99 -O2 -ffp-contract=off -I. check_vectors.c -o check_vectors -lm && ./check_vectors */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "vectors.h"

static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xd2511f53u * c0, p1 = (uint64_t)0xcd9e8d57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1, c3 = (uint32_t)p0;
        k0 += 0x9e3779b9u, k1 += 0xbb67ae85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static uint32_t word(uint64_t seed, uint32_t purpose, uint32_t lane, uint64_t i) {
    uint32_t out[4], counter[4] = {(uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), lane, purpose};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    philox(counter, key, out);
    return out[i % 4];
}

static int wht(double *x, size_t n) { /* 0: n is no power of two */
    if (n == 0 || (n & (n - 1))) return 0;
    for (size_t h = 1; h < n; h *= 2)
        for (size_t i = 0; i < n; i++)
            if (!(i & h)) { double a = x[i], b = x[i + h]; x[i] = a + b, x[i + h] = a - b; }
    return 1;
}

static int failed = 0;
static void report(const char *id, int ok) { failed += !ok; printf("%-28s %s\n", id, ok ? "ok" : "FAILED"); }

int main(void) {
    for (int k = 0; k < npintdim_philox_given_block_count; k++) {
        uint32_t out[4];
        philox(npintdim_philox_given_block[k].counter, npintdim_philox_given_block[k].key, out);
        report(npintdim_philox_given_block[k].id, !memcmp(out, npintdim_philox_given_block[k].words, sizeof out));
    }
    for (int k = 0; k < npintdim_philox_seeded_words_count; k++) {
        struct npintdim_philox_seeded_words_test t = npintdim_philox_seeded_words[k];
        int ok = 1;
        for (int64_t i = 0; i < t.count; i++) ok &= word(t.seed, (uint32_t)t.purpose, (uint32_t)t.lane, t.start + (uint64_t)i) == t.words[i];
        report(t.id, ok);
    }
    for (int k = 0; k < npintdim_wht_given_transform_count; k++) {
        struct npintdim_wht_given_transform_test t = npintdim_wht_given_transform[k];
        static double x[65536]; double error = 0;
        memcpy(x, t.x, t.x_size * sizeof *x);
        int answered = wht(x, t.x_size);
        for (size_t i = 0; answered && i < t.y_size; i++) error = fmax(error, fabs(x[i] - t.y[i]));
        report(t.id, answered == t.valid && (!t.valid || error <= t.y_bound));
    }
    return failed != 0;
}
