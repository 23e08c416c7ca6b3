/* The zoo's networks against their published counts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/zoo/llama.h"
#include "datasets/zoo/zoo.h"
#include "tests/suite.h"

static void test_every_network_has_its_published_parameters_and_multiply_adds(void)
{
    const dv_zoo_entry *entry;
    for (size_t i = 0; (entry = dv_zoo_at(i)); i++) {
        dv_graph *graph = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_zoo_build(entry->name, &graph), DV_OK);
        dv_graph_totals totals = dv_graph_count(graph);
        if (totals.parameters != entry->parameters ||
            fabs(totals.macs / entry->multiply_adds - 1) >= 0.02)
            printf("\n    %s: %.0f parameters, %.4g multiply-adds\n", entry->name,
                   totals.parameters, totals.macs);
        CU_ASSERT_EQUAL(totals.parameters, entry->parameters);
        CU_ASSERT_TRUE(fabs(totals.macs / entry->multiply_adds - 1) < 0.02);
        CU_ASSERT_STRING_EQUAL(graph->name, entry->name);
        dv_graph_destroy(graph);
    }
}

/* Of the forms that a bare name does not give. The multiply-adds are those of
   torch.utils.flop_counter on the networks of Hugging Face's transformers 5.23, made on the meta
   device from the published configurations: halves of its operations, the logits of the last token
   only, 127 tokens in the cache before the one that is decoded; the decoder of Whisper computes the
   keys and values of the audio, too. */
static void test_every_variant_has_its_share_of_parameters_and_its_multiply_adds(void)
{
    static const struct {
        const char *name;
        double parameters, multiply_adds;
    } cases[] = {
        {"gpt2:prefill=128", 124439808, 1.12124e10},
        {"gpt2:decode=128", 124439808, 1.25891e8},
        {"llama_3_2_1b:decode=128", 1235814400, 1.24414e9},
        {"llama_3_2_3b:decode=128", 3212749824, 3.23459e9},
        {"llama_3_1_8b:decode=128", 8030261248, 7.53821e9},
        {"whisper_tiny:encoder", 8208384, 1.84689e10},
        {"whisper_tiny:decoder=128", 29552256, 1.80265e9},
        {"whisper_medium:encoder", 307216384, 5.69033e11},
        {"whisper_medium:decoder=128", 456641536, 7.5983e10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_graph *graph = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_zoo_build(cases[i].name, &graph), DV_OK);
        dv_graph_totals totals = dv_graph_count(graph);
        if (fabs(totals.macs / cases[i].multiply_adds - 1) >= 0.02)
            printf("\n    %s: %.5g multiply-adds\n", cases[i].name, totals.macs);
        CU_ASSERT_EQUAL(totals.parameters, cases[i].parameters);
        CU_ASSERT_TRUE(fabs(totals.macs / cases[i].multiply_adds - 1) < 0.02);
        CU_ASSERT_STRING_EQUAL(graph->name, cases[i].name);
        dv_graph_destroy(graph);
    }
}

/* torch.utils.flop_counter counts 514,112 multiply-adds in a transformers 5.23 LlamaForCausalLM of
   these sizes on 8 tokens (logits_to_keep=1); its ONNX export lowers to as many. */
static void test_a_small_llama_has_exactly_the_multiply_adds_that_torch_counts(void)
{
    static const dv_llama sizes = {2, 64, 4, 2, 16, 96, 97, true, 1};
    dv_zoo_entry entry = {.name = "small", .citation = "ours", .variant = &sizes};
    dv_graph *graph = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_llama_build(&entry, "prefill=8", &graph), DV_OK);
    CU_ASSERT_EQUAL(dv_graph_count(graph).macs, 514112);
    CU_ASSERT_EQUAL(dv_graph_count(graph).parameters, 67968);
    dv_graph_destroy(graph);
}

static void test_options_change_the_network_and_its_hash(void)
{
    dv_graph *usual = NULL, *small = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_zoo_build("bert_base", &usual), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_zoo_build("bert_base:seq=16", &small), DV_OK);
    CU_ASSERT_EQUAL(small->tensors[small->inputs[0]].shape.dim[1], 16);
    CU_ASSERT_EQUAL(dv_graph_count(small).parameters, dv_graph_count(usual).parameters);
    CU_ASSERT_TRUE(dv_graph_count(small).macs < dv_graph_count(usual).macs / 7);
    CU_ASSERT_STRING_NOT_EQUAL(dv_graph_sha256(small), dv_graph_sha256(usual));
    dv_graph_destroy(usual);
    dv_graph_destroy(small);
}

static void test_unknown_names_and_options_are_named(void)
{
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"resnet5", "did you mean zoo:resnet50?"},
        {"nothing-like-it", "there are bert_base, clip_vit_b_32"},
        {"resnet50:deep=3", "'deep=3' is no option"},
        {"resnet50:side", "'side' is no option"},
        {"resnet50:side=abc", "side takes a whole number from 32 to 4096, not 'abc'"},
        {"bert_base:seq=513", "seq takes a whole number from 1 to 512, not '513'"},
        {"gpt2:decode",
         "'decode' needs a number; after its name and ':' it takes one of prefill=N"},
        {"gpt2:decode=4,prefill=2", "'prefill=2' is a second variant"},
        {"gpt2:decode=0", "decode takes a whole number from 1 to 1024, not '0'"},
        {"whisper_tiny:encoder=3", "'encoder=3' takes no value"},
        {"whisper_tiny:encode", "'encode' is no option"},
        {"unet:side=100", "side must be a multiple of 16"},
        {"mobilevit_s:side=224", "side must be a multiple of 64"},
        {"sd_unet:side=12", "side must be a multiple of 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_graph *graph = NULL;
        CU_ASSERT_EQUAL(dv_zoo_build(cases[i].name, &graph), DV_BAD_PARAMETER);
        CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), cases[i].message));
        CU_ASSERT_PTR_NULL(graph);
    }
}

static void test_generated_weights_repeat_and_have_the_stated_spread(void)
{
    dv_graph *graph = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_zoo_build("resnet50", &graph), DV_OK);
    const dv_tensor *weight = &graph->tensors[graph->ops[0].inputs[1]];
    float all[256], part[16];
    CU_ASSERT_TRUE(dv_tensor_read_f32(weight, 0, 256, all));
    CU_ASSERT_TRUE(dv_tensor_read_f32(weight, 100, 16, part));
    CU_ASSERT_EQUAL(memcmp(all + 100, part, sizeof part), 0);
    double squares = 0;
    for (int i = 0; i < 256; i++)
        squares += (double)all[i] * (double)all[i];
    CU_ASSERT_DOUBLE_EQUAL(sqrt(squares / 256), sqrt(2.0 / (3 * 7 * 7)), 0.01);
    dv_graph_destroy(graph);
}

DV_SUITE(zoo, DV_TEST(test_every_network_has_its_published_parameters_and_multiply_adds),
         DV_TEST(test_every_variant_has_its_share_of_parameters_and_its_multiply_adds),
         DV_TEST(test_a_small_llama_has_exactly_the_multiply_adds_that_torch_counts),
         DV_TEST(test_options_change_the_network_and_its_hash),
         DV_TEST(test_unknown_names_and_options_are_named),
         DV_TEST(test_generated_weights_repeat_and_have_the_stated_spread));
