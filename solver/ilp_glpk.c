/* ilp_glpk.c - the only file that includes glpk.h. */
#include "solver/ilp_glpk.h"

#include <glpk.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dv_glpk {
    const dv_linear *linear;
    glp_prob *problem; /* NULL after GLPK's environment had to be freed */
    double scale;
};

/* What a call into GLPK needs to come back from its depths. */
typedef struct guard {
    jmp_buf back;
    const dv_progress *progress;
    bool stopped;
    char message[160]; /* the last line that GLPK wanted to print */
} guard;

static void on_error(void *info)
{
    guard *g = info;
    longjmp(g->back, 1);
}

/* GLPK calls this with every line that it would print; with a message level that makes it print
   every 20 ms this is also the one place where a running simplex can be stopped. */
static int on_text(void *info, const char *text)
{
    guard *g = info;
    if (text[0] != '\n')
        snprintf(g->message, sizeof g->message, "%s", text);
    if (dv_progress_stopped(g->progress)) {
        g->stopped = true;
        longjmp(g->back, 1);
    }
    return 1; /* printed nowhere */
}

/* Calls work(context) so that neither an abort nor a line of text gets out. After a jump GLPK's
   memory is in an unknown state: its environment is freed as a whole, with every problem in it. */
static dv_status guarded(dv_glpk *glpk, const dv_progress *progress, void (*work)(void *),
                         void *context, bool *stopped)
{
    guard g;
    g.progress = progress;
    g.stopped = false;
    g.message[0] = '\0';
    if (setjmp(g.back)) {
        glp_error_hook(NULL, NULL);
        glp_term_hook(NULL, NULL);
        glp_free_env();
        glpk->problem = NULL;
        *stopped = g.stopped;
        g.message[strcspn(g.message, "\n")] = '\0';
        return g.stopped ? DV_OK : dv_fail(DV_INTERNAL, "ilp: GLPK gave up: %s", g.message);
    }
    glp_error_hook(on_error, &g);
    glp_term_hook(on_text, &g);
    work(context);
    glp_error_hook(NULL, NULL);
    glp_term_hook(NULL, NULL);
    *stopped = false;
    return DV_OK;
}

static int bound_type(double lower, double upper)
{
    if (isfinite(lower) && isfinite(upper))
        return lower < upper ? GLP_DB : GLP_FX;
    return isfinite(lower) ? GLP_LO : isfinite(upper) ? GLP_UP : GLP_FR;
}

static void load_columns(dv_glpk *glpk)
{
    const dv_linear *linear = glpk->linear;
    if (linear->column_count)
        glp_add_cols(glpk->problem, (int)linear->column_count);
    for (uint32_t j = 0; j < linear->column_count; j++) {
        const dv_column *column = &linear->column[j];
        glp_set_col_bnds(glpk->problem, (int)j + 1, bound_type(0.0, column->upper), 0.0,
                         column->upper);
        glp_set_obj_coef(glpk->problem, (int)j + 1, column->cost * glpk->scale);
        if (column->integer)
            glp_set_col_kind(glpk->problem, (int)j + 1, GLP_IV);
    }
}

/* indices, values: one more than the longest row. */
static void load_rows(dv_glpk *glpk, int *indices, double *values)
{
    const dv_linear *linear = glpk->linear;
    if (linear->row_count)
        glp_add_rows(glpk->problem, (int)linear->row_count);
    for (uint32_t r = 0; r < linear->row_count; r++) {
        const dv_row *row = &linear->row[r];
        glp_set_row_bnds(glpk->problem, (int)r + 1, bound_type(row->lower, row->upper), row->lower,
                         row->upper);
        int count = 0;
        for (size_t i = row->first; i < dv_linear_row_end(linear, r); i++) {
            indices[++count] = (int)linear->entry[i].column + 1;
            values[count] = linear->entry[i].value;
        }
        glp_set_mat_row(glpk->problem, (int)r + 1, count, indices, values);
    }
}

typedef struct load_job {
    dv_glpk *glpk;
    int *indices;
    double *values;
} load_job;

static void load(void *context)
{
    load_job *job = context;
    job->glpk->problem = glp_create_prob();
    glp_set_obj_dir(job->glpk->problem, GLP_MIN);
    glp_set_obj_coef(job->glpk->problem, 0, job->glpk->linear->constant * job->glpk->scale);
    load_columns(job->glpk);
    load_rows(job->glpk, job->indices, job->values);
}

