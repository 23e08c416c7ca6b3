/* rng.h - seeded pseudo-random numbers, the same on every machine.

   xoshiro256** by Blackman and Vigna (https://prng.di.unimi.it), seeded by splitmix64. */
#ifndef DV_CORE_RNG_H
#define DV_CORE_RNG_H

#include <stdint.h>

typedef struct dv_rng {
    uint64_t state[4];
} dv_rng;

dv_rng dv_rng_seeded(uint64_t seed);
uint64_t dv_rng_next(dv_rng *rng);

/* Uniform in [0, 1), 53 bits. */
double dv_rng_uniform(dv_rng *rng);

/* Uniform in [0, bound), bound > 0, without modulo bias. */
uint64_t dv_rng_below(dv_rng *rng, uint64_t bound);

/* Standard normal (polar method). */
double dv_rng_normal(dv_rng *rng);

/* A hash of (seed, index) for counter-based generation: element i of a generated tensor needs no
   element before it. splitmix64 finaliser. */
uint64_t dv_rng_at(uint64_t seed, uint64_t index);

#endif
