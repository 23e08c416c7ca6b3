/* kernel_case.h - one operator, its operands and what comes out of the portable kernel.

       kernel_case c = kernel_case_of(DV_OP_RELU);
       kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){-1, 0, 1, 2});
       kernel_output(&c, DV_DTYPE_F32, "2x2");
       EXPECT_F32(&c, 0, 0, 0, 1, 2);
       kernel_end(&c);

   Every operand lies in memory of exactly its size, so that a sanitizer sees each stray access. */
#ifndef DV_TESTS_KERNEL_CASE_H
#define DV_TESTS_KERNEL_CASE_H

#include "core/graph.h"
#include "tests/suite.h"

enum { KERNEL_OPERANDS = 12 };

typedef struct kernel_operand {
    dv_dtype dtype;
    dv_shape shape;
    size_t bytes;
    void *data;
} kernel_operand;

typedef struct kernel_case {
    dv_op_kind kind;
    dv_op_params params;
    uint32_t input_count, output_count;
    kernel_operand inputs[KERNEL_OPERANDS], outputs[KERNEL_OPERANDS];
    dv_graph *graph;
    char why[256]; /* if it is not supported */
} kernel_case;

kernel_case kernel_case_of(dv_op_kind kind);

/* Adds an operand of that shape ("2x3", "" for a scalar). An input's elements are copied from
   data; NULL data: 0, 1, 2 and so on. dtype NONE: left out. */
void kernel_input(kernel_case *c, dv_dtype dtype, const char *shape, const void *data);
void kernel_output(kernel_case *c, dv_dtype dtype, const char *shape);

/* DV_OK with outputs computed; DV_BAD_INPUT with `why` if there is no kernel for the case, else
   what the run gave. */
dv_status kernel_run(kernel_case *c);
void kernel_end(kernel_case *c);

/* Runs, and compares output 0 with count expected elements (of its own dtype; f32 within tolerance
   of magnitude, plus absolute); the message of a failure tells the first difference. */
bool kernel_gives(kernel_case *c, const void *expected, size_t count, double tolerance);

#define EXPECT_F32_WITHIN(c, tolerance, ...)                     \
    CU_ASSERT_TRUE(kernel_gives(c, (const float[]){__VA_ARGS__}, \
                                sizeof((const float[]){__VA_ARGS__}) / sizeof(float), tolerance))
#define EXPECT_F32(c, ...) EXPECT_F32_WITHIN(c, 1e-6, __VA_ARGS__)
#define EXPECT(type, c, ...)                                    \
    CU_ASSERT_TRUE(kernel_gives(c, (const type[]){__VA_ARGS__}, \
                                sizeof((const type[]){__VA_ARGS__}) / sizeof(type), 0))

/* Is there no kernel for the case? */
#define EXPECT_UNSUPPORTED(c)                         \
    do {                                              \
        CU_ASSERT_EQUAL(kernel_run(c), DV_BAD_INPUT); \
        CU_ASSERT_TRUE((c)->why[0] != '\0');          \
    } while (0)

#endif
