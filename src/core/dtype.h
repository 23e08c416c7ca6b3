/* dtype.h - element types of tensors, and shapes. */
#ifndef DV_CORE_DTYPE_H
#define DV_CORE_DTYPE_H

#include "core/status.h"

/* X(name, bytes, spelling) */
#define DV_DTYPE_LIST(X) \
    X(NONE, 0, "none")   \
    X(F32, 4, "f32")     \
    X(F16, 2, "f16")     \
    X(BF16, 2, "bf16")   \
    X(F64, 8, "f64")     \
    X(I8, 1, "i8")       \
    X(I16, 2, "i16")     \
    X(I32, 4, "i32")     \
    X(I64, 8, "i64")     \
    X(U8, 1, "u8")       \
    X(U16, 2, "u16")     \
    X(U32, 4, "u32")     \
    X(U64, 8, "u64")     \
    X(BOOL, 1, "bool")   \
    X(STRING, 0, "string")

typedef enum dv_dtype {
#define DV_DTYPE_ENUM(name, bytes, text) DV_DTYPE_##name,
    DV_DTYPE_LIST(DV_DTYPE_ENUM)
#undef DV_DTYPE_ENUM
        DV_DTYPE_COUNT
} dv_dtype;

size_t dv_dtype_bytes(dv_dtype dtype);
const char *dv_dtype_name(dv_dtype dtype);
bool dv_dtype_from_name(const char *name, dv_dtype *out);
bool dv_dtype_is_float(dv_dtype dtype); /* F32, F16, BF16, F64 */

enum { DV_MAX_RANK = 8, DV_RANK_UNKNOWN = 255 };

/* Dimensions, outermost first. Known shapes have every dim >= 0. */
typedef struct dv_shape {
    uint8_t rank; /* at most DV_MAX_RANK, or DV_RANK_UNKNOWN before lowering */
    int64_t dim[DV_MAX_RANK];
} dv_shape;

/* The shape of those dims; rank at most DV_MAX_RANK. */
dv_shape dv_shape_make(const int64_t *dims, size_t rank);
bool dv_shape_known(const dv_shape *shape);
bool dv_shape_equal(const dv_shape *a, const dv_shape *b);

/* Product of the dims (1 for a scalar); false on overflow of size_t or an unknown shape. */
bool dv_shape_elements(const dv_shape *shape, size_t *out);

/* Numpy broadcasting of a and b into *out; false if they do not match or are unknown. */
bool dv_shape_broadcast(const dv_shape *a, const dv_shape *b, dv_shape *out);

/* "1x3x224x224", "scalar", "?"; returns out. */
enum { DV_SHAPE_TEXT = 192 };
char *dv_shape_text(const dv_shape *shape, char out[DV_SHAPE_TEXT]);

#endif