dv_status dv_glpk_create(const dv_linear *linear, double scale, dv_glpk **out)
{
    *out = NULL;
    if (linear->column_count >= INT32_MAX || linear->row_count >= INT32_MAX)
        return dv_fail(DV_NO_MEMORY, "ilp: the integer program is too large for GLPK");
    dv_glpk *glpk = malloc(sizeof *glpk);
    load_job job = {glpk, malloc(((size_t)linear->column_count + 1) * sizeof(int)),
                    malloc(((size_t)linear->column_count + 1) * sizeof(double))};
    dv_status status = DV_OK;
    if (!glpk || !job.indices || !job.values) {
        status = dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    } else {
        *glpk = (dv_glpk){.linear = linear, .scale = scale};
        bool stopped;
        status = guarded(glpk, NULL, load, &job, &stopped);
    }
    free(job.indices);
    free(job.values);
    if (status == DV_OK)
        *out = glpk;
    else
        dv_glpk_destroy(glpk);
    return status;
}

static void erase(void *context)
{
    dv_glpk *glpk = context;
    glp_delete_prob(glpk->problem);
}

void dv_glpk_destroy(dv_glpk *glpk)
{
    bool stopped;
    if (glpk && glpk->problem)
        (void)!guarded(glpk, NULL, erase, glpk, &stopped);
    free(glpk);
}

/* What is left of the deadline, for GLPK's clocks. */
static int milliseconds_left(const dv_glpk_control *control)
{
    double left = 1e3 * (control->deadline_s - dv_progress_now_s(control->progress));
    return left >= INT32_MAX ? INT32_MAX : left <= 1.0 ? 1 : (int)left;
}

typedef struct relax_job {
    dv_glpk *glpk;
    const dv_glpk_control *control;
    const bool *basic_column, *basic_row;
    double *x, *y;
    dv_glpk_outcome outcome;
} relax_job;

static void set_basis(const relax_job *job)
{
    glp_prob *problem = job->glpk->problem;
    for (uint32_t j = 0; j < job->glpk->linear->column_count; j++)
        glp_set_col_stat(problem, (int)j + 1, job->basic_column[j] ? GLP_BS : GLP_NL);
    for (uint32_t r = 0; r < job->glpk->linear->row_count; r++)
        glp_set_row_stat(problem, (int)r + 1, job->basic_row[r] ? GLP_BS : GLP_NL);
}

static void relax(void *context)
{
    relax_job *job = context;
    glp_prob *problem = job->glpk->problem;
    if (job->basic_column)
        set_basis(job);
    if (!job->basic_column || glp_factorize(problem) != 0)
        glp_adv_basis(problem, 0);
    glp_smcp settings;
    glp_init_smcp(&settings);
    settings.msg_lev = GLP_MSG_ALL;
    settings.out_frq = 20;
    settings.meth = job->control->dual ? GLP_DUALP : GLP_PRIMAL;
    if (job->control->iteration_limit)
        settings.it_lim = (int)job->control->iteration_limit;
    settings.tol_bnd = 1e-9;
    settings.tol_dj = 1e-9;
    settings.tm_lim = milliseconds_left(job->control);
    int code = glp_simplex(problem, &settings);
    int found = glp_get_status(problem);
    job->outcome = code == GLP_ETMLIM || code == GLP_EITLIM ? DV_GLPK_LIMIT
                   : code != 0                              ? DV_GLPK_FAILED
                   : found == GLP_OPT                       ? DV_GLPK_OPTIMAL
                   : found == GLP_NOFEAS                    ? DV_GLPK_INFEASIBLE
                                                            : DV_GLPK_FAILED;
    for (uint32_t j = 0; j < job->glpk->linear->column_count; j++)
        job->x[j] = glp_get_col_prim(problem, (int)j + 1);
    for (uint32_t r = 0; r < job->glpk->linear->row_count; r++)
        job->y[r] = glp_get_row_dual(problem, (int)r + 1) / job->glpk->scale;
}

dv_status dv_glpk_relax(dv_glpk *glpk, const dv_glpk_control *control, const bool *basic_column,
                        const bool *basic_row, double *x, double *y, dv_glpk_outcome *outcome)
{
    relax_job job = {glpk, control, basic_column, basic_row, x, y, DV_GLPK_FAILED};
    memset(y, 0, glpk->linear->row_count * sizeof *y);
    memset(x, 0, glpk->linear->column_count * sizeof *x);
    bool stopped;
    DV_TRY(guarded(glpk, control->progress, relax, &job, &stopped));
    *outcome = stopped ? DV_GLPK_LIMIT : job.outcome;
    return DV_OK;
}

