/* model_file.c - the integer program as CPLEX LP or free MPS.

   Written from the neutral program, not through a solver's library, so that the names tell what a
   column stands for: x_UNIT_TARGET, m_PAIR_I_J (joint choice), w_TENSOR_FROM_TO (a copy for several
   consumers), y_TENSOR_TO (an input's copy), z_DEVICE (the device is used), s_PLACE_DEVICE (it is
   entered at that place of the order), and without an order s_EDGE_DEVICE, n_DEVICE (segments),
   p_UNIT_DEVICE (segments up to the unit), f_DEVICE and g_DEVICE (first and last). Comments at the
   top say which unit, target and tensor a number is. Nothing is reduced: the file is the whole
   problem. */
#include "solver/model_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "solver/labels.h"
#include "solver/pairwise.h"

enum { NAME_MAX_LENGTH = 48 };

static const char *column_name(const dv_column *c, char name[NAME_MAX_LENGTH])
{
    switch (c->kind) {
    case DV_COLUMN_PLACE:
        snprintf(name, NAME_MAX_LENGTH, "x_%u_%u", c->a, c->b);
        break;
    case DV_COLUMN_PAIR:
        snprintf(name, NAME_MAX_LENGTH, "m_%u_%u_%u", c->a, c->b, c->c);
        break;
    case DV_COLUMN_COPY:
        snprintf(name, NAME_MAX_LENGTH, "w_%u_%u_%u", c->a, c->b, c->c);
        break;
    case DV_COLUMN_INPUT:
        snprintf(name, NAME_MAX_LENGTH, "y_%u_%u", c->a, c->b);
        break;
    case DV_COLUMN_SESSION:
        snprintf(name, NAME_MAX_LENGTH, "z_%u", c->a);
        break;
    case DV_COLUMN_ENTER:
        snprintf(name, NAME_MAX_LENGTH, "s_%u_%u", c->a, c->b);
        break;
    case DV_COLUMN_COUNT:
        snprintf(name, NAME_MAX_LENGTH, "n_%u", c->a);
        break;
    case DV_COLUMN_PASSED:
        snprintf(name, NAME_MAX_LENGTH, "p_%u_%u", c->a, c->b);
        break;
    case DV_COLUMN_FIRST:
        snprintf(name, NAME_MAX_LENGTH, "f_%u", c->a);
        break;
    case DV_COLUMN_LAST:
        snprintf(name, NAME_MAX_LENGTH, "g_%u", c->a);
        break;
    case DV_COLUMN_LOAD:
        snprintf(name, NAME_MAX_LENGTH, "load");
        break;
    }
    return name;
}

/* A name from a model file in a comment: control characters would end the line. */
static void comment(dv_text *out, char mark, const char *what, uint32_t number, const char *name)
{
    dv_text_append(out, "%c %s %u: ", mark, what, number);
    for (const char *c = name ? name : ""; *c; c++)
        dv_text_append(out, "%c", (unsigned char)*c < ' ' ? '?' : *c);
    dv_text_append(out, "\n");
}

static void write_comments(const dv_pairwise *m, char mark, dv_text *out)
{
    const dv_problem *p = m->problem;
    comment(out, mark,
            m->order ? "placement with the order given, latency in us; units"
                     : "placement in any order, a bound of latency in us; units",
            p->unit_count, p->name);
    for (dv_target_id a = 0; a < p->target_count; a++)
        comment(out, mark, "target", a, p->target_name[a]);
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        comment(out, mark, "unit", u, p->unit_name[u]);
    for (uint32_t t = 0; t < p->tensor_count; t++)
        comment(out, mark, "tensor", t, p->tensor_name[t]);
    for (uint32_t i = 0; i < m->pair_count; i++)
        if (m->pair[i].column != UINT32_MAX)
            dv_text_append(out, "%c pair %u: units %u and %u, by %s\n", mark, i, m->pair[i].u,
                           m->pair[i].v, m->pair[i].by_device ? "device" : "target");
}

/* A row with two finite, different sides is written as two. */
static void write_lp_row(const dv_linear *l, uint32_t r, const char *relation, double side,
                         char suffix, dv_text *out)
{
    char name[NAME_MAX_LENGTH];
    dv_text_append(out, " r_%u%c:", r, suffix);
    size_t end = dv_linear_row_end(l, r);
    if (l->row[r].first == end)
        dv_text_append(out, " 0 one"); /* an empty row still says 0 against its side */
    for (size_t i = l->row[r].first; i < end; i++)
        dv_text_append(out, "\n  %+.17g %s", l->entry[i].value,
                       column_name(&l->column[l->entry[i].column], name));
    dv_text_append(out, "\n  %s %.17g\n", relation, side);
}

static void write_lp(const dv_pairwise *m, dv_text *out)
{
    const dv_linear *l = &m->linear;
    char name[NAME_MAX_LENGTH];
    write_comments(m, '\\', out);
    dv_text_append(out, "Minimize\n latency:\n  %+.17g one\n", l->constant);
    for (uint32_t j = 0; j < l->column_count; j++)
        dv_text_append(out, "  %+.17g %s\n", l->column[j].cost, column_name(&l->column[j], name));
    dv_text_append(out, "Subject To\n");
    for (uint32_t r = 0; r < l->row_count; r++) {
        const dv_row *row = &l->row[r];
        if (row->lower == row->upper) {
            write_lp_row(l, r, "=", row->lower, ' ', out);
            continue;
        }
        if (isfinite(row->lower))
            write_lp_row(l, r, ">=", row->lower, 'l', out);
        if (isfinite(row->upper))
            write_lp_row(l, r, "<=", row->upper, 'u', out);
    }
    dv_text_append(out, "Bounds\n one = 1\n");
    for (uint32_t j = 0; j < l->column_count; j++)
        dv_text_append(out, l->column[j].upper > 0.0 ? " 0 <= %s <= %.17g\n" : " %s = %.17g\n",
                       column_name(&l->column[j], name), l->column[j].upper);
    dv_text_append(out, "Generals\n");
    for (uint32_t j = 0; j < l->column_count; j++)
        if (l->column[j].integer)
            dv_text_append(out, " %s\n", column_name(&l->column[j], name));
    dv_text_append(out, "End\n");
}

