/* test_platform.c - platforms from files and by name, and what is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/platform.h"
#include "core/rng.h"
#include "core/text.h"
#include "tests/suite.h"

#define FIGURE(value) "{\"value\": " value ", \"source\": \"test\"}"
#define FAMILIES                                                                                \
    "{\"conv\": {\"launch_us\": " FIGURE("1") ", \"gmacs\": " FIGURE(                           \
        "40") "},"                                                                              \
              " \"elementwise\": {\"launch_us\": " FIGURE("2") ", \"activation_gbs\": " FIGURE( \
                  "9") "}}"
#define PRECISION(name)                                                                            \
    "{\"precision\": \"" name "\", \"weight_gbs\": " FIGURE("10") ", \"activation_gbs\": " FIGURE( \
        "20") ", \"families\": " FAMILIES "}"
#define CPU                                                            \
    "{\"name\": \"cpu\", \"kind\": \"cpu\", \"dispatch_us\": " FIGURE( \
        "3") ", \"support\": {\"all\": true}, \"precisions\": [" PRECISION("f32") "]}"
#define NPU                                                                                   \
    "{\"name\": \"npu\", \"kind\": \"npu\", \"delegate\": \"X\", \"dispatch_us\": " FIGURE(   \
        "50") ", \"support\": {\"tables\": [\"executorch\", \"divvy\"], \"column\": \"qnn\"," \
              " \"except\": [\"aten.gelu.default\"], \"also\": [\"aten.erf.default\"]},"      \
              " \"precisions\": [" PRECISION("f16") ", " PRECISION("i8") "]}"
#define LINK                                                                             \
    "{\"from\": \"cpu\", \"to\": \"npu\", \"both_ways\": true, \"latency_us\": " FIGURE( \
        "10") ", \"gbs\": " FIGURE("5") "}"
#define PLATFORM(devices, links)                                             \
    "{\"divvy\": \"platform/1\", \"name\": \"toy\", \"host\": \"cpu:f32\", " \
    "\"convert_gbs\": " FIGURE("8") ", \"devices\": [" devices "], \"links\": [" links "]}"

static const char toy[] = PLATFORM(CPU ", " NPU, LINK);

static dv_platform *parsed(const char *text)
{
    dv_platform *platform = NULL;
    dv_status status = dv_platform_parse("toy.json", text, strlen(text), &platform);
    if (status != DV_OK)
        fprintf(stderr, "%s\n", dv_message());
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
    return platform;
}

/* The toy platform with the first `from` replaced must be refused with a message holding part. */
static void check_refused(const char *from, const char *to, const char *part)
{
    const char *at = strstr(toy, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    dv_text text = {0};
    dv_text_append(&text, "%.*s%s%s", (int)(at - toy), toy, to, at + strlen(from));
    dv_platform *platform = NULL;
    dv_status status = dv_platform_parse("toy.json", dv_text_string(&text), text.length, &platform);
    CU_ASSERT_EQUAL(status, DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(platform);
    if (!strstr(dv_message(), part))
        fprintf(stderr, "expected \"%s\" in: %s\n", part, dv_message());
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), part));
    dv_platform_destroy(platform);
    dv_text_free(&text);
}

