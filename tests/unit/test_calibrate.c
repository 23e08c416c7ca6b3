/* test_calibrate.c - the probes are sound, what is written can be read, and a stop is obeyed. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "costmodel/calibrate.h"
#include "costmodel/costmodel.h"
#include "costmodel/kernels.h"
#include "costmodel/machine.h"
#include "costmodel/probe.h"
#include "lower/lower.h"
#include "tests/suite.h"

/* Shapes that a probe states are those that shape inference finds: lowering changes nothing. */
static void test_probes_are_sound_networks(void)
{
    for (size_t i = 0; dv_probe_at(i); i++) {
        dv_graph *graph = NULL, *lowered = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_probe_at(i)->build(&graph), DV_OK);
        dv_status status = dv_lower(graph, NULL, &lowered);
        if (status != DV_OK)
            fprintf(stderr, "%s: %s\n", dv_probe_at(i)->name, dv_message());
        CU_ASSERT_EQUAL_FATAL(status, DV_OK);
        CU_ASSERT_EQUAL_FATAL(lowered->output_count, graph->output_count);
        for (uint32_t k = 0; k < graph->output_count; k++)
            CU_ASSERT_TRUE(dv_shape_equal(&graph->tensors[graph->outputs[k]].shape,
                                          &lowered->tensors[lowered->outputs[k]].shape));
        dv_graph_destroy(lowered);
        dv_graph_destroy(graph);
    }
}

/* Every family that costs anything occurs, most of them often. */
static void test_probes_hold_every_family(void)
{
    uint32_t count[DV_FAMILY_COUNT] = {0};
    for (size_t i = 0; dv_probe_at(i); i++) {
        dv_graph *graph = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_probe_at(i)->build(&graph), DV_OK);
        for (dv_op_id o = 0; o < graph->op_count; o++)
            count[dv_op_work(graph, o).family]++;
        dv_graph_destroy(graph);
    }
    for (int f = 0; f < DV_FAMILY_COUNT; f++)
        if (f != DV_FAMILY_PLUMBING && f != DV_FAMILY_OTHER)
            CU_ASSERT_TRUE(count[f] > 0);
    CU_ASSERT_TRUE(count[DV_FAMILY_CONV] > 40);
    CU_ASSERT_TRUE(count[DV_FAMILY_DEPTHWISE] > 10);
    CU_ASSERT_TRUE(count[DV_FAMILY_MATMUL] > 20);
}

static void test_a_machine_reads_back_as_its_platform(void)
{
    dv_machine machine;
    CU_ASSERT_EQUAL_FATAL(dv_machine_guess("mine", &machine), DV_OK);
    machine.devices[0].dispatch_us = 1.2345;
    machine.devices[0].rows[DV_KERNELS_FLOATS].op_known[DV_OP_GELU] = true;
    machine.devices[0].rows[DV_KERNELS_FLOATS].op[DV_OP_GELU] = (dv_fit){3.0, INFINITY, 2.0, 0.5};
    dv_text text = {0};
    CU_ASSERT_EQUAL(dv_machine_write(&machine, &text), DV_OK);
    dv_platform *p = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_platform_parse("mine.json", dv_text_string(&text), text.length, &p),
                          DV_OK);
    CU_ASSERT_STRING_EQUAL(p->name, "mine");
    CU_ASSERT_EQUAL(p->device_count, machine.device_count);
    CU_ASSERT_EQUAL(p->devices[0].dispatch_us.value, 1.23); /* three digits */
    CU_ASSERT_PTR_NOT_NULL(strstr(p->devices[0].dispatch_us.source, machine.date));
    CU_ASSERT_STRING_EQUAL(p->devices[0].realisation.backend, machine.devices[0].real.backend);
    const dv_family_cost *rows = p->targets[0].operators;
    CU_ASSERT_PTR_NOT_NULL_FATAL(rows);
    CU_ASSERT_TRUE(rows[DV_OP_GELU].given && !rows[DV_OP_RELU].given);
    CU_ASSERT_EQUAL(rows[DV_OP_GELU].activation_gbs.value, 0.5);
    dv_platform_destroy(p);
    dv_text_free(&text);
}

