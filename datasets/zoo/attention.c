/* attention.c - scaled dot-product attention over several heads (Vaswani et al. 2017, section 3.2).
 */
#include "datasets/zoo/attention.h"

#include <math.h>

/* [N, S, width] to [N, heads, S, width / heads]; for the keys the last two swapped. */
static dv_tensor_id split_heads(dv_network *net, dv_tensor_id x, int64_t heads, bool transposed)
{
    static const uint8_t rows[] = {0, 2, 1, 3}, columns[] = {0, 2, 3, 1};
    int64_t dims[] = {dv_dim(net, x, 0), dv_dim(net, x, 1), heads, dv_dim(net, x, 2) / heads};
    return dv_permute(net, dv_view(net, x, dims, 4), transposed ? columns : rows, 4);
}

dv_tensor_id dv_attention(dv_network *net, dv_tensor_id query, dv_tensor_id key, dv_tensor_id value,
                          int64_t heads, dv_tensor_id mask)
{
    static const uint8_t join[] = {0, 2, 1, 3};
    int64_t dims[] = {dv_dim(net, query, 0), dv_dim(net, query, 1), dv_dim(net, query, 2)};
    double scale = sqrt((double)(dims[2] / heads));
    query = split_heads(net, query, heads, false);
    key = split_heads(net, key, heads, true);
    value = split_heads(net, value, heads, false);
    dv_tensor_id scores = dv_matmul(net, query, key);
    scores = dv_binary(net, DV_OP_DIV, scores, dv_scalar(net, scale));
    if (mask != DV_NONE)
        scores = dv_binary(net, DV_OP_ADD, scores, mask);
    dv_tensor_id mixed = dv_matmul(net, dv_softmax(net, scores), value);
    return dv_view(net, dv_permute(net, mixed, join, 4), dims, 3);
}

dv_tensor_id dv_padding_mask(dv_network *net, dv_tensor_id mask)
{
    int64_t dims[] = {dv_dim(net, mask, 0), 1, 1, dv_dim(net, mask, 1)};
    dv_tensor_id kept = dv_cast(net, dv_view(net, mask, dims, 4), DV_DTYPE_F32);
    dv_tensor_id hidden = dv_binary(net, DV_OP_SUB, dv_scalar(net, 1), kept);
    return dv_binary(net, DV_OP_MUL, hidden, dv_scalar(net, -10000));
}
