/* linear.c - building a sparse linear program, and the bound that any multipliers prove. */
#include "solver/linear.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/arena.h"

void dv_linear_free(dv_linear *linear)
{
    free(linear->column);
    free(linear->row);
    free(linear->entry);
    *linear = (dv_linear){0};
}

static bool grow(dv_linear *linear, void **items, size_t *capacity, size_t count, size_t size)
{
    if (linear->failed)
        return false;
    if (count >= UINT32_MAX || !dv_grow(items, capacity, count, size))
        linear->failed = true;
    return !linear->failed;
}

uint32_t dv_linear_column(dv_linear *linear, dv_column column)
{
    void *items = linear->column;
    bool ok = grow(linear, &items, &linear->column_capacity, (size_t)linear->column_count + 1,
                   sizeof *linear->column);
    linear->column = items;
    if (!ok)
        return 0;
    double cost = column.cost;
    column.cost = 0.0;
    linear->column[linear->column_count] = column;
    dv_linear_cost(linear, linear->column_count, cost);
    return linear->column_count++;
}

void dv_linear_cost(dv_linear *linear, uint32_t column, double cost)
{
    if (linear->failed)
        return;
    if (isfinite(cost))
        linear->column[column].cost += cost;
    else
        linear->column[column].upper = 0.0;
}

void dv_linear_row(dv_linear *linear, double lower, double upper)
{
    void *items = linear->row;
    bool ok = grow(linear, &items, &linear->row_capacity, (size_t)linear->row_count + 1,
                   sizeof *linear->row);
    linear->row = items;
    if (ok)
        linear->row[linear->row_count++] = (dv_row){lower, upper, linear->entry_count, UINT32_MAX};
}

void dv_linear_entry(dv_linear *linear, uint32_t column, double value)
{
    if (linear->failed)
        return;
    size_t latest = linear->column[column].latest;
    if (latest > linear->row[linear->row_count - 1].first) {
        linear->entry[latest - 1].value += value;
        return;
    }
    void *items = linear->entry;
    bool ok = grow(linear, &items, &linear->entry_capacity, linear->entry_count + 1,
                   sizeof *linear->entry);
    linear->entry = items;
    if (!ok)
        return;
    linear->entry[linear->entry_count++] = (dv_entry){column, value};
    linear->column[column].latest = linear->entry_count;
}

double dv_linear_value(const dv_linear *linear, const double *x)
{
    double sum = linear->constant;
    for (uint32_t j = 0; j < linear->column_count; j++)
        sum += linear->column[j].cost * x[j];
    return sum;
}

/* A multiplier on a side where the row has no bound proves nothing. */
static double clip(const dv_row *row, double y)
{
    if (!isfinite(y) || (y > 0.0 && !isfinite(row->lower)) || (y < 0.0 && !isfinite(row->upper)))
        return 0.0;
    return y;
}

/* reduced: column_count entries of the columns' costs, left priced. */
static double lagrangian(const dv_linear *linear, const double *y, long double *reduced)
{
    long double bound = linear->constant, size = fabsl(bound);
    for (uint32_t r = 0; r < linear->row_count; r++) {
        const dv_row *row = &linear->row[r];
        double multiplier = clip(row, y[r]);
        if (multiplier == 0.0)
            continue;
        long double term = (long double)multiplier * (multiplier > 0.0 ? row->lower : row->upper);
        bound += term;
        size += fabsl(term);
        for (size_t i = row->first; i < dv_linear_row_end(linear, r); i++) {
            long double part = (long double)multiplier * linear->entry[i].value;
            reduced[linear->entry[i].column] -= part;
            size += fabsl(part) * linear->column[linear->entry[i].column].upper;
        }
    }
    for (uint32_t j = 0; j < linear->column_count; j++) {
        size += fabsl((long double)linear->column[j].cost * linear->column[j].upper);
        if (reduced[j] < 0.0L)
            bound += reduced[j] * linear->column[j].upper;
    }
    /* Each of the additions errs by at most an epsilon of the sum of magnitudes. */
    size_t additions = linear->entry_count + linear->row_count + linear->column_count + 1;
    long double rounding = size * LDBL_EPSILON * (long double)additions;
    double result = (double)(bound - rounding);
    return nextafter(result, -INFINITY);
}

static long double *costs_of(const dv_linear *linear)
{
    long double *costs = malloc(((size_t)linear->column_count + 1) * sizeof *costs);
    for (uint32_t j = 0; costs && j < linear->column_count; j++)
        costs[j] = linear->column[j].cost;
    return costs;
}

dv_status dv_linear_price(const dv_linear *linear, const double *y, double *reduced, double *bound)
{
    long double *costs = costs_of(linear);
    if (!costs)
        return dv_fail(DV_NO_MEMORY, "linear program: out of memory");
    *bound = lagrangian(linear, y, costs);
    for (uint32_t j = 0; j < linear->column_count; j++)
        reduced[j] = (double)costs[j];
    free(costs);
    return DV_OK;
}

double dv_linear_bound(const dv_linear *linear, const double *y)
{
    long double *costs = costs_of(linear);
    double bound = costs ? lagrangian(linear, y, costs) : -INFINITY;
    free(costs);
    return bound;
}