/* Entries by column, as MPS wants them: next entry of the same column, plus one. */
static dv_status thread_columns(const dv_linear *l, size_t **head, size_t **next, uint32_t **row)
{
    *head = calloc((size_t)l->column_count + 1, sizeof **head);
    *next = calloc(l->entry_count + 1, sizeof **next);
    *row = calloc(l->entry_count + 1, sizeof **row);
    if (!*head || !*next || !*row)
        return dv_fail(DV_NO_MEMORY, "write the integer program: out of memory");
    for (uint32_t r = l->row_count; r-- > 0;)
        for (size_t i = dv_linear_row_end(l, r); i-- > l->row[r].first;) {
            (*row)[i] = r;
            (*next)[i] = (*head)[l->entry[i].column];
            (*head)[l->entry[i].column] = i + 1;
        }
    return DV_OK;
}

static void write_mps_columns(const dv_linear *l, const size_t *head, const size_t *next,
                              const uint32_t *row, dv_text *out)
{
    char name[NAME_MAX_LENGTH];
    bool integer = false;
    dv_text_append(out, "COLUMNS\n");
    for (uint32_t j = 0; j < l->column_count; j++) {
        if (l->column[j].integer != integer) {
            integer = l->column[j].integer;
            dv_text_append(out, " mark_%u 'MARKER' '%s'\n", j, integer ? "INTORG" : "INTEND");
        }
        column_name(&l->column[j], name);
        dv_text_append(out, " %s latency %.17g\n", name, l->column[j].cost);
        for (size_t i = head[j]; i; i = next[i - 1])
            dv_text_append(out, " %s r_%u %.17g\n", name, row[i - 1], l->entry[i - 1].value);
    }
    if (integer)
        dv_text_append(out, " mark_end 'MARKER' 'INTEND'\n");
}

static void write_mps_sections(const dv_pairwise *m, const size_t *head, const size_t *next,
                               const uint32_t *row, dv_text *out)
{
    const dv_linear *l = &m->linear;
    char name[NAME_MAX_LENGTH];
    write_comments(m, '*', out);
    dv_text_append(out, "NAME divvy\nROWS\n N latency\n");
    for (uint32_t r = 0; r < l->row_count; r++)
        dv_text_append(out, " %c r_%u\n",
                       l->row[r].lower == l->row[r].upper ? 'E'
                       : isfinite(l->row[r].lower)        ? 'G'
                                                          : 'L',
                       r);
    write_mps_columns(l, head, next, row, out);
    /* The right-hand side of the objective is minus its constant. */
    dv_text_append(out, "RHS\n rhs latency %.17g\n", -l->constant);
    for (uint32_t r = 0; r < l->row_count; r++) {
        double side = isfinite(l->row[r].lower) ? l->row[r].lower : l->row[r].upper;
        if (side != 0.0)
            dv_text_append(out, " rhs r_%u %.17g\n", r, side);
    }
    dv_text_append(out, "BOUNDS\n");
    for (uint32_t j = 0; j < l->column_count; j++)
        dv_text_append(out, " UP bound %s %.17g\n", column_name(&l->column[j], name),
                       l->column[j].upper);
    dv_text_append(out, "ENDATA\n");
}

static dv_status write_mps(const dv_pairwise *m, dv_text *out)
{
    size_t *head = NULL, *next = NULL;
    uint32_t *row = NULL;
    dv_status status = thread_columns(&m->linear, &head, &next, &row);
    if (status == DV_OK)
        write_mps_sections(m, head, next, row, out);
    free(head);
    free(next);
    free(row);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static dv_status write_model(const dv_pairwise *m, const char *path, bool lp)
{
    dv_text out = {0};
    dv_status status = DV_OK;
    if (lp)
        write_lp(m, &out);
    else
        status = write_mps(m, &out);
    if (status == DV_OK && out.failed)
        status = dv_fail(DV_NO_MEMORY, "%s: out of memory", path);
    if (status == DV_OK)
        status = dv_file_write(path, out.data, out.length);
    dv_text_free(&out);
    return status;
}

dv_status dv_write_ilp(const dv_problem *problem, dv_form form, bool free_order, const char *path)
{
    bool lp = ends_with(path, ".lp");
    if (!lp && !ends_with(path, ".mps"))
        return dv_fail(DV_BAD_PARAMETER, "%s: name it .lp or .mps", path);
    if (free_order && form < DV_FORM_TRANSPORT)
        return dv_fail(DV_BAD_PARAMETER,
                       "%s: without an order the formulations are transport and pairwise", path);
    dv_plan *plan = NULL; /* for the given order */
    dv_labels labels = {0};
    dv_pairwise model = {0};
    dv_status status = dv_plan_create(problem, &plan);
    if (status == DV_OK)
        status = dv_labels_create(problem, &labels);
    if (status == DV_OK)
        status = dv_pairwise_build(problem, &labels, free_order ? NULL : plan->order, form, &model);
    if (status == DV_OK)
        status = write_model(&model, path, lp);
    dv_pairwise_free(&model);
    dv_labels_free(&labels);
    dv_plan_destroy(plan);
    return status;
}
