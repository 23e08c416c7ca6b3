/* Recurrent layers against their formulas written out for one hidden unit. */
#include <math.h>

#include "tests/unit/kernel_case.h"

static kernel_case layer(dv_op_kind kind, dv_rnn_params params)
{
    kernel_case c = kernel_case_of(kind);
    c.params.rnn = params;
    c.params.rnn.hidden = 1;
    c.params.rnn.directions = 1;
    return c;
}

static float s(double x)
{
    return (float)(1 / (1 + exp(-x)));
}

static void test_a_plain_layer_adds_up_what_it_remembers(void)
{
    kernel_case c = layer(DV_OP_RNN, (dv_rnn_params){.gate = DV_ACTIVATION_RELU});
    kernel_input(&c, DV_DTYPE_F32, "3x1x1", (float[]){1, 2, 3});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){1});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){2});
    kernel_output(&c, DV_DTYPE_F32, "3x1x1x1");
    kernel_output(&c, DV_DTYPE_F32, "1x1x1");
    EXPECT_F32(&c, 1, 4, 11);
    CU_ASSERT_EQUAL(*(const float *)c.outputs[1].data, 11);
    kernel_end(&c);
}

static void test_backwards_begins_at_each_sequences_own_end(void)
{
    kernel_case c = layer(DV_OP_RNN, (dv_rnn_params){.gate = DV_ACTIVATION_RELU, .reverse = true});
    kernel_input(&c, DV_DTYPE_F32, "3x2x1", (float[]){1, 1, 2, 2, 3, 3});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){1});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){2});
    kernel_input(&c, DV_DTYPE_NONE, "", NULL);
    kernel_input(&c, DV_DTYPE_I32, "2", (int32_t[]){3, 2});
    kernel_output(&c, DV_DTYPE_F32, "3x1x2x1");
    EXPECT_F32(&c, 17, 5, 8, 2, 3, 0);
    kernel_end(&c);
}

static void test_the_batch_may_come_first(void)
{
    kernel_case c =
        layer(DV_OP_RNN, (dv_rnn_params){.gate = DV_ACTIVATION_RELU, .batch_first = true});
    kernel_input(&c, DV_DTYPE_F32, "2x2x1", (float[]){1, 2, 10, 20});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){1});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){1});
    kernel_output(&c, DV_DTYPE_F32, "2x2x1x1");
    EXPECT_F32(&c, 1, 3, 10, 30);
    kernel_end(&c);
}

/* x = 1, h = 0.5; z, r, h weights 0.1, 0.2, 0.3; recurrent 0.4, 0.5, 0.6; biases 1 to 6 tenths. */
static void test_a_gated_layer_follows_its_formula(void)
{
    for (int after = 0; after < 2; after++) {
        kernel_case c =
            layer(DV_OP_GRU, (dv_rnn_params){.cell = DV_ACTIVATION_TANH, .reset_after = after});
        kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){1});
        kernel_input(&c, DV_DTYPE_F32, "1x3x1", (float[]){0.1f, 0.2f, 0.3f});
        kernel_input(&c, DV_DTYPE_F32, "1x3x1", (float[]){0.4f, 0.5f, 0.6f});
        kernel_input(&c, DV_DTYPE_F32, "1x6", (float[]){0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f});
        kernel_input(&c, DV_DTYPE_NONE, "", NULL);
        kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){0.5f});
        kernel_output(&c, DV_DTYPE_F32, "1x1x1x1");
        double z = (double)s(0.1 + 0.4 * 0.5 + 0.1 + 0.4), r = (double)s(0.2 + 0.25 + 0.2 + 0.5);
        double h = after ? tanh(0.3 + 0.3 + r * (0.6 * 0.5 + 0.6))
                         : tanh(0.3 + 0.3 + 0.6 * (r * 0.5) + 0.6);
        EXPECT_F32(&c, (float)((1 - z) * h + z * 0.5));
        kernel_end(&c);
    }
}

/* Gates i, o, f, c with weights 1, 2, 3, 4 tenths, no recurrence, c = 0.5, peepholes 0.1 each. */
static void test_a_long_short_term_layer_follows_its_formula(void)
{
    kernel_case c =
        layer(DV_OP_LSTM, (dv_rnn_params){.cell = DV_ACTIVATION_TANH, .state = DV_ACTIVATION_TANH});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){1});
    kernel_input(&c, DV_DTYPE_F32, "1x4x1", (float[]){0.1f, 0.2f, 0.3f, 0.4f});
    kernel_input(&c, DV_DTYPE_F32, "1x4x1", (float[]){0, 0, 0, 0});
    kernel_input(&c, DV_DTYPE_NONE, "", NULL);
    kernel_input(&c, DV_DTYPE_NONE, "", NULL);
    kernel_input(&c, DV_DTYPE_NONE, "", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", (float[]){0.5f});
    kernel_input(&c, DV_DTYPE_F32, "1x3", (float[]){0.1f, 0.1f, 0.1f});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x1");
    kernel_output(&c, DV_DTYPE_F32, "1x1x1");
    kernel_output(&c, DV_DTYPE_F32, "1x1x1");
    double i = (double)s(0.1 + 0.05), f = (double)s(0.3 + 0.05);
    double cell = f * 0.5 + i * tanh(0.4), o = (double)s(0.2 + 0.1 * cell);
    EXPECT_F32(&c, (float)(o * tanh(cell)));
    CU_ASSERT_DOUBLE_EQUAL(*(const float *)c.outputs[2].data, cell, 1e-6);
    kernel_end(&c);
}

static void test_a_sequence_longer_than_the_batch_is_an_error(void)
{
    kernel_case c = layer(DV_OP_RNN, (dv_rnn_params){.gate = DV_ACTIVATION_TANH});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", NULL);
    kernel_input(&c, DV_DTYPE_NONE, "", NULL);
    kernel_input(&c, DV_DTYPE_I32, "1", (int32_t[]){2});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x1");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT);
    kernel_end(&c);
}

static void test_weights_of_another_size_are_refused(void)
{
    kernel_case c = layer(DV_OP_LSTM, (dv_rnn_params){0});
    kernel_input(&c, DV_DTYPE_F32, "1x1x1", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x3x1", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x4x1", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x1");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

DV_SUITE(portable_recurrent, DV_TEST(test_a_plain_layer_adds_up_what_it_remembers),
         DV_TEST(test_backwards_begins_at_each_sequences_own_end),
         DV_TEST(test_the_batch_may_come_first), DV_TEST(test_a_gated_layer_follows_its_formula),
         DV_TEST(test_a_long_short_term_layer_follows_its_formula),
         DV_TEST(test_a_sequence_longer_than_the_batch_is_an_error),
         DV_TEST(test_weights_of_another_size_are_refused));
