/* test_zip.c - entries of zip archives. */
#include <stdio.h>
#include <string.h>

#include "load/zip.h"
#include "tests/suite.h"
#include "tests/zip_writer.h"

static dv_buffer *sample(void)
{
    zip_writer w = zip_begin();
    zip_entry(&w, "a/one", "first entry", 11);
    zip_entry(&w, "a/empty", "", 0);
    zip_entry(&w, "a/two", "second", 6);
    return zip_finish(&w);
}

/* An entry that is stored as it is is not copied: its bytes are the archive's own. */
static void test_stored_entries_stay_where_they_are(void)
{
    dv_buffer *archive = sample();
    dv_zip *zip = NULL;
    dv_bytes bytes;
    CU_ASSERT_EQUAL_FATAL(dv_zip_open(archive, &zip), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_zip_entry(zip, dv_zip_find(zip, "a/two"), &bytes), DV_OK);
    CU_ASSERT_PTR_EQUAL(bytes.buffer, archive);
    CU_ASSERT_EQUAL(bytes.size, 6);
    CU_ASSERT_EQUAL(memcmp(dv_buffer_data(bytes.buffer) + bytes.offset, "second", 6), 0);
    dv_buffer_release(bytes.buffer);
    dv_zip_close(zip);
    dv_buffer_release(archive);
}

static void test_entries_are_found_by_name(void)
{
    dv_buffer *archive = sample();
    dv_zip *zip = NULL;
    dv_bytes bytes;
    CU_ASSERT_EQUAL_FATAL(dv_zip_open(archive, &zip), DV_OK);
    CU_ASSERT_STRING_EQUAL(dv_zip_name(zip, 0), "a/one");
    CU_ASSERT_STRING_EQUAL(dv_zip_name(zip, 2), "a/two");
    CU_ASSERT_PTR_NULL(dv_zip_name(zip, 3));
    CU_ASSERT_PTR_NULL(dv_zip_name(zip, -1));
    CU_ASSERT_EQUAL(dv_zip_find(zip, "a/three"), DV_ZIP_MISSING);
    CU_ASSERT_EQUAL_FATAL(dv_zip_entry(zip, dv_zip_find(zip, "a/empty"), &bytes), DV_OK);
    CU_ASSERT_EQUAL(bytes.size, 0);
    dv_buffer_release(bytes.buffer);
    dv_zip_close(zip);
    dv_buffer_release(archive);
}

/* Sizes in the directory that lead outside the archive. */
static void test_an_entry_outside_the_archive_is_refused(void)
{
    dv_buffer *archive = sample();
    uint8_t *bytes = dv_buffer_writable(archive);
    size_t size = dv_buffer_size(archive);
    for (size_t i = 0; i + 4 < size; i++)
        if (memcmp(bytes + i, "PK\1\2", 4) == 0)
            memset(bytes + i + 20, 0x7f, 7); /* both sizes */
    dv_zip *zip = NULL;
    dv_bytes out;
    if (dv_zip_open(archive, &zip) == DV_OK) {
        CU_ASSERT_EQUAL(dv_zip_entry(zip, 0, &out), DV_BAD_INPUT);
        dv_zip_close(zip);
    }
    dv_buffer_release(archive);
}

static void test_what_is_no_archive_is_refused(void)
{
    dv_buffer *archive = dv_buffer_create(100);
    dv_zip *zip = NULL;
    memcpy(dv_buffer_writable(archive), "PK\3\4", 4);
    CU_ASSERT_TRUE(dv_zip_recognise(dv_buffer_data(archive), 100));
    CU_ASSERT_EQUAL(dv_zip_open(archive, &zip), DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(zip);
    dv_buffer_release(archive);
}

DV_SUITE(load_zip, DV_TEST(test_stored_entries_stay_where_they_are),
         DV_TEST(test_entries_are_found_by_name),
         DV_TEST(test_an_entry_outside_the_archive_is_refused),
         DV_TEST(test_what_is_no_archive_is_refused));