static void test_a_file_gives_its_devices_targets_and_links(void)
{
    dv_platform *p = parsed(toy);
    CU_ASSERT_EQUAL(p->device_count, 2);
    CU_ASSERT_EQUAL_FATAL(p->target_count, 3);
    CU_ASSERT_EQUAL(p->link_count, 2);
    CU_ASSERT_EQUAL(dv_platform_target(p, "npu:i8"), 2);
    CU_ASSERT_EQUAL(dv_platform_target(p, "npu:f32"), UINT32_MAX);
    CU_ASSERT_EQUAL(p->targets[2].device, dv_platform_device(p, "npu"));
    CU_ASSERT_EQUAL(p->targets[2].precision, DV_DTYPE_I8);
    CU_ASSERT_EQUAL(p->host, 0);
    const dv_family_cost *element = &p->targets[0].family[DV_FAMILY_ELEMENTWISE];
    CU_ASSERT_EQUAL(element->activation_gbs.value, 9.0);
    CU_ASSERT_EQUAL(element->weight_gbs.value, 10.0);
    CU_ASSERT_TRUE(isinf(element->gmacs.value));
    CU_ASSERT_FALSE(p->targets[0].family[DV_FAMILY_POOL].given);
    CU_ASSERT_TRUE(isinf(p->devices[1].memory_bytes.value));
    CU_ASSERT_TRUE(isnan(p->devices[1].power_w.value));
    CU_ASSERT_STRING_EQUAL(p->devices[1].dispatch_us.source, "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(dv_platform_link(p, 1, 0));
    CU_ASSERT_EQUAL(dv_platform_link(p, 1, 0)->latency_us.value, 10.0);
    CU_ASSERT_EQUAL(strlen(p->sha256), 64);
    dv_platform_destroy(p);
}

static void test_support_comes_from_tables_and_exceptions(void)
{
    dv_platform *p = parsed(toy);
    const bool *cpu = p->devices[0].supports, *npu = p->devices[1].supports;
    CU_ASSERT_TRUE(cpu[DV_OP_NE] && cpu[DV_OP_ARANGE]);
    CU_ASSERT_FALSE(cpu[DV_OP_OPAQUE]);
    CU_ASSERT_TRUE(npu[DV_OP_CONVOLUTION]);
    CU_ASSERT_TRUE(npu[DV_OP_VIEW]);   /* listed without _copy */
    CU_ASSERT_TRUE(npu[DV_OP_LINEAR]); /* from the second table */
    CU_ASSERT_TRUE(npu[DV_OP_PROD] == false);
    CU_ASSERT_FALSE(npu[DV_OP_GELU]); /* except */
    CU_ASSERT_TRUE(npu[DV_OP_ERF]);   /* also */
    dv_platform_destroy(p);
}

static void test_faults_are_named_by_path(void)
{
    check_refused("\"dispatch_us\": {\"value\": 3", "\"dispatch_us\": {\"value\": -3",
                  "devices[0].dispatch_us.value: must not be negative");
    check_refused("\"dispatch_us\": {\"value\": 3", "\"dispatch_us\": {\"value\": \"NaN\"",
                  "devices[0].dispatch_us.value");
    check_refused(", \"source\": \"test\"}", "}", ".source: missing");
    check_refused("\"kind\": \"npu\"", "\"kind\": \"tpu\"", "devices[1].kind");
    check_refused("\"name\": \"npu\"", "\"name\": \"cpu\"", "there is a device \"cpu\" already");
    check_refused("\"name\": \"npu\"", "\"name\": \"a:b\"", "devices[1].name");
    check_refused("\"precision\": \"i8\"", "\"precision\": \"f16\"", "already");
    check_refused("\"precision\": \"i8\"", "\"precision\": \"i64\"", "precisions[1].precision");
    check_refused("\"conv\"", "\"convv\"", "did you mean \"conv\"");
    check_refused("\"conv\"", "\"pool\"", "the family \"conv\" is missing");
    check_refused("\"gmacs\": {\"value\": 40", "\"gmacs\": {\"value\": 0", "greater than 0");
    check_refused("\"column\": \"qnn\"", "\"column\": \"qn\"", "has no column \"qn\"");
    check_refused("\"executorch\"", "\"et\"", "no table \"et\"");
    check_refused("aten.gelu.default", "aten.gelu.defalt", "did you mean \"aten.gelu.default\"");
    check_refused("\"host\": \"cpu:f32\"", "\"host\": \"cpu\"", "host: there is no target");
    check_refused("\"both_ways\": true", "\"both_ways\": false", "need a link each way");
    check_refused("\"to\": \"npu\"", "\"to\": \"cpu\"", "two different devices");
    check_refused("\"links\"", "\"link\"", "did you mean \"links\"");
    check_refused("platform/1", "platform/2", "\"platform/1\" is needed");
}

static void test_threads_are_those_of_devices_in_this_process(void)
{
    dv_platform *host = NULL;
    size_t size = 0;
    const char *text = dv_embedded_find("devices/host.json", &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(dv_platform_parse("host.json", text, size, &host), DV_OK);
    dv_device_id cpu = dv_platform_device(host, "cpu"), worker = dv_platform_device(host, "worker");
    uint32_t before = host->devices[worker].realisation.threads;
    dv_platform_set_threads(host, before + 3);
    CU_ASSERT_EQUAL(host->devices[cpu].realisation.threads, before + 3);
    CU_ASSERT_EQUAL(host->devices[worker].realisation.threads, before);
    dv_platform_destroy(host);
}

static void test_restricting_keeps_the_host_and_its_links(void)
{
    dv_platform *p = parsed(toy), *few = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_platform_restrict(p, "npu:i8", &few), DV_OK);
    dv_platform_destroy(p); /* the copy stands alone */
    CU_ASSERT_EQUAL(few->target_count, 2);
    CU_ASSERT_STRING_EQUAL(few->targets[few->host].name, "cpu:f32");
    CU_ASSERT_NOT_EQUAL(dv_platform_target(few, "npu:i8"), UINT32_MAX);
    CU_ASSERT_EQUAL(few->link_count, 2);
    CU_ASSERT_TRUE(few->devices[1].supports[DV_OP_CONVOLUTION]);
    dv_platform *one = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_platform_restrict(few, "cpu", &one), DV_OK);
    CU_ASSERT_EQUAL(one->device_count, 1);
    CU_ASSERT_EQUAL(one->link_count, 0);
    dv_platform_destroy(one);
    CU_ASSERT_EQUAL(dv_platform_restrict(few, "cpu,gpu", &one), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "no target 'gpu'; it has cpu:f32, npu:i8"));
    CU_ASSERT_PTR_NULL(one);
    dv_platform_destroy(few);
}

