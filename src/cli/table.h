/* table.h - rows and columns on a terminal: aligned, plain text, colours only where asked for. */
#ifndef DV_CLI_TABLE_H
#define DV_CLI_TABLE_H

#include "core/text.h"

typedef enum dv_style {
    DV_STYLE_PLAIN,
    DV_STYLE_BOLD,
    DV_STYLE_DIM,
    DV_STYLE_GOOD, /* green */
    DV_STYLE_WARN, /* yellow */
    DV_STYLE_BAD,  /* red */
} dv_style;

typedef struct dv_table dv_table;

/* A table of columns named by heads, such as "<strategy", ">latency": '<' flush left, '>' flush
   right; NULL ends the list. NULL without memory; all the rest accepts NULL. */
dv_table *dv_table_create(const char *head, ...) __attribute__((sentinel));
void dv_table_destroy(dv_table *table);

/* Starts a row; its cells follow one by one, missing ones stay empty. */
void dv_table_row(dv_table *table);
void dv_table_cell(dv_table *table, const char *format, ...) DV_PRINTF(2, 3);
void dv_table_cell_us(dv_table *table, double us);
void dv_table_cell_bytes(dv_table *table, double bytes);
void dv_table_cell_count(dv_table *table, double count);

/* The style of the cell added last. */
void dv_table_style(dv_table *table, dv_style style);

/* Appends the table to out, each line indented by two spaces. */
void dv_table_print(const dv_table *table, bool colour, dv_text *out);

/* Appends one styled text. */
void dv_styled(dv_text *out, bool colour, dv_style style, const char *format, ...) DV_PRINTF(4, 5);

#endif
