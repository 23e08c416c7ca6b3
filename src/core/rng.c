/* rng.c - xoshiro256** and splitmix64. */
#include "core/rng.h"

#include <math.h>

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

dv_rng dv_rng_seeded(uint64_t seed)
{
    dv_rng rng;
    for (int i = 0; i < 4; i++)
        rng.state[i] = mix(seed += 0x9e3779b97f4a7c15u);
    return rng;
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t dv_rng_next(dv_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double dv_rng_uniform(dv_rng *rng)
{
    return (double)(dv_rng_next(rng) >> 11) * 0x1p-53;
}

uint64_t dv_rng_below(dv_rng *rng, uint64_t bound)
{
    uint64_t limit = -bound % bound; /* 2^64 mod bound: values below it would be drawn too often */
    for (;;) {
        uint64_t x = dv_rng_next(rng);
        if (x >= limit)
            return x % bound;
    }
}

double dv_rng_normal(dv_rng *rng)
{
    for (;;) {
        double u = 2 * dv_rng_uniform(rng) - 1, v = 2 * dv_rng_uniform(rng) - 1, s = u * u + v * v;
        if (s > 0 && s < 1)
            return u * sqrt(-2 * log(s) / s);
    }
}

uint64_t dv_rng_at(uint64_t seed, uint64_t index)
{
    return mix(mix(seed) + (index + 1) * 0x9e3779b97f4a7c15u);
}
