/* aten_build.h - what the readers of aten_*.c are made of. */
#ifndef DV_LOAD_ATEN_BUILD_H
#define DV_LOAD_ATEN_BUILD_H

#include "load/aten.h"

enum { DV_ATEN_MOST_ARGS = 16 };

/* One call on its way: what its reader emits has the call's name and handle. */
typedef struct dv_aten_at {
    dv_graph *graph;
    const dv_aten_call *call;
    dv_op_kind kind; /* of the rule */
    dv_aten_value args[DV_ATEN_MOST_ARGS];
    const char *reason; /* set by dv_aten_opaque */
} dv_aten_at;

typedef dv_status dv_aten_reader(dv_aten_at *at);

#define ATEN(name, overloads, kind, reader, schema) dv_aten_reader dv_aten_read_##reader;
#include "load/aten.def"
#undef ATEN

/* ---- arguments ---- */

bool dv_aten_given(const dv_aten_at *at, uint32_t i);

/* DV_BAD_INPUT naming the argument if it is none of that type. A flag may be a number, a number
   a flag; a list may be one number. */
DV_MUST_USE dv_status dv_aten_int(const dv_aten_at *at, uint32_t i, int64_t *out);
DV_MUST_USE dv_status dv_aten_real(const dv_aten_at *at, uint32_t i, double *out);
DV_MUST_USE dv_status dv_aten_flag(const dv_aten_at *at, uint32_t i, bool *out);
DV_MUST_USE dv_status dv_aten_ints(const dv_aten_at *at, uint32_t i, int64_t *out, size_t most,
                                   size_t *count);
DV_MUST_USE dv_status dv_aten_input(const dv_aten_at *at, uint32_t i, dv_tensor_id *out);

/* The same; DV_NONE where it is absent. */
DV_MUST_USE dv_status dv_aten_option(const dv_aten_at *at, uint32_t i, dv_tensor_id *out);

/* count numbers: one given for all is repeated, none is `absent`. */
DV_MUST_USE dv_status dv_aten_spatial(const dv_aten_at *at, uint32_t i, size_t count,
                                      int64_t absent, int64_t *out);

/* Element type and rank as the file has them; rank DV_RANK_UNKNOWN if it does not tell. */
dv_dtype dv_aten_dtype_of(const dv_aten_at *at, dv_tensor_id id);
uint8_t dv_aten_rank_of(const dv_aten_at *at, dv_tensor_id id);
const dv_shape *dv_aten_shape_of(const dv_aten_at *at, dv_tensor_id id);

/* An axis counted from the front where the rank is known. DV_BAD_INPUT if there is no such axis. */
DV_MUST_USE dv_status dv_aten_axis(const dv_aten_at *at, uint32_t i, dv_tensor_id of, int64_t *out);

/* The shape of a, which the reader needs; opaque with a reason if the file does not tell it. */
DV_MUST_USE dv_status dv_aten_known_shape(dv_aten_at *at, dv_tensor_id a, dv_shape *out);

/* An image without a batch becomes a batch of one; *opened says so. Opaque for other ranks. */
DV_MUST_USE dv_status dv_aten_open_batch(dv_aten_at *at, dv_tensor_id *x, uint8_t spatial,
                                         bool *opened);

/* Adds an operator that makes all of the call's outputs, each without the batch that was opened. */
DV_MUST_USE dv_status dv_aten_finish_image(dv_aten_at *at, bool opened, dv_op_kind kind,
                                           const dv_op_params *params, const dv_tensor_id *inputs,
                                           uint32_t count);

/* The element type of what the call makes: an out-variant has no dtype, its output has. */
dv_dtype dv_aten_made_dtype(const dv_aten_at *at, dv_dtype absent);

/* ---- results ---- */

/* May a table of so many bytes be made (a mask, indices)? What a graph holds beyond its file is
   bounded: 16 MiB, and a few times the file where that is mapped. O(tensors) for large tables. */
bool dv_aten_affords(const dv_aten_at *at, size_t bytes);

/* The call becomes OPAQUE; before anything was emitted. Returns DV_OK or DV_NO_MEMORY. */
dv_status dv_aten_opaque(dv_aten_at *at, const char *format, ...) DV_PRINTF(2, 3);

/* Adds a constant of one element, or a list of i64. */
DV_MUST_USE dv_status dv_aten_scalar(dv_aten_at *at, dv_dtype dtype, double value,
                                     dv_tensor_id *id);
DV_MUST_USE dv_status dv_aten_list(dv_aten_at *at, const int64_t *values, size_t count,
                                   dv_tensor_id *id);

