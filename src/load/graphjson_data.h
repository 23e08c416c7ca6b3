/* graphjson_data.h - what a tensor of graph/1 is made of: type, shape and elements. */
#ifndef DV_LOAD_GRAPHJSON_DATA_H
#define DV_LOAD_GRAPHJSON_DATA_H

#include "core/graph.h"
#include "core/json.h"

#define DV_GRAPHJSON_FAR ((int64_t)1 << 53) /* whole numbers are exact in JSON up to here */

/* An array of whole numbers. */
DV_MUST_USE dv_status dv_graphjson_shape(const dv_json_at *at, dv_shape *out);

/* An element type by its name; or "none", of what is no tensor of numbers, such as a sequence. */
DV_MUST_USE dv_status dv_graphjson_dtype(const dv_json_at *at, dv_dtype *out);
DV_MUST_USE dv_status dv_graphjson_dtype_or_none(const dv_json_at *at, dv_dtype *out);

/* The elements of a constant, or what a state begins with, from the keys of its object; tensor has
   its role, type and shape. A new buffer is the caller's to release. */
DV_MUST_USE dv_status dv_graphjson_data(const dv_json_at *at, dv_tensor *tensor);

#endif
