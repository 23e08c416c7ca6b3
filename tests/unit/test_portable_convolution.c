/* Convolution, plain and transposed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "tests/unit/kernel_case.h"

static kernel_case conv_case(uint8_t spatial, int64_t groups, int64_t stride, int64_t dilation,
                             int64_t pad)
{
    kernel_case c = kernel_case_of(DV_OP_CONVOLUTION);
    dv_conv_params *p = &c.params.conv;
    p->spatial = spatial;
    p->groups = groups;
    for (int d = 0; d < spatial; d++) {
        p->stride[d] = stride;
        p->dilation[d] = dilation;
        p->pad_begin[d] = p->pad_end[d] = pad;
    }
    return c;
}

static void test_kernel_with_a_single_one_in_its_middle_copies_the_image(void)
{
    float delta[9] = {[4] = 1};
    kernel_case c = conv_case(2, 1, 1, 1, 1);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3x4", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3x3", delta);
    kernel_output(&c, DV_DTYPE_F32, "1x1x3x4");
    EXPECT_F32(&c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    kernel_end(&c);
}

static void test_kernel_of_ones_sums_the_window_and_padding_counts_as_zero(void)
{
    const float ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    kernel_case c = conv_case(2, 1, 1, 1, 1);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3x3", ones);
    kernel_input(&c, DV_DTYPE_F32, "1", (float[]){0.5f});
    kernel_output(&c, DV_DTYPE_F32, "1x1x3x3");
    EXPECT_F32(&c, 8.5f, 15.5f, 12.5f, 21.5f, 36.5f, 27.5f, 20.5f, 33.5f, 24.5f);
    kernel_end(&c);
}

static void test_depthwise_convolution_keeps_channels_apart(void)
{
    kernel_case c = conv_case(1, 2, 1, 1, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x2x3", NULL); /* 0 1 2, 3 4 5 */
    kernel_input(&c, DV_DTYPE_F32, "2x1x2", (float[]){1, -1, 10, 1});
    kernel_output(&c, DV_DTYPE_F32, "1x2x2");
    EXPECT_F32(&c, -1, -1, 34, 45);
    kernel_end(&c);
}

static void test_pads_may_differ_and_crop(void)
{
    kernel_case c = conv_case(1, 1, 1, 1, 0);
    c.params.conv.pad_begin[0] = 2;
    c.params.conv.pad_end[0] = -1;
    kernel_input(&c, DV_DTYPE_F32, "1x1x3", (float[]){5, 6, 7});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){2});
    kernel_output(&c, DV_DTYPE_F32, "1x1x4");
    EXPECT_F32(&c, 0, 0, 10, 12);
    kernel_end(&c);
}

static void test_transposed_convolution_spreads_each_input_over_its_window(void)
{
    kernel_case c = conv_case(1, 1, 2, 1, 0);
    c.params.conv.transposed = true;
    kernel_input(&c, DV_DTYPE_F32, "1x1x2", (float[]){1, 10});
    kernel_input(&c, DV_DTYPE_F32, "1x1x3", (float[]){1, 2, 3});
    kernel_output(&c, DV_DTYPE_F32, "1x1x5");
    EXPECT_F32(&c, 1, 2, 13, 20, 30);
    kernel_end(&c);
}

