/* checkpoint.h - the tensors of a file of torch.save: a zip archive with a pickle that names them,
   and one entry for each storage. The pickle is read as data (load/pickle.h), never run. */
#ifndef DV_LOAD_CHECKPOINT_H
#define DV_LOAD_CHECKPOINT_H

#include "core/graph.h"
#include "load/zip.h"

/* How a tensor lies in its storage. */
typedef struct dv_strided {
    dv_dtype dtype;
    dv_shape shape;
    int64_t strides[DV_MAX_RANK], offset; /* in elements */
} dv_strided;

typedef struct dv_checkpoint dv_checkpoint;

/* Opens the checkpoint that the bytes are, a dictionary of names and tensors; retains their
   buffer. DV_BAD_INPUT, DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_checkpoint_open(const dv_bytes *bytes, dv_checkpoint **out);
void dv_checkpoint_close(dv_checkpoint *checkpoint); /* NULL is allowed */

/* Is there something of that name? O(1) expected. */
bool dv_checkpoint_has(const dv_checkpoint *checkpoint, const char *name);

/* The tensor of that name and its storage (storage->buffer is NULL where it has no bytes), which
   the caller releases; it stays in the file's bytes where the archive stores it. Whether the
   tensor lies within its storage is for the caller to check. DV_BAD_INPUT for what is no plain
   tensor. */
DV_MUST_USE dv_status dv_checkpoint_tensor(dv_checkpoint *checkpoint, const char *name,
                                           dv_strided *how, dv_bytes *storage);

#endif
