/* test_base64.c - the examples of RFC 4648, section 10, and what is not base64. */
#include "load/base64.h"

#include <string.h>

#include "core/rng.h"
#include "tests/suite.h"

static void the_examples_of_the_standard_come_out(void)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        dv_text text = {0};
        uint8_t back[8] = {0};
        dv_base64_append(&text, (const uint8_t *)pairs[i][0], strlen(pairs[i][0]));
        CU_ASSERT_STRING_EQUAL(dv_text_string(&text), pairs[i][1]);
        CU_ASSERT_TRUE(dv_base64_decode(pairs[i][1], back, strlen(pairs[i][0])));
        CU_ASSERT_STRING_EQUAL((const char *)back, pairs[i][0]);
        dv_text_free(&text);
    }
}

static void any_bytes_survive_the_way_there_and_back(void)
{
    dv_rng rng = dv_rng_seeded(64);
    for (size_t size = 0; size < 3000; size += 1 + size / 2) {
        static uint8_t bytes[4096], back[4096];
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)dv_rng_next(&rng);
        dv_text text = {0};
        dv_base64_append(&text, bytes, size);
        CU_ASSERT_TRUE(dv_base64_decode(dv_text_string(&text), back, size));
        CU_ASSERT_EQUAL(memcmp(bytes, back, size), 0);
        dv_text_free(&text);
    }
}

static void wrong_lengths_and_foreign_characters_are_refused(void)
{
    uint8_t out[8];
    CU_ASSERT_FALSE(dv_base64_decode("Zm9v", out, 2));
    CU_ASSERT_FALSE(dv_base64_decode("Zm9v", out, 4));
    CU_ASSERT_FALSE(dv_base64_decode("Zm9", out, 3));
    CU_ASSERT_FALSE(dv_base64_decode("Zm9*", out, 3));
    CU_ASSERT_FALSE(dv_base64_decode("Zm8=", out, 3));
    CU_ASSERT_FALSE(dv_base64_decode("Z===", out, 1));
    CU_ASSERT_FALSE(dv_base64_decode("Zm\n=", out, 2));
}

DV_SUITE(load_base64, DV_TEST(the_examples_of_the_standard_come_out),
         DV_TEST(any_bytes_survive_the_way_there_and_back),
         DV_TEST(wrong_lengths_and_foreign_characters_are_refused));
