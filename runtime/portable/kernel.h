/* kernel.h - what a reference kernel sees, and what all of them share.

   To add an operator: write one function of type dv_kernel in the file of its theme and one line in
   kernels.def. A kernel finds its operands as plain row-major arrays; it computes in double (or in
   64-bit integers) and rounds once, when it stores. The check of the same line has seen the call
   before: it says which types and shapes the kernel takes, so that the kernel need not ask. */
#ifndef DV_RUNTIME_PORTABLE_KERNEL_H
#define DV_RUNTIME_PORTABLE_KERNEL_H

#include "core/graph.h"

/* A tensor in plain layout. An input that was left out and an output that nobody asked for have
   dtype NONE and no data. */
typedef struct dv_operand {
    dv_dtype dtype;
    dv_shape shape;
    size_t count; /* elements */
    void *data;   /* of an input: only to be read */
} dv_operand;

typedef struct dv_kernel_call {
    const dv_op *op; /* kind and params, core form */
    uint32_t input_count, output_count;
    dv_operand *inputs;  /* at least as many as the kind can take */
    dv_operand *outputs; /* at least one */
    void *scratch;       /* as large as the line's scratch function asked for */
    size_t *found;       /* where the values decide: how many rows there were; may be NULL */
} dv_kernel_call;

/* Computes the outputs. DV_BAD_INPUT for values only. */
typedef dv_status (*dv_kernel)(const dv_kernel_call *call);

/* NULL if the kernel can take these types, shapes and params; else why not. Data is not there yet.
 */
typedef const char *(*dv_kernel_check)(const dv_kernel_call *call);

typedef size_t (*dv_kernel_scratch)(const dv_kernel_call *call); /* bytes; SIZE_MAX: too many */

typedef struct dv_kernel_row {
    dv_kernel run; /* NULL: no kernel for this kind */
    dv_kernel_check check;
    dv_kernel_scratch scratch; /* NULL: none */
} dv_kernel_row;

const dv_kernel_row *dv_kernel_of(dv_op_kind kind);

static inline bool dv_given(const dv_operand *operand)
{
    return operand->dtype != DV_DTYPE_NONE;
}

/* --- elements.c: elements of any dtype, a block at a time --------------------------------------
 */

/* Kernels that compute element by element work through blocks of this many. */
enum { DV_BLOCK = 256 };

/* count elements from index first, stride apart (0 repeats one element), as double or int64
   (U64 keeps its bits). */
void dv_load_f64(const dv_operand *from, size_t first, ptrdiff_t stride, size_t count, double *out);
void dv_load_i64(const dv_operand *from, size_t first, ptrdiff_t stride, size_t count,
                 int64_t *out);

/* Rounds to the dtype: floats to nearest even; integers toward zero, held to the dtype's range, NaN
   to 0; BOOL is "not zero". From int64, integers wrap. */
void dv_store_f64(const dv_operand *to, size_t first, ptrdiff_t stride, size_t count,
                  const double *in);
void dv_store_i64(const dv_operand *to, size_t first, ptrdiff_t stride, size_t count,
                  const int64_t *in);

/* One element as double. */
double dv_at(const dv_operand *from, size_t index);
void dv_put(const dv_operand *to, size_t index, double value);

/* --- walk.c: several arrays through one index space --------------------------------------------
 */

enum { DV_WALK_RANK = 2 * DV_MAX_RANK, DV_WALK_MANY = 4 };

/* An index space whose innermost dimension is a row: a kernel handles a row in a plain loop, and
   the walk steps through the rows, keeping for every array the index of the row's first element.

       dv_walk walk;                      for every row of the space
       dv_walk_start(&walk, ...);
       do { row of walk.length at walk.at[a], walk.step[a] apart } while (dv_walk_next(&walk));

   Check walk.empty first: an index space without elements has no row. */
typedef struct dv_walk {
    size_t many; /* arrays */
    bool empty;
    size_t length;                /* of a row */
    ptrdiff_t step[DV_WALK_MANY]; /* within a row */
    ptrdiff_t at[DV_WALK_MANY];   /* first element of this row */
    size_t rank;                  /* of the space of rows */
    size_t dim[DV_WALK_RANK], index[DV_WALK_RANK];
    ptrdiff_t stride[DV_WALK_MANY][DV_WALK_RANK];
} dv_walk;

/* Over rank dims, with one stride an array and dim. Neighbouring dims that all arrays traverse
   evenly become one, so that rows are as long as they can be. O(rank^2). */
void dv_walk_start(dv_walk *walk, size_t rank, const int64_t *dim, size_t many,
                   ptrdiff_t (*stride)[DV_WALK_RANK]);
bool dv_walk_next(dv_walk *walk);

/* The index in `array` of this row's i-th element. */
static inline size_t dv_walk_index(const dv_walk *walk, size_t array, size_t i)
{
    return (size_t)(walk->at[array] + (ptrdiff_t)i * walk->step[array]);
}

/* Row-major strides of a shape, in elements. */
void dv_strides(const dv_shape *shape, ptrdiff_t *stride);

/* Strides by which `operand` is read when it is broadcast to `over`: 0 where it has one element. */
void dv_broadcast_strides(const dv_shape *operand, const dv_shape *over, ptrdiff_t *stride);

/* Copies a walk of two arrays, 0 from 1, elements of size bytes (1, 2, 4, 8), from these bases. */
void dv_copy_walk(dv_walk *walk, size_t size, void *to, const void *from);

/* --- panel.c: the inner loop of every product ---------------------------------------------------
 */

/* Products are computed for this many columns at once. */
enum { DV_LANES = 8 };

/* sums[r * DV_LANES + lane] = sum over k of row r's element k times panel[k * DV_LANES + lane], in
   order of k, for `rows` rows that start row_stride floats apart. */
void dv_panel_product(const float *row, size_t rows, size_t row_stride, const double *panel,
                      size_t depth, double *sums);

/* Bytes of a panel of that depth; SIZE_MAX if too many. */
size_t dv_panel_bytes(size_t depth);

/* --- rules.c: what several checks ask ------------------------------------------------------------
 */

bool dv_dtype_is_number(dv_dtype dtype); /* neither NONE nor STRING */
bool dv_all_f32(const dv_kernel_call *call);
bool dv_same_dtype(const dv_kernel_call *call); /* inputs[0] and every output */

/* --- every kernel and check, as kernels.def lists them -------------------------------------------
 */

#define KERNEL(kind, function, rule)                            \
    dv_status dv_kernel_##function(const dv_kernel_call *call); \
    const char *dv_check_##rule(const dv_kernel_call *call);
#define SCRATCH(kind, function) size_t dv_scratch_##function(const dv_kernel_call *call);
#include "runtime/portable/kernels.def"
#undef KERNEL
#undef SCRATCH

#endif
