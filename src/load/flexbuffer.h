/* flexbuffer.h - numbers by key out of a FlexBuffer map, which is how TFLite's custom operators
   keep their attributes. Nothing in it is trusted. Encoding: https://flatbuffers.dev/flexbuffers.
 */
#ifndef DV_LOAD_FLEXBUFFER_H
#define DV_LOAD_FLEXBUFFER_H

#include "load/protobuf.h"

/* The integer, float or bool that a map holds under key. false, and *out as it was, if bytes are no
   map, hold no number under it, or point outside themselves. O(keys). */
bool dv_flex_number(dv_span bytes, const char *key, double *out);

/* The integers of the typed vector that a map holds under key, their number to *count. false if
   there is no such vector, or it has more than most. O(keys + integers). */
bool dv_flex_integers(dv_span bytes, const char *key, size_t most, int64_t *out, size_t *count);

#endif
