/* Files, hashes and random numbers. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/rng.h"
#include "tests/suite.h"

static char *path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", dv_test_folder(), name);
    return path;
}

static void test_what_is_written_is_read_back(void)
{
    char path[256];
    CU_ASSERT_EQUAL(dv_file_write(path_of("whole.txt", path), "hello", 5), DV_OK);
    dv_buffer *buffer = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &buffer), DV_OK);
    CU_ASSERT_EQUAL(dv_buffer_size(buffer), 5);
    CU_ASSERT_EQUAL(memcmp(dv_buffer_data(buffer), "hello", 5), 0);
    CU_ASSERT_PTR_NULL(dv_buffer_writable(buffer));
    dv_buffer_retain(buffer);
    dv_buffer_release(buffer);
    CU_ASSERT_EQUAL(dv_buffer_data(buffer)[4], 'o');
    dv_buffer_release(buffer);
}

static void test_a_failed_write_leaves_the_old_file_and_nothing_else(void)
{
    char path[256], folder[256];
    path_of("kept", folder);
    CU_ASSERT_EQUAL(mkdir(folder, 0755), 0);
    CU_ASSERT_EQUAL(dv_file_write(path_of("kept/missing/x", path), "new", 3), DV_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "kept/missing/x: No such file or directory"));
    CU_ASSERT_EQUAL(dv_file_write(folder, "new", 3), DV_IO); /* a folder is in the way */
    CU_ASSERT_EQUAL(rmdir(folder), 0);                       /* still empty */
}

static void test_reading_says_what_is_wrong(void)
{
    char path[256];
    dv_buffer *buffer = NULL;
    CU_ASSERT_EQUAL(dv_buffer_map(path_of("nowhere", path), &buffer), DV_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "nowhere: No such file"));
    CU_ASSERT_EQUAL(dv_buffer_map(dv_test_folder(), &buffer), DV_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "a folder"));
    CU_ASSERT_PTR_NULL(buffer);
    CU_ASSERT_EQUAL(dv_file_write(path_of("empty", path), NULL, 0), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &buffer), DV_OK);
    CU_ASSERT_EQUAL(dv_buffer_size(buffer), 0);
    dv_buffer_release(buffer);
}

/* A model that names a pipe as its data must not keep the program waiting for a writer. */
static void test_a_pipe_that_a_file_names_is_not_waited_for(void)
{
    char path[256];
    dv_buffer *buffer = NULL;
    CU_ASSERT_EQUAL_FATAL(mkfifo(path_of("pipe", path), 0600), 0);
    CU_ASSERT_EQUAL(dv_buffer_map_plain(path, &buffer), DV_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "this is a pipe, not a file"));
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(dv_file_write(path, "x", 1), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map_plain(path, &buffer), DV_OK);
    CU_ASSERT_TRUE(dv_buffer_is_mapped(buffer));
    dv_buffer_release(buffer);
}

static void test_a_device_is_written_through_not_replaced(void)
{
    CU_ASSERT_EQUAL(dv_file_write("/dev/null", "x", 1), DV_OK);
    struct stat about;
    CU_ASSERT_EQUAL(stat("/dev/null", &about), 0);
    CU_ASSERT_TRUE(S_ISCHR(about.st_mode));
}

static void test_sha256_matches_the_published_vectors(void)
{
    static const struct {
        const char *text, *hash;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hash[65];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_sha256_hex(cases[i].text, strlen(cases[i].text), hash);
        CU_ASSERT_STRING_EQUAL(hash, cases[i].hash);
    }
}

static void test_random_numbers_repeat_and_are_spread(void)
{
    dv_rng a = dv_rng_seeded(7), b = dv_rng_seeded(7), other = dv_rng_seeded(8);
    CU_ASSERT_EQUAL(dv_rng_next(&a), dv_rng_next(&b));
    CU_ASSERT_NOT_EQUAL(dv_rng_next(&a), dv_rng_next(&other));
    double sum = 0, squares = 0;
    int counts[5] = {0};
    for (int i = 0; i < 20000; i++) {
        double normal = dv_rng_normal(&a);
        sum += normal;
        squares += normal * normal;
        counts[dv_rng_below(&a, 5)]++;
        double unit = dv_rng_uniform(&a);
        CU_ASSERT_TRUE_FATAL(unit >= 0 && unit < 1);
    }
    CU_ASSERT_TRUE(fabs(sum / 20000) < 0.03);
    CU_ASSERT_TRUE(fabs(squares / 20000 - 1) < 0.05);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_TRUE(counts[i] > 3700 && counts[i] < 4300);
    CU_ASSERT_NOT_EQUAL(dv_rng_at(1, 0), dv_rng_at(1, 1));
    CU_ASSERT_EQUAL(dv_rng_at(1, 5), dv_rng_at(1, 5));
}

DV_SUITE(core_file, DV_TEST(test_what_is_written_is_read_back),
         DV_TEST(test_a_failed_write_leaves_the_old_file_and_nothing_else),
         DV_TEST(test_reading_says_what_is_wrong),
         DV_TEST(test_a_pipe_that_a_file_names_is_not_waited_for),
         DV_TEST(test_a_device_is_written_through_not_replaced),
         DV_TEST(test_sha256_matches_the_published_vectors),
         DV_TEST(test_random_numbers_repeat_and_are_spread));
