/* test_fit.c - the roofline is recovered from its own times, with noise and outliers. */
#include <math.h>
#include <stdio.h>

#include "core/rng.h"
#include "costmodel/fit.h"
#include "tests/suite.h"

enum { COUNT = 60 };

static const dv_fit truth = {2.0, 30.0, 8.0, 20.0};

/* Layers of all sizes, some bound by products, some by weights, some by activations. */
static void draw(dv_rng *rng, double noise, dv_sample samples[COUNT])
{
    for (int i = 0; i < COUNT; i++) {
        dv_sample *s = &samples[i];
        *s = (dv_sample){.macs = exp(8 + 10 * dv_rng_uniform(rng)),
                         .weight_bytes = exp(6 + 9 * dv_rng_uniform(rng)),
                         .activation_bytes = exp(6 + 9 * dv_rng_uniform(rng))};
        s->measured_us = dv_fit_us(&truth, s) * exp(noise * dv_rng_normal(rng));
    }
}

static void check_near(double value, double expected, double tolerance, uint64_t seed)
{
    if (fabs(value / expected - 1) > tolerance)
        fprintf(stderr, "seed %llu: %g, expected %g\n", (unsigned long long)seed, value, expected);
    CU_ASSERT_TRUE(fabs(value / expected - 1) <= tolerance);
}

static void test_exact_times_give_back_their_parameters(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_sample samples[COUNT];
        draw(&rng, 0.0, samples);
        dv_fit fit = dv_fit_row(samples, COUNT, dv_fit_prior(samples, COUNT));
        check_near(fit.launch_us, truth.launch_us, 0.05, seed);
        check_near(fit.gmacs, truth.gmacs, 0.05, seed);
        check_near(fit.weight_gbs, truth.weight_gbs, 0.05, seed);
        check_near(fit.activation_gbs, truth.activation_gbs, 0.05, seed);
    }
}

static void test_outliers_and_noise_are_withstood(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_sample samples[COUNT];
        double scratch[COUNT];
        draw(&rng, 0.05, samples);
        for (int i = 0; i < COUNT; i += 12)
            samples[i].measured_us *= 4; /* somebody else had the processor */
        dv_fit fit = dv_fit_row(samples, COUNT, dv_fit_prior(samples, COUNT));
        check_near(fit.gmacs, truth.gmacs, 0.15, seed);
        CU_ASSERT_TRUE(dv_fit_error(&fit, samples, COUNT, 0.5, scratch) < 0.08);
    }
}

static void test_without_products_there_is_no_rate(void)
{
    dv_sample samples[] = {{0, 0, 1e4, 2.0}, {0, 0, 1e5, 11.0}, {0, 0, 1e6, 101.0}};
    dv_fit fit = dv_fit_row(samples, 3, dv_fit_prior(samples, 3));
    CU_ASSERT_TRUE(isinf(fit.gmacs));
    check_near(fit.launch_us, 1.0, 0.1, 0);
    check_near(fit.activation_gbs, 10.0, 0.1, 0);
}

static void test_a_line_has_its_latency_and_bandwidth(void)
{
    dv_sample moves[8];
    for (int i = 0; i < 8; i++) {
        double bytes = 4096.0 * (1 << (2 * i));
        moves[i] = (dv_sample){.activation_bytes = bytes, .measured_us = 3.0 + bytes / 5e3};
    }
    double latency_us, gbs;
    dv_fit_line(moves, 8, &latency_us, &gbs);
    check_near(latency_us, 3.0, 0.1, 0);
    check_near(gbs, 5.0, 0.05, 0);
}

static void test_a_single_sample_is_fitted_without_absurdity(void)
{
    dv_sample one = {1e6, 1e4, 1e5, 100.0};
    dv_fit fit = dv_fit_row(&one, 1, dv_fit_prior(&one, 1));
    check_near(dv_fit_us(&fit, &one), 100.0, 0.2, 0);
    CU_ASSERT_TRUE(isfinite(fit.weight_gbs) && fit.weight_gbs > 0.0);
}

static void test_quantiles_interpolate(void)
{
    double values[] = {4, 1, 3, 2};
    CU_ASSERT_EQUAL(dv_quantile(values, 4, 0.0), 1.0);
    CU_ASSERT_EQUAL(dv_quantile(values, 4, 0.5), 2.5);
    CU_ASSERT_EQUAL(dv_quantile(values, 4, 1.0), 4.0);
    CU_ASSERT_EQUAL(dv_quantile(values, 0, 0.5), 0.0);
}

DV_SUITE(cost_fit, DV_TEST(test_exact_times_give_back_their_parameters),
         DV_TEST(test_outliers_and_noise_are_withstood),
         DV_TEST(test_without_products_there_is_no_rate),
         DV_TEST(test_a_line_has_its_latency_and_bandwidth),
         DV_TEST(test_a_single_sample_is_fitted_without_absurdity),
         DV_TEST(test_quantiles_interpolate));
