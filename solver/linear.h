/* linear.h - a sparse linear program in plain arrays: minimise cost x, rows and columns bounded.

   Neutral ground between the formulation (pairwise.c), the solver (ilp_glpk.c), the certificate
   (linear.c) and the files (model_file.c). */
#ifndef DV_SOLVER_LINEAR_H
#define DV_SOLVER_LINEAR_H

#include "core/status.h"

/* What a column stands for; names in files and starting points follow from it. */
typedef enum dv_column_kind {
    DV_COLUMN_PLACE,   /* unit a on target b */
    DV_COLUMN_PAIR,    /* of pair a: first unit's choice b and second unit's choice c */
    DV_COLUMN_COPY,    /* tensor a, made on target b, is sent to target c */
    DV_COLUMN_INPUT,   /* input tensor a is sent to target b */
    DV_COLUMN_SESSION, /* device a is used */
    DV_COLUMN_ENTER,   /* device b is entered at place a of the order, or along edge a */
    DV_COLUMN_COUNT,   /* segments on device a */
    DV_COLUMN_PASSED,  /* segments on device b up to unit a */
    DV_COLUMN_FIRST,   /* the first segment is on device a */
    DV_COLUMN_LAST,    /* the last segment is on device a */
    DV_COLUMN_LOAD,    /* the largest load of a device */
} dv_column_kind;

typedef struct dv_column {
    dv_column_kind kind;
    uint32_t a, b, c;
    double cost, upper; /* 0 <= x <= upper, finite */
    bool integer;
    size_t latest; /* 1 + its last entry; 0: none yet */
} dv_column;

typedef struct dv_row {
    double lower, upper; /* -INFINITY, INFINITY: free on that side */
    size_t first;        /* entries first .. the next row's first */
    /* A row that only says column "cover" >= another one; UINT32_MAX for all other rows. */
    uint32_t cover;
} dv_row;

typedef struct dv_entry {
    uint32_t column;
    double value;
} dv_entry;

typedef struct dv_linear {
    dv_column *column;
    dv_row *row;
    dv_entry *entry;
    uint32_t column_count, row_count;
    size_t entry_count;
    double constant; /* added to cost x */
    bool failed;     /* ran out of memory while growing; everything after that was ignored */
    size_t column_capacity, row_capacity, entry_capacity;
} dv_linear;

/* Zero-initialise; frees the arrays, not linear itself. */
void dv_linear_free(dv_linear *linear);

/* The new column's index (0 once failed). */
uint32_t dv_linear_column(dv_linear *linear, dv_column column);

/* Adds to a column's cost; an infinite cost closes the column (upper = 0). */
void dv_linear_cost(dv_linear *linear, uint32_t column, double cost);

/* Begins a row; entries that follow belong to it. */
void dv_linear_row(dv_linear *linear, double lower, double upper);

/* Adds value to the last row's coefficient of column. O(1). */
void dv_linear_entry(dv_linear *linear, uint32_t column, double value);

/* Where the entries of a row end. */
static inline size_t dv_linear_row_end(const dv_linear *linear, uint32_t row)
{
    return row + 1 < linear->row_count ? linear->row[row + 1].first : linear->entry_count;
}

/* Any multipliers price every column; reduced: column_count entries. What a solution costs is at
   least *bound plus the reduced cost, where that is positive, of each column that it sets to 1.
   Otherwise as dv_linear_bound. */
DV_MUST_USE dv_status dv_linear_price(const dv_linear *linear, const double *y, double *reduced,
                                      double *bound);

/* cost x + constant. */
double dv_linear_value(const dv_linear *linear, const double *x);

/* A lower bound of the linear program's value from any row multipliers y, whatever their rounding:
   signs are clipped, then the Lagrangian is minimised over the columns' bounds in one pass, in long
   double, less the rounding that this pass itself may have made. -INFINITY without memory.
   O(entries). */
double dv_linear_bound(const dv_linear *linear, const double *y);

#endif