typedef struct branch_job {
    dv_glpk *glpk;
    const dv_glpk_control *control;
    double *x;    /* one more than columns, 1-based for GLPK */
    double bound; /* scaled */
    bool offered; /* the starting point was given */
    bool found;
    dv_glpk_outcome outcome;
} branch_job;

/* GLPK asks at every step of its search. */
static void on_step(glp_tree *tree, void *info)
{
    branch_job *job = info;
    int best = glp_ios_best_node(tree);
    if (best != 0) {
        double bound = glp_ios_node_bound(tree, best);
        if (bound > job->bound && bound > -1e300) {
            job->bound = bound;
            dv_progress_bound(job->control->progress, bound / job->glpk->scale);
        }
    }
    int nodes = 0;
    glp_ios_tree_size(tree, NULL, NULL, &nodes);
    bool enough = job->control->node_limit && nodes > (int)job->control->node_limit;
    if (enough || dv_progress_stopped(job->control->progress))
        glp_ios_terminate(tree);
    else if (glp_ios_reason(tree) == GLP_IHEUR && job->control->start && !job->offered) {
        job->offered = true;
        for (uint32_t j = 0; j < job->glpk->linear->column_count; j++)
            job->x[j + 1] = job->control->start[j];
        glp_ios_heur_sol(tree, job->x);
    } else if (glp_ios_reason(tree) == GLP_IBINGO)
        dv_progress_incumbent(job->control->progress,
                              glp_mip_obj_val(job->glpk->problem) / job->glpk->scale);
}

static void branch(void *context)
{
    branch_job *job = context;
    glp_prob *problem = job->glpk->problem;
    glp_iocp settings;
    glp_init_iocp(&settings);
    settings.msg_lev = GLP_MSG_ALL;
    settings.out_frq = 20;
    settings.cb_func = on_step;
    settings.cb_info = job;
    settings.tol_obj = 1e-10;
    settings.tol_int = 1e-7;
    settings.mip_gap = job->control->tolerance * 0.1;
    settings.mir_cuts = GLP_ON;
    settings.gmi_cuts = GLP_ON;
    settings.cov_cuts = GLP_ON;
    settings.tm_lim = milliseconds_left(job->control);
    int code = glp_intopt(problem, &settings);
    int found = glp_mip_status(problem);
    job->found = found == GLP_OPT || found == GLP_FEAS;
    job->outcome = code == GLP_ETMLIM || code == GLP_ESTOP   ? DV_GLPK_LIMIT
                   : code != 0 && code != GLP_EMIPGAP        ? DV_GLPK_FAILED
                   : found == GLP_OPT || code == GLP_EMIPGAP ? DV_GLPK_OPTIMAL
                   : found == GLP_NOFEAS                     ? DV_GLPK_INFEASIBLE
                                                             : DV_GLPK_FAILED;
    for (uint32_t j = 0; job->found && j < job->glpk->linear->column_count; j++)
        job->x[j + 1] = glp_mip_col_val(problem, (int)j + 1);
    if (job->outcome == DV_GLPK_OPTIMAL) {
        double value = glp_mip_obj_val(problem);
        job->bound = value - 0.2 * job->control->tolerance * fabs(value);
    }
}

dv_status dv_glpk_branch(dv_glpk *glpk, const dv_glpk_control *control, double *x, bool *found,
                         double *bound, dv_glpk_outcome *outcome)
{
    branch_job job = {.glpk = glpk, .control = control, .bound = -INFINITY};
    job.outcome = DV_GLPK_FAILED;
    job.x = malloc(((size_t)glpk->linear->column_count + 1) * sizeof *job.x);
    if (!job.x)
        return dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    bool stopped;
    dv_status status = guarded(glpk, control->progress, branch, &job, &stopped);
    if (stopped)
        job.found = false;
    *outcome = stopped ? DV_GLPK_LIMIT : job.outcome;
    *found = job.found;
    *bound = job.bound / glpk->scale;
    if (job.found)
        memcpy(x, job.x + 1, glpk->linear->column_count * sizeof *x);
    free(job.x);
    return status;
}