static void test_every_platform_compiled_in_can_be_opened(void)
{
    char name[256];
    size_t count = 0;
    for (; dv_platform_name(count, name); count++) {
        dv_platform *p = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_platform_open(name, &p), DV_OK);
        CU_ASSERT_STRING_EQUAL(p->name, name);
        dv_platform_destroy(p);
    }
    CU_ASSERT_TRUE(count >= 5);
}

static void test_an_unknown_name_lists_the_known_ones(void)
{
    dv_platform *p = NULL;
    CU_ASSERT_EQUAL(dv_platform_open("iphone21", &p), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "iphone12"));
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "raspberrypi5"));
    CU_ASSERT_EQUAL(dv_platform_open("./no/such.json", &p), DV_IO);
    CU_ASSERT_PTR_NULL(p);
}

/* The folder of this variable comes before what is compiled in. */
static void test_the_users_own_platform_comes_first(void)
{
    char *before = getenv("DIVVY_PLATFORMS") ? strdup(getenv("DIVVY_PLATFORMS")) : NULL;
    setenv("DIVVY_PLATFORMS", dv_test_folder(), 1);
    char path[4096], name[256];
    dv_platform_user_path("iphone12", path);
    CU_ASSERT_EQUAL_FATAL(dv_file_write(path, toy, strlen(toy)), DV_OK);
    dv_platform *p = NULL;
    CU_ASSERT_EQUAL(dv_platform_open("iphone12", &p), DV_OK);
    CU_ASSERT_STRING_EQUAL(p ? p->name : "", "toy");
    dv_platform_destroy(p);
    int listed = 0;
    for (size_t i = 0; dv_platform_name(i, name); i++)
        listed += strcmp(name, "iphone12") == 0;
    CU_ASSERT_EQUAL(listed, 1);
    remove(path);
    if (before)
        setenv("DIVVY_PLATFORMS", before, 1);
    else
        unsetenv("DIVVY_PLATFORMS");
    free(before);
}

/* Three bytes changed anywhere: refused with a message, or read; never a crash. */
static void test_damaged_files_never_crash(void)
{
    enum { SEED = 11, TRIALS = 3000 };
    dv_rng rng = dv_rng_seeded(SEED);
    for (int trial = 0; trial < TRIALS; trial++) {
        char bad[sizeof toy];
        memcpy(bad, toy, sizeof bad);
        for (int i = 0; i < 3; i++) {
            char any = (char)(' ' + dv_rng_below(&rng, 95));
            bad[dv_rng_below(&rng, sizeof bad - 1)] = any;
        }
        dv_platform *platform = NULL;
        dv_status status = dv_platform_parse("bad.json", bad, sizeof bad - 1, &platform);
        CU_ASSERT_TRUE((status == DV_OK) == (platform != NULL));
        if (status != DV_OK)
            CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "bad.json: "));
        dv_platform_destroy(platform);
    }
}

DV_SUITE(core_platform, DV_TEST(test_a_file_gives_its_devices_targets_and_links),
         DV_TEST(test_support_comes_from_tables_and_exceptions),
         DV_TEST(test_faults_are_named_by_path),
         DV_TEST(test_restricting_keeps_the_host_and_its_links),
         DV_TEST(test_threads_are_those_of_devices_in_this_process),
         DV_TEST(test_every_platform_compiled_in_can_be_opened),
         DV_TEST(test_an_unknown_name_lists_the_known_ones),
         DV_TEST(test_the_users_own_platform_comes_first), DV_TEST(test_damaged_files_never_crash));
