/* Boxes that are picked: suppression, and the end of a detector. */
#include "tests/unit/kernel_case.h"

/* Three boxes on one place, one beside them, one without area. */
static const float boxes[] = {0, 0, 1, 1,    0, 0.1f, 1, 1.1f, 0, 5,
                              1, 6, 1, 1.2f, 0, 0.2f, 3, 3,    3, 3};

static kernel_case suppression(int64_t most, float overlap, float least, const float *sigma)
{
    kernel_case c = kernel_case_of(DV_OP_SUPPRESS);
    c.params.suppress.most = most;
    kernel_input(&c, DV_DTYPE_F32, "5x4", boxes);
    kernel_input(&c, DV_DTYPE_F32, "5", (float[]){0.6f, 0.9f, 0.7f, 0.8f, 0.1f});
    kernel_input(&c, DV_DTYPE_F32, "", &overlap);
    kernel_input(&c, DV_DTYPE_F32, "", &least);
    if (sigma)
        kernel_input(&c, DV_DTYPE_F32, "", sigma);
    return c;
}

static void test_of_boxes_that_overlap_the_best_is_kept(void)
{
    kernel_case c = suppression(4, 0.5f, 0.3f, NULL);
    kernel_output(&c, DV_DTYPE_I32, "4");
    kernel_output(&c, DV_DTYPE_F32, "4");
    kernel_output(&c, DV_DTYPE_I32, "");
    EXPECT(int32_t, &c, 1, 2, 0, 0);
    const float *scores = c.outputs[1].data;
    CU_ASSERT_EQUAL(scores[0], 0.9f);
    CU_ASSERT_EQUAL(scores[1], 0.7f);
    CU_ASSERT_EQUAL(scores[2], 0);
    CU_ASSERT_EQUAL(*(const int32_t *)c.outputs[2].data, 2);
    kernel_end(&c);
}

static void test_no_more_boxes_are_kept_than_there_is_room_for(void)
{
    kernel_case c = suppression(1, 0.5f, 0.3f, NULL);
    kernel_output(&c, DV_DTYPE_I32, "1");
    EXPECT(int32_t, &c, 1);
    kernel_end(&c);
    c = suppression(0, 0.5f, 0.3f, NULL);
    kernel_output(&c, DV_DTYPE_NONE, "");
    kernel_output(&c, DV_DTYPE_NONE, "");
    kernel_output(&c, DV_DTYPE_I32, "");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
    CU_ASSERT_EQUAL(*(const int32_t *)c.outputs[2].data, 0);
    kernel_end(&c);
}

/* With a sigma, what overlaps has a lower score, and may be kept later. */
static void test_soft_suppression_lowers_scores(void)
{
    const float sigma = 0.5f;
    kernel_case c = suppression(4, 1, 0.3f, &sigma);
    kernel_output(&c, DV_DTYPE_I32, "4");
    kernel_output(&c, DV_DTYPE_F32, "4");
    EXPECT(int32_t, &c, 1, 2, 3, 0);
    const float *scores = c.outputs[1].data;
    CU_ASSERT_EQUAL(scores[1], 0.7f);
    /* 0.8 exp(-(0.9 / 1.1)^2) */
    CU_ASSERT_DOUBLE_EQUAL(scores[2], 0.409613, 1e-5);
    kernel_end(&c);
}

/* Five anchors of one size, the boxes on them, scores of a background and two classes. */
static kernel_case detection(int64_t most, int64_t per_box, bool by_class)
{
    kernel_case c = kernel_case_of(DV_OP_DETECT);
    c.params.detect = (dv_detect_params){.most = most,
                                         .classes = 2,
                                         .classes_per_box = per_box,
                                         .by_class = by_class,
                                         .most_per_class = 100,
                                         .score = 0.25,
                                         .overlap = 0.5,
                                         .y_scale = 10,
                                         .x_scale = 10,
                                         .h_scale = 5,
                                         .w_scale = 5};
    static const float codes[3 * 4] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    static const float scores[3 * 3] = {0, 0.5f, 0.9f, 0, 0.75f, 0.375f, 0, 0.125f, 0.25f};
    static const float anchors[3 * 4] = {0.5f, 0.5f, 1, 1, 0.5f, 0.5f, 1, 1, 3, 3, 1, 1};
    kernel_input(&c, DV_DTYPE_F32, "1x3x4", codes);
    kernel_input(&c, DV_DTYPE_F32, "1x3x3", scores);
    kernel_input(&c, DV_DTYPE_F32, "3x4", anchors);
    return c;
}