/* Adds an operator whose output is *id, a new tensor of that dtype. params may be NULL, b DV_NONE.
 */
DV_MUST_USE dv_status dv_aten_emit(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                                   dv_tensor_id a, dv_tensor_id b, dv_tensor_id *id);

/* The same for any number of inputs. */
DV_MUST_USE dv_status dv_aten_emit_all(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                                       const dv_tensor_id *inputs, uint32_t count,
                                       dv_tensor_id *id);

/* *id as dtype: a cast where it is another. */
DV_MUST_USE dv_status dv_aten_cast(dv_aten_at *at, dv_dtype dtype, dv_tensor_id *id);

/* *id times the factor, as it is where that is 1. */
DV_MUST_USE dv_status dv_aten_times(dv_aten_at *at, double factor, dv_tensor_id *id);

/* The i-th argument, a tensor or a number, in the type of what the call makes. */
DV_MUST_USE dv_status dv_aten_operand(dv_aten_at *at, uint32_t i, dv_tensor_id *id);

/* *id = *id KIND number, in that type. */
DV_MUST_USE dv_status dv_aten_with(dv_aten_at *at, dv_op_kind kind, double number,
                                   dv_tensor_id *id);

/* *id = condition ? yes : no */
DV_MUST_USE dv_status dv_aten_choose(dv_aten_at *at, dv_tensor_id condition, dv_tensor_id yes,
                                     dv_tensor_id no, dv_tensor_id *id);

/* Adds the operator that makes the call's first output; of all outputs, with finish_all. */
DV_MUST_USE dv_status dv_aten_finish(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                                     dv_tensor_id a, dv_tensor_id b, dv_tensor_id c);
DV_MUST_USE dv_status dv_aten_finish_all(dv_aten_at *at, dv_op_kind kind,
                                         const dv_op_params *params, const dv_tensor_id *inputs,
                                         uint32_t count);

/* The same for its i-th output. */
DV_MUST_USE dv_status dv_aten_finish_one(dv_aten_at *at, uint32_t i, dv_op_kind kind,
                                         const dv_op_params *params, dv_tensor_id a,
                                         dv_tensor_id b);

/* A constant of those numbers, in row-major order; f64, else f32. */
DV_MUST_USE dv_status dv_aten_numbers(dv_aten_at *at, dv_dtype dtype, const dv_shape *shape,
                                      const double *numbers, dv_tensor_id *id);

/* ---- complex numbers: aten_complex.c ---- */

/* By the reader of the call's row. */
DV_MUST_USE dv_status dv_aten_read_as_real(dv_aten_at *at);

/* A call that reads or makes complex numbers. */
DV_MUST_USE dv_status dv_aten_read_complex_call(dv_aten_at *at);

bool dv_aten_is_complex(const dv_aten_at *at, dv_tensor_id id);

/* The parts as one complex tensor; both must be of one type and shape. */
DV_MUST_USE dv_status dv_aten_finish_complex(dv_aten_at *at, dv_tensor_id real, dv_tensor_id imag);

/* ---- several indices, uneven windows: aten_place.c ---- */

/* Which dims several indices read, and the permutation that brings them to the front. */
typedef struct dv_index_order {
    uint8_t count, first; /* of the indices; the first indexed dim */
    bool adjacent;        /* no dim between them is left out */
    uint8_t perm[DV_MAX_RANK];
} dv_index_order;

/* DV_BAD_INPUT if there are more indices than dims. */
DV_MUST_USE dv_status dv_aten_index_order(const dv_aten_value *list, uint8_t rank,
                                          dv_index_order *out);

/* The permutation of [index dims, dims that are not indexed] to torch's order of the result. */
void dv_aten_index_back(const dv_index_order *order, uint8_t index_rank, uint8_t rank,
                        uint8_t *perm);

/* The call's result: x's elements under a shape and strides, counted through its memory. */
DV_MUST_USE dv_status dv_aten_take_strided(dv_aten_at *at, dv_tensor_id x, const dv_shape *made,
                                           const int64_t *strides, int64_t offset);

/* Masks among the indices of args[1] become lists of places, as many as the result's shape tells
   (x: what is indexed; result: of the read, or of the values that are written). Opaque if it does
   not. */
DV_MUST_USE dv_status dv_aten_read_masks(dv_aten_at *at, const dv_shape *x, const dv_shape *result);

/* Pools over windows that do not tile x; the last `spatial` dims become sizes. */
DV_MUST_USE dv_status dv_aten_uneven_pool(dv_aten_at *at, dv_tensor_id x, const int64_t *sizes,
                                          uint8_t spatial);

#endif
