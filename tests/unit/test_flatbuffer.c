/* test_flatbuffer.c - fields are found by number, absent ones have their default, and nothing is
   read outside the bytes. */
#include <string.h>

#include "load/flatbuffer.h"
#include "tests/fb_writer.h"
#include "tests/suite.h"

static fb_writer sample(void)
{
    static const int64_t numbers[] = {5, -6};
    fb_writer w = fb_begin("TEST", 8);
    fb_put(&w, FB_ROOT, 0, 4, (uint32_t)-7);
    fb_put(&w, FB_ROOT, 1, 1, 1);
    fb_put_f64(&w, FB_ROOT, 2, 0.25);
    fb_string(&w, FB_ROOT, 3, "name");
    fb_vector(&w, FB_ROOT, 4, 8, 2, numbers);
    size_t refs = fb_refs(&w, FB_ROOT, 5, 2);
    for (size_t i = 0; i < 2; i++) {
        size_t table = fb_table(&w, 2);
        fb_put(&w, table, 1, 1, 40 + i);
        fb_point(&w, refs, i, table);
    }
    return w;
}

/* Reads all of the sample; the sum of its numbers. */
static double read_all(dv_fb *fb)
{
    dv_fb_table root = dv_fb_root(fb);
    dv_fb_vector longs = dv_fb_list(&root, 4, 8), tables = dv_fb_tables(&root, 5);
    dv_span name = dv_fb_string(&root, 3);
    double sum = dv_fb_i32(&root, 0, 0) + dv_fb_flag(&root, 1, false) + dv_fb_f64(&root, 2, 0);
    for (uint32_t i = 0; i < longs.count; i++)
        sum += (double)dv_fb_i64_at(&longs, i);
    for (uint32_t i = 0; i < tables.count; i++) {
        dv_fb_table table = dv_fb_table_at(&tables, i);
        sum += dv_fb_u8(&table, 1, 0);
    }
    for (size_t i = 0; i < name.size; i++)
        sum += name.data[i];
    return sum;
}

static void fields_are_read_by_number(void)
{
    fb_writer w = sample();
    dv_fb fb = {.bytes = (const uint8_t *)w.bytes.data, .size = w.bytes.length};
    double letters = 'n' + 'a' + 'm' + 'e';
    CU_ASSERT_EQUAL(read_all(&fb), -7 + 1 + 0.25 + 5 - 6 + 40 + 41 + letters);
    CU_ASSERT_EQUAL(fb.status, DV_OK);
    dv_text_free(&w.bytes);
}

static void what_is_absent_has_its_default(void)
{
    fb_writer w = sample();
    dv_fb fb = {.bytes = (const uint8_t *)w.bytes.data, .size = w.bytes.length};
    dv_fb_table root = dv_fb_root(&fb);
    dv_fb_table child = dv_fb_child(&root, 6);
    CU_ASSERT_EQUAL(dv_fb_i32(&root, 6, 12), 12);
    CU_ASSERT_EQUAL(dv_fb_i32(&root, 700, 12), 12); /* beyond the layout: a newer schema's */
    CU_ASSERT_EQUAL(child.at, 0);
    CU_ASSERT_EQUAL(dv_fb_i32(&child, 0, -3), -3);
    CU_ASSERT_EQUAL(dv_fb_list(&child, 0, 4).count, 0);
    CU_ASSERT_EQUAL(fb.status, DV_OK);
    dv_text_free(&w.bytes);
}

static void an_index_past_a_list_is_a_fault(void)
{
    fb_writer w = sample();
    dv_fb fb = {.bytes = (const uint8_t *)w.bytes.data, .size = w.bytes.length};
    dv_fb_table root = dv_fb_root(&fb);
    dv_fb_vector longs = dv_fb_list(&root, 4, 8);
    CU_ASSERT_EQUAL(dv_fb_i64_at(&longs, 2), 0);
    CU_ASSERT_EQUAL(fb.status, DV_BAD_INPUT);
    CU_ASSERT_EQUAL(dv_fb_i32(&root, 0, 99), 99); /* from then on nothing is read */
    dv_text_free(&w.bytes);
}

/* The bytes are in a block of their own length, so that a sanitizer sees any read behind them. */
static void bytes_cut_anywhere_end_in_a_fault_or_a_value(void)
{
    fb_writer w = sample();
    size_t faults = 0;
    for (size_t size = 0; size < w.bytes.length; size++) {
        dv_text part = {0};
        dv_text_append_n(&part, w.bytes.data, size);
        dv_fb fb = {.bytes = (const uint8_t *)dv_text_string(&part), .size = size};
        (void)read_all(&fb);
        faults += fb.status == DV_BAD_INPUT;
        dv_text_free(&part);
    }
    CU_ASSERT_TRUE(faults > w.bytes.length / 2);
    dv_text_free(&w.bytes);
}

static void an_offset_out_of_the_file_names_its_place(void)
{
    fb_writer w = fb_begin("TEST", 1);
    w.bytes.data[3] = 0x7f;
    dv_fb fb = {.bytes = (const uint8_t *)w.bytes.data, .size = w.bytes.length};
    CU_ASSERT_EQUAL(dv_fb_root(&fb).at, 0);
    CU_ASSERT_EQUAL(fb.status, DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "byte 0: an offset leads out of the file"));
    dv_text_free(&w.bytes);
}

DV_SUITE(load_flatbuffer, DV_TEST(fields_are_read_by_number),
         DV_TEST(what_is_absent_has_its_default), DV_TEST(an_index_past_a_list_is_a_fault),
         DV_TEST(bytes_cut_anywhere_end_in_a_fault_or_a_value),
         DV_TEST(an_offset_out_of_the_file_names_its_place));