static void test_output_of_another_size_is_refused(void)
{
    kernel_case c = conv_case(2, 1, 1, 1, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x3x3");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_groups_that_do_not_divide_the_channels_are_refused(void)
{
    kernel_case c = conv_case(1, 2, 1, 1, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x3x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "2x1x1", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x2x3");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_batch_of_no_images_gives_no_output(void)
{
    kernel_case c = conv_case(2, 1, 1, 1, 0);
    kernel_input(&c, DV_DTYPE_F32, "0x1x3x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "4x1x1x1", NULL);
    kernel_output(&c, DV_DTYPE_F32, "0x4x3x3");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
    kernel_end(&c);
}

static void test_image_without_pixels_gives_the_bias(void)
{
    kernel_case c = conv_case(1, 1, 1, 1, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x1x0", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1", (float[]){7});
    kernel_output(&c, DV_DTYPE_F32, "1x1x2");
    EXPECT_F32(&c, 7, 7);
    kernel_end(&c);
}

/* --- against the definition, term by term -------------------------------------------------------
 */

typedef struct sizes {
    int64_t batch, groups, in_channels, out_channels; /* channels of one group */
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], begin[3], end[3], extra[3];
    int spatial;
    bool transposed;
} sizes;

/* Adds input pixel i through kernel position k to output pixel o wherever the three belong
   together; every combination is tried. */
static bool meets(const sizes *s, const int64_t *i, const int64_t *k, const int64_t *o)
{
    for (int d = 0; d < 3; d++) {
        int64_t near = s->transposed ? o[d] : i[d], far = s->transposed ? i[d] : o[d];
        if (near + s->begin[d] != far * s->stride[d] + k[d] * s->dilation[d])
            return false;
    }
    return true;
}

static void unpack(int64_t index, const int64_t *size, int64_t *at)
{
    for (int d = 2; d >= 0; d--) {
        at[d] = index % size[d];
        index /= size[d];
    }
}

static int64_t volume(const int64_t *size)
{
    return size[0] * size[1] * size[2];
}

static void by_definition(const sizes *s, const float *x, const float *w, const float *b, double *y)
{
    int64_t ins = volume(s->in), outs = volume(s->out), taps = volume(s->kernel);
    for (int64_t n = 0; n < s->batch * s->groups; n++)
        for (int64_t o = 0; o < s->out_channels; o++)
            for (int64_t q = 0; q < outs; q++) {
                int64_t g = n % s->groups, at[3], from[3], tap[3];
                double sum = (double)b[g * s->out_channels + o];
                unpack(q, s->out, at);
                for (int64_t c = 0; c < s->in_channels; c++)
                    for (int64_t i = 0; i < ins; i++)
                        for (int64_t k = 0; k < taps; k++) {
                            unpack(i, s->in, from);
                            unpack(k, s->kernel, tap);
                            int64_t row = s->transposed
                                              ? (g * s->in_channels + c) * s->out_channels + o
                                              : (g * s->out_channels + o) * s->in_channels + c;
                            if (meets(s, from, tap, at))
                                sum += (double)x[(n * s->in_channels + c) * ins + i] *
                                       (double)w[row * taps + k];
                        }
                y[(n * s->out_channels + o) * outs + q] = sum;
            }
}

static sizes random_sizes(dv_rng *rng)
{
    sizes s = {.batch = 1 + (int64_t)dv_rng_below(rng, 2),
               .groups = 1 + (int64_t)dv_rng_below(rng, 3),
               .in_channels = 1 + (int64_t)dv_rng_below(rng, 3),
               .out_channels = 1 + (int64_t)dv_rng_below(rng, 4),
               .spatial = 1 + (int)dv_rng_below(rng, 3),
               .transposed = dv_rng_below(rng, 3) == 0};
    for (int d = 0; d < 3; d++) {
        bool there = d >= 3 - s.spatial;
        s.in[d] = there ? 3 + (int64_t)dv_rng_below(rng, s.spatial == 1 ? 20 : 4) : 1;
        s.kernel[d] = there ? 1 + (int64_t)dv_rng_below(rng, 3) : 1;
        s.stride[d] = there ? 1 + (int64_t)dv_rng_below(rng, 3) : 1;
        s.dilation[d] = there ? 1 + (int64_t)dv_rng_below(rng, 2) : 1;
        s.begin[d] = there ? (int64_t)dv_rng_below(rng, 3) : 0;
        s.end[d] = there ? (int64_t)dv_rng_below(rng, 3) : 0;
        s.extra[d] = there && s.transposed ? (int64_t)dv_rng_below(rng, (uint64_t)s.stride[d]) : 0;
        int64_t span = (s.kernel[d] - 1) * s.dilation[d] + 1, pads = s.begin[d] + s.end[d];
        s.out[d] = s.transposed ? (s.in[d] - 1) * s.stride[d] + span - pads + s.extra[d]
                                : (s.in[d] + pads - span) / s.stride[d] + 1;
        if (s.in[d] + pads < span)
            s.out[d] = 0;
    }
    return s;
}

static char *shape_text(char *text, int64_t a, int64_t b, const int64_t *spatial, int count)
{
    int length = sprintf(text, "%ldx%ld", (long)a, (long)b);
    for (int d = 3 - count; d < 3; d++)
        length += sprintf(text + length, "x%ld", (long)spatial[d]);
    return text;
}

static float *random_floats(dv_rng *rng, int64_t count)
{
    float *values = malloc(sizeof *values * (size_t)(count + 1));
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(dv_rng_uniform(rng) * 2 - 1);
    return values;
}

static bool agrees(const sizes *s, dv_rng *rng)
{
    char text[128];
    kernel_case c = conv_case((uint8_t)s->spatial, s->groups, 1, 1, 0);
    dv_conv_params *p = &c.params.conv;
    p->transposed = s->transposed;
    for (int d = 0; d < s->spatial; d++) {
        int from = d + 3 - s->spatial;
        p->stride[d] = s->stride[from];
        p->dilation[d] = s->dilation[from];
        p->pad_begin[d] = s->begin[from];
        p->pad_end[d] = s->end[from];
        p->output_padding[d] = s->extra[from];
    }
    int64_t in = s->groups * s->in_channels, out = s->groups * s->out_channels;
    int64_t outputs = s->batch * out * volume(s->out);
    float *x = random_floats(rng, s->batch * in * volume(s->in));
    float *w = random_floats(rng, in * s->out_channels * volume(s->kernel));
    float *b = random_floats(rng, out);
    double *y = calloc((size_t)outputs + 1, sizeof *y);
    float *want = calloc((size_t)outputs + 1, sizeof *want);
    by_definition(s, x, w, b, y);
    for (int64_t i = 0; i < outputs; i++)
        want[i] = (float)y[i];
    kernel_input(&c, DV_DTYPE_F32, shape_text(text, s->batch, in, s->in, s->spatial), x);
    kernel_input(&c, DV_DTYPE_F32,
                 s->transposed ? shape_text(text, in, s->out_channels, s->kernel, s->spatial)
                               : shape_text(text, out, s->in_channels, s->kernel, s->spatial),
                 w);
    sprintf(text, "%ld", (long)out);
    kernel_input(&c, DV_DTYPE_F32, text, b);
    kernel_output(&c, DV_DTYPE_F32, shape_text(text, s->batch, out, s->out, s->spatial));
    bool same = kernel_gives(&c, want, (size_t)outputs, 1e-6);
    kernel_end(&c);
    free(x);
    free(w);
    free(b);
    free(y);
    free(want);
    return same;
}

static void test_random_convolutions_agree_with_the_definition(void)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        sizes s = random_sizes(&rng);
        if (s.out[0] < 1 || s.out[1] < 1 || s.out[2] < 1)
            continue; /* the window does not fit */
        bool same = agrees(&s, &rng);
        if (!same)
            printf("    seed %lu\n", (unsigned long)seed);
        CU_ASSERT_TRUE(same);
    }
}

DV_SUITE(portable_convolution,
         DV_TEST(test_kernel_with_a_single_one_in_its_middle_copies_the_image),
         DV_TEST(test_kernel_of_ones_sums_the_window_and_padding_counts_as_zero),
         DV_TEST(test_depthwise_convolution_keeps_channels_apart),
         DV_TEST(test_pads_may_differ_and_crop),
         DV_TEST(test_transposed_convolution_spreads_each_input_over_its_window),
         DV_TEST(test_output_of_another_size_is_refused),
         DV_TEST(test_groups_that_do_not_divide_the_channels_are_refused),
         DV_TEST(test_batch_of_no_images_gives_no_output),
         DV_TEST(test_image_without_pixels_gives_the_bias),
         DV_TEST(test_random_convolutions_agree_with_the_definition));
