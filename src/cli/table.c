/* table.c - collects cells, then pads each column to its widest. Width is counted in characters,
   not bytes; names from files are escaped on the way in. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "core/arena.h"

enum { MAX_COLUMNS = 16 };

struct cell {
    const char *text;
    dv_style style;
};

struct dv_table {
    dv_arena *arena;
    size_t columns, rows, capacity, next; /* next: column of the cell to come */
    const char *head[MAX_COLUMNS];        /* with its '<' or '>' */
    struct cell *cells;                   /* rows * columns */
};

dv_table *dv_table_create(const char *head, ...)
{
    dv_table *table = calloc(1, sizeof *table);
    if (!table || !(table->arena = dv_arena_create())) {
        free(table);
        return NULL;
    }
    va_list list;
    va_start(list, head);
    for (; head && table->columns < MAX_COLUMNS; head = va_arg(list, const char *))
        table->head[table->columns++] = head;
    va_end(list);
    return table;
}

void dv_table_destroy(dv_table *table)
{
    if (!table)
        return;
    dv_arena_destroy(table->arena);
    free(table->cells);
    free(table);
}

void dv_table_row(dv_table *table)
{
    if (!table)
        return;
    size_t count = (table->rows + 1) * table->columns;
    if (dv_grow((void **)&table->cells, &table->capacity, count, sizeof *table->cells))
        table->rows++;
    table->next = 0;
}

static struct cell *last_row(dv_table *table)
{
    return table->cells + (table->rows - 1) * table->columns;
}

void dv_table_cell(dv_table *table, const char *format, ...)
{
    if (!table || table->rows == 0 || table->next >= table->columns)
        return;
    char line[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    dv_text safe = {0};
    dv_cli_append_safe(&safe, line);
    last_row(table)[table->next++] =
        (struct cell){dv_arena_copy(table->arena, dv_text_string(&safe)), DV_STYLE_PLAIN};
    dv_text_free(&safe);
}

void dv_table_cell_us(dv_table *table, double us)
{
    char figure[DV_FIGURE_MAX];
    dv_table_cell(table, "%s", isfinite(us) ? dv_format_us(figure, us) : "-");
}

void dv_table_cell_bytes(dv_table *table, double bytes)
{
    char figure[DV_FIGURE_MAX];
    dv_table_cell(table, "%s", isfinite(bytes) ? dv_format_bytes(figure, bytes) : "-");
}

void dv_table_cell_count(dv_table *table, double count)
{
    char figure[DV_FIGURE_MAX];
    dv_table_cell(table, "%s", isfinite(count) ? dv_format_count(figure, count) : "-");
}

void dv_table_style(dv_table *table, dv_style style)
{
    if (table && table->rows > 0 && table->next > 0)
        last_row(table)[table->next - 1].style = style;
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

void dv_styled(dv_text *out, bool colour, dv_style style, const char *format, ...)
{
    static const char *const code[] = {"",         "\033[1m",  "\033[2m",
                                       "\033[32m", "\033[33m", "\033[31m"};
    char line[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    bool coded = colour && style != DV_STYLE_PLAIN;
    dv_text_append(out, "%s%s%s", coded ? code[style] : "", line, coded ? "\033[0m" : "");
}

static void print_cell(const dv_table *table, size_t column, const char *text, dv_style style,
                       size_t width, bool colour, dv_text *out)
{
    bool right = table->head[column][0] == '>';
    bool last = column + 1 == table->columns;
    size_t length = width_of(text);
    size_t pad = width > length ? width - length : 0;
    if (right)
        dv_text_append(out, "%*s", (int)pad, "");
    dv_styled(out, colour, style, "%s", text);
    if (!right && !last)
        dv_text_append(out, "%*s", (int)pad, "");
    if (!last)
        dv_text_append(out, "  ");
}

/* An empty last cell would leave blanks at the line's end. */
static void end_line(dv_text *out)
{
    while (out->length > 0 && out->data[out->length - 1] == ' ')
        out->data[--out->length] = '\0';
    dv_text_append(out, "\n");
}

void dv_table_print(const dv_table *table, bool colour, dv_text *out)
{
    if (!table)
        return;
    size_t width[MAX_COLUMNS];
    for (size_t c = 0; c < table->columns; c++) {
        width[c] = width_of(table->head[c] + 1);
        for (size_t r = 0; r < table->rows; r++) {
            const char *text = table->cells[r * table->columns + c].text;
            size_t length = text ? width_of(text) : 0;
            width[c] = length > width[c] ? length : width[c];
        }
    }
    dv_text_append(out, "  ");
    for (size_t c = 0; c < table->columns; c++)
        print_cell(table, c, table->head[c] + 1, DV_STYLE_BOLD, width[c], colour, out);
    end_line(out);
    for (size_t r = 0; r < table->rows; r++) {
        dv_text_append(out, "  ");
        for (size_t c = 0; c < table->columns; c++) {
            const struct cell *cell = &table->cells[r * table->columns + c];
            print_cell(table, c, cell->text ? cell->text : "", cell->style, width[c], colour, out);
        }
        end_line(out);
    }
}
