/* fit.h - a row of the roofline from measured times. */
#ifndef DV_COSTMODEL_FIT_H
#define DV_COSTMODEL_FIT_H

#include <stddef.h>

typedef struct dv_sample {
    double macs, weight_bytes, activation_bytes;
    double measured_us; /* > 0 */
} dv_sample;

typedef struct dv_fit {
    double launch_us, gmacs, weight_gbs, activation_gbs;
} dv_fit;

/* launch + max(macs / rate, weights / bandwidth + activations / bandwidth). */
double dv_fit_us(const dv_fit *fit, const dv_sample *sample);

/* The row with the least robust error of log(predicted / measured) over count samples, those with
   more work weighing more; what the samples do not determine stays near `prior`. All values
   positive; gmacs is INFINITY if no sample has products. O(count). */
dv_fit dv_fit_row(const dv_sample *samples, size_t count, dv_fit prior);

/* A prior from the samples alone: the best rate and bandwidth that any of them shows. */
dv_fit dv_fit_prior(const dv_sample *samples, size_t count);

/* latency + bytes / bandwidth through measured moves (macs and weights unused). */
void dv_fit_line(const dv_sample *samples, size_t count, double *latency_us, double *gbs);

/* The q-quantile (0 to 1) of |predicted / measured - 1|; scratch holds count numbers. */
double dv_fit_error(const dv_fit *fit, const dv_sample *samples, size_t count, double q,
                    double *scratch);

/* The q-quantile of values, which it sorts; 0 if there are none. */
double dv_quantile(double *values, size_t count, double q);

#endif