/* The first unit of a probe on the cpu of a platform. */
static double first_us(const dv_graph *graph, const dv_platform *p)
{
    return dv_cost_model_at(0)->unit_time_us(graph, 0, p, p->host);
}

/* The same convolution, with weights that the backend takes and with such as it does not: each is
   priced by the rows of the kernels that will run it, also on a part of the platform. */
static void test_integers_are_priced_by_the_kernels_that_run_them(void)
{
    dv_platform *whole = NULL, *part = NULL;
    dv_graph *graphs[2] = {NULL};
    const char *names[2] = {"branched integers", "branched odd integers"};
    for (size_t i = 0; dv_probe_at(i); i++)
        for (size_t k = 0; k < 2; k++)
            if (strcmp(dv_probe_at(i)->name, names[k]) == 0)
                CU_ASSERT_EQUAL_FATAL(dv_probe_at(i)->build(&graphs[k]), DV_OK);
    CU_ASSERT_FATAL(graphs[0] && graphs[1]);
    CU_ASSERT_EQUAL_FATAL(dv_platform_open("host", &whole), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_platform_restrict(whole, "cpu", &part), DV_OK);
    const dv_realisation *real = &part->devices[0].realisation;
    const dv_target *target = &part->targets[part->host];
    CU_ASSERT_FATAL(target->integers && target->converted);
    double macs = 32.0 * 3 * 9 * 64 * 64; /* 3x3 of 128 pixels, in steps of 2 */
    CU_ASSERT_EQUAL(dv_kernels_of(real, graphs[0], 0), DV_KERNELS_INTEGERS);
    CU_ASSERT_EQUAL(dv_kernels_of(real, graphs[1], 0), DV_KERNELS_CONVERTED);
    for (size_t k = 0; k < 2; k++) {
        const dv_cost_rows *rows = k == 0 ? target->integers : target->converted;
        const dv_family_cost *row = &rows->family[DV_FAMILY_CONV];
        double us = row->launch_us.value + macs / (row->gmacs.value * 1e3);
        CU_ASSERT(first_us(graphs[k], part) >= us - 1e-9);
        CU_ASSERT_EQUAL(first_us(graphs[k], part), first_us(graphs[k], whole));
    }
    CU_ASSERT(first_us(graphs[1], part) > 3 * first_us(graphs[0], part));
    dv_platform_destroy(part);
    dv_platform_destroy(whole);
    dv_graph_destroy(graphs[0]);
    dv_graph_destroy(graphs[1]);
}

static void stop_when_asked(void *context, const char *what, double fraction)
{
    (void)what;
    if (fraction > 0.0)
        *(volatile int *)context = 1;
}

static void test_a_stop_leaves_nothing_behind(void)
{
    volatile int stop = 0;
    dv_progress progress = {.context = (void *)&stop, .step = stop_when_asked, .stop = &stop};
    dv_calibrate_options options = {.quick = true, .progress = &progress};
    dv_text text = {0};
    dv_calibration report;
    CU_ASSERT_EQUAL(dv_calibrate(&options, &text, &report), DV_INTERRUPTED);
    CU_ASSERT_EQUAL(text.length, 0);
    CU_ASSERT_PTR_NULL(report.families);
    dv_text_free(&text);
}

DV_SUITE(cost_calibrate, DV_TEST(test_probes_are_sound_networks),
         DV_TEST(test_probes_hold_every_family), DV_TEST(test_a_machine_reads_back_as_its_platform),
         DV_TEST(test_integers_are_priced_by_the_kernels_that_run_them),
         DV_TEST(test_a_stop_leaves_nothing_behind));
