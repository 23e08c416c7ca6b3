/* test_runtime_layout.c - every element finds its place, for any shape, and finds back. */
#include "runtime/layout.h"

#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

static const int64_t shapes[][4] = {{1, 3, 224, 224}, {2, 1, 5, 7},   {1, 64, 1, 1},  {1, 33, 7, 5},
                                    {3, 4, 4, 4},     {1, 130, 3, 1}, {2, 31, 9, 11}, {1, 5, 1, 3}};

static void channels_last_holds_every_element_where_it_belongs(void)
{
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        dv_shape shape = dv_shape_make(shapes[s], 4);
        size_t n = (size_t)shape.dim[0], c = (size_t)shape.dim[1];
        size_t p = (size_t)(shape.dim[2] * shape.dim[3]), wrong = 0;
        float *plain = malloc(n * c * p * sizeof(float));
        float *last = malloc(n * c * p * sizeof(float));
        float *back = malloc(n * c * p * sizeof(float));
        CU_ASSERT_FATAL(plain && last && back);
        for (size_t i = 0; i < n * c * p; i++)
            plain[i] = (float)i;
        dv_layout_convert(DV_DTYPE_F32, &shape, plain, DV_LAYOUT_PLAIN, last,
                          DV_LAYOUT_CHANNELS_LAST);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < c; j++)
                for (size_t k = 0; k < p; k++)
                    wrong += last[(i * p + k) * c + j] != plain[(i * c + j) * p + k];
        CU_ASSERT_EQUAL(wrong, 0);
        dv_layout_convert(DV_DTYPE_F32, &shape, last, DV_LAYOUT_CHANNELS_LAST, back,
                          DV_LAYOUT_PLAIN);
        CU_ASSERT_EQUAL(memcmp(back, plain, n * c * p * sizeof(float)), 0);
        free(plain);
        free(last);
        free(back);
    }
}

static void one_channel_or_one_pixel_needs_no_conversion(void)
{
    dv_shape image = dv_shape_make((int64_t[]){1, 1, 5, 5}, 4);
    dv_shape vector = dv_shape_make((int64_t[]){1, 9, 1, 1}, 4);
    dv_shape both = dv_shape_make((int64_t[]){1, 2, 2, 1}, 4);
    CU_ASSERT_TRUE(dv_layout_same_bytes(&image));
    CU_ASSERT_TRUE(dv_layout_same_bytes(&vector));
    CU_ASSERT_FALSE(dv_layout_same_bytes(&both));
}

static void only_images_of_floats_may_be_channels_last(void)
{
    dv_shape image = dv_shape_make((int64_t[]){1, 2, 2, 1}, 4);
    dv_shape matrix = dv_shape_make((int64_t[]){2, 2}, 2);
    CU_ASSERT_TRUE(dv_layout_may_be_channels_last(DV_DTYPE_F32, &image));
    CU_ASSERT_FALSE(dv_layout_may_be_channels_last(DV_DTYPE_I64, &image));
    CU_ASSERT_FALSE(dv_layout_may_be_channels_last(DV_DTYPE_F32, &matrix));
}

DV_SUITE(runtime_layout, DV_TEST(channels_last_holds_every_element_where_it_belongs),
         DV_TEST(one_channel_or_one_pixel_needs_no_conversion),
         DV_TEST(only_images_of_floats_may_be_channels_last));
