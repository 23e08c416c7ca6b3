/* panel.c - rows of weights times a panel of columns: what convolution, linear and matrix product
   have in common. */
#include <string.h>

#include "runtime/portable/kernel.h"

/* Two rows share each load of the panel. The loops over lanes have a constant length, so that the
   compiler keeps the sums in registers and uses vectors. */
static void two_rows(const float *a, const float *b, const double *panel, size_t depth,
                     double *sums)
{
    double sum_a[DV_LANES] = {0}, sum_b[DV_LANES] = {0};
    for (size_t k = 0; k < depth; k++, panel += DV_LANES) {
        double weight_a = (double)a[k], weight_b = (double)b[k];
        for (int lane = 0; lane < DV_LANES; lane++)
            sum_a[lane] += weight_a * panel[lane];
        for (int lane = 0; lane < DV_LANES; lane++)
            sum_b[lane] += weight_b * panel[lane];
    }
    memcpy(sums, sum_a, sizeof sum_a);
    memcpy(sums + DV_LANES, sum_b, sizeof sum_b);
}

static void one_row(const float *a, const double *panel, size_t depth, double *sums)
{
    double sum[DV_LANES] = {0};
    for (size_t k = 0; k < depth; k++, panel += DV_LANES) {
        double weight = (double)a[k];
        for (int lane = 0; lane < DV_LANES; lane++)
            sum[lane] += weight * panel[lane];
    }
    memcpy(sums, sum, sizeof sum);
}

void dv_panel_product(const float *row, size_t rows, size_t row_stride, const double *panel,
                      size_t depth, double *sums)
{
    size_t r = 0;
    for (; r + 2 <= rows; r += 2, row += 2 * row_stride)
        two_rows(row, row + row_stride, panel, depth, sums + r * DV_LANES);
    if (r < rows)
        one_row(row, panel, depth, sums + r * DV_LANES);
}

size_t dv_panel_bytes(size_t depth)
{
    size_t bytes;
    return dv_mul_size(depth, DV_LANES * sizeof(double), &bytes) ? bytes : SIZE_MAX;
}