static bool gives(const kernel_case *c, uint32_t output, const float *expected, size_t count)
{
    const float *got = c->outputs[output].data;
    bool same = c->outputs[output].bytes == count * sizeof *got;
    for (size_t i = 0; same && i < count; i++)
        same = got[i] > expected[i] - 1e-6f && got[i] < expected[i] + 1e-6f;
    return same;
}

#define GIVES(c, output, ...)                                     \
    CU_ASSERT_TRUE(gives(c, output, (const float[]){__VA_ARGS__}, \
                         sizeof((const float[]){__VA_ARGS__}) / sizeof(float)))

static void test_boxes_compete_by_their_best_class(void)
{
    kernel_case c = detection(3, 2, false);
    kernel_output(&c, DV_DTYPE_F32, "1x6x4");
    kernel_output(&c, DV_DTYPE_F32, "1x6");
    kernel_output(&c, DV_DTYPE_F32, "1x6");
    kernel_output(&c, DV_DTYPE_F32, "1");
    CU_ASSERT_EQUAL_FATAL(kernel_run(&c), DV_OK);
    GIVES(&c, 0, 0, 0, 1, 1, 0, 0, 1, 1, 2.5f, 2.5f, 3.5f, 3.5f, 2.5f, 2.5f, 3.5f, 3.5f, 0, 0, 0, 0,
          0, 0, 0, 0);
    GIVES(&c, 1, 1, 0, 1, 0, 0, 0);
    GIVES(&c, 2, 0.9f, 0.5f, 0.25f, 0.125f, 0, 0);
    GIVES(&c, 3, 2);
    kernel_end(&c);
}

static void test_boxes_compete_within_their_class(void)
{
    kernel_case c = detection(3, 1, true);
    kernel_output(&c, DV_DTYPE_F32, "1x3x4");
    kernel_output(&c, DV_DTYPE_F32, "1x3");
    kernel_output(&c, DV_DTYPE_F32, "1x3");
    kernel_output(&c, DV_DTYPE_F32, "1");
    CU_ASSERT_EQUAL_FATAL(kernel_run(&c), DV_OK);
    GIVES(&c, 0, 0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 2.5f, 2.5f, 3.5f, 3.5f);
    GIVES(&c, 1, 1, 0, 1);
    GIVES(&c, 2, 0.9f, 0.75f, 0.25f);
    GIVES(&c, 3, 3);
    kernel_end(&c);
}

static void test_an_anchor_of_negative_size_is_an_error(void)
{
    kernel_case c = detection(3, 1, false);
    ((float *)c.inputs[2].data)[2] = -1;
    kernel_output(&c, DV_DTYPE_F32, "1x3x4");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT);
    kernel_end(&c);
}

static void test_outputs_of_another_size_are_refused(void)
{
    kernel_case c = detection(3, 1, false);
    kernel_output(&c, DV_DTYPE_F32, "1x2x4");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

DV_SUITE(portable_detect, DV_TEST(test_of_boxes_that_overlap_the_best_is_kept),
         DV_TEST(test_no_more_boxes_are_kept_than_there_is_room_for),
         DV_TEST(test_soft_suppression_lowers_scores),
         DV_TEST(test_boxes_compete_by_their_best_class),
         DV_TEST(test_boxes_compete_within_their_class),
         DV_TEST(test_an_anchor_of_negative_size_is_an_error),
         DV_TEST(test_outputs_of_another_size_are_refused));
