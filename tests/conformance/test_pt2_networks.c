/* test_pt2_networks.c - torch.export archives compute what torch computed.

   tests/data/pt2 holds small networks; DIVVY_PT2 names a folder of further ones (made by
   tests/models/make_pt2.py --large), without it those are skipped. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pt2_case.h"
#include "tests/suite.h"

static void expect_close(const char *name, double most)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/tests/data/pt2", dv_source_root());
    double apart = pt2_difference(folder, name);
    if (!(apart <= most))
        fprintf(stderr, "    %s: off by %g\n", name, apart);
    CU_ASSERT_TRUE(apart <= most);
}

/* Each as torch.export writes it and after run_decompositions(). */
static void expect_both(const char *name, double most)
{
    char core[64];
    snprintf(core, sizeof core, "%s_core", name);
    expect_close(name, most);
    expect_close(core, most);
}

static void a_convolutional_network_computes_as_in_torch(void)
{
    expect_both("cnn", 1e-5);
}

static void blocks_of_a_mobile_network_compute_as_in_torch(void)
{
    expect_close("mobile", 1e-5);
}

static void an_encoder_with_a_mask_computes_as_in_torch(void)
{
    expect_both("encoder", 1e-4);
}

static void a_decoder_with_its_cache_computes_as_in_torch(void)
{
    expect_both("decoder", 1e-4);
}

static void what_moves_elements_moves_them_as_in_torch(void)
{
    expect_both("shapes", 1e-6);
}

static void arithmetic_promotes_types_as_torch_does(void)
{
    expect_both("numbers", 1e-4);
}

static void images_are_resized_and_normalised_as_in_torch(void)
{
    expect_both("images", 1e-4);
}

static void writes_in_place_are_seen_through_every_view(void)
{
    expect_both("writes", 1e-6);
}

static void recurrent_layers_compute_as_in_torch(void)
{
    expect_close("recurrent", 1e-5);
}

static void graphs_inside_nodes_are_inlined(void)
{
    expect_close("modes", 1e-5);
}

/* The outputs are the same however many rows are assumed, because the last one stands again. */
static void lengths_that_values_decide_change_no_output(void)
{
    expect_close("chosen", 1e-6);
}

/* Archives that torch 2.7.1 and 2.8.0 wrote, whose weights are pickled. */
static void archives_of_older_torch_compute_as_there(void)
{
    expect_close("torch27", 1e-5);
    expect_close("torch28", 1e-5);
}

static void functions_of_several_steps_compute_as_in_torch(void)
{
    expect_close("special", 1e-5);
    expect_close("windows", 1e-6);
}

/* torch resamples by the factors that it is given, not by the ratio of the sizes. */
static void images_are_resized_by_their_factors(void)
{
    expect_close("resized", 1e-5);
}

static void complex_numbers_compute_as_in_torch(void)
{
    expect_both("spectra", 1e-5);
}

static void losses_and_bags_compute_as_in_torch(void)
{
    expect_both("losses", 1e-5);
}

static void images_without_a_batch_compute_as_in_torch(void)
{
    expect_both("unbatched", 1e-5);
}

static void cells_compute_as_in_torch(void)
{
    expect_close("cells", 1e-5);
}

static void branches_and_loops_compute_as_in_torch(void)
{
    expect_close("regions", 1e-5);
    expect_close("rows", 1e-5);
    expect_close("branch", 1e-6);
}

/* Rounding may fall to the neighbouring integer. */
static void a_quantised_network_computes_as_in_torch(void)
{
    expect_close("pt2e", 0.05);
}

static void networks_of_real_size_compute_as_in_torch(void)
{
    const char *folder = getenv("DIVVY_PT2");
    DIR *entries = folder ? opendir(folder) : NULL;
    if (!entries) {
        dv_skip(__func__, "DIVVY_PT2 names no folder of make_pt2.py --large");
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *end = strstr(entry->d_name, ".ref");
        char name[256];
        if (!end || end[4])
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
        double apart = pt2_difference(folder, name);
        fprintf(stderr, "    %s: %g\n", name, apart);
        CU_ASSERT_TRUE(apart <= 1e-2);
    }
    closedir(entries);
}

DV_SUITE(pt2_networks, DV_TEST(a_convolutional_network_computes_as_in_torch),
         DV_TEST(blocks_of_a_mobile_network_compute_as_in_torch),
         DV_TEST(an_encoder_with_a_mask_computes_as_in_torch),
         DV_TEST(a_decoder_with_its_cache_computes_as_in_torch),
         DV_TEST(what_moves_elements_moves_them_as_in_torch),
         DV_TEST(arithmetic_promotes_types_as_torch_does),
         DV_TEST(images_are_resized_and_normalised_as_in_torch),
         DV_TEST(writes_in_place_are_seen_through_every_view),
         DV_TEST(recurrent_layers_compute_as_in_torch), DV_TEST(graphs_inside_nodes_are_inlined),
         DV_TEST(lengths_that_values_decide_change_no_output),
         DV_TEST(archives_of_older_torch_compute_as_there),
         DV_TEST(functions_of_several_steps_compute_as_in_torch),
         DV_TEST(complex_numbers_compute_as_in_torch), DV_TEST(losses_and_bags_compute_as_in_torch),
         DV_TEST(images_without_a_batch_compute_as_in_torch),
         DV_TEST(images_are_resized_by_their_factors), DV_TEST(cells_compute_as_in_torch),
         DV_TEST(branches_and_loops_compute_as_in_torch),
         DV_TEST(a_quantised_network_computes_as_in_torch),
         DV_TEST(networks_of_real_size_compute_as_in_torch));
