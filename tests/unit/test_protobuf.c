/* test_protobuf.c - the cursor reads what the encoding allows and leaves nothing else standing. */
#include "load/protobuf.h"

#include <string.h>

#include "tests/onnx_writer.h"
#include "tests/suite.h"

static dv_pb_cursor open_bytes(const void *bytes, size_t size)
{
    return dv_pb_open((dv_span){bytes, size}, bytes);
}

static dv_status status_after(const void *bytes, size_t size)
{
    dv_pb_cursor cursor = open_bytes(bytes, size);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field))
        ;
    return cursor.status;
}

static void fields_of_all_wire_types_are_read(void)
{
    dv_text bytes = {0};
    dv_pb_field field;
    pb_int(&bytes, 1, -1);
    pb_float(&bytes, 2, 0.5f);
    pb_string(&bytes, 536870911, "last");
    dv_text_append_n(&bytes, "\x19\1\0\0\0\0\0\0\x80", 9); /* field 3, 64 bits */
    dv_pb_cursor cursor = open_bytes(bytes.data, bytes.length);

    CU_ASSERT_TRUE_FATAL(dv_pb_next(&cursor, &field));
    CU_ASSERT_EQUAL(field.number, 1);
    CU_ASSERT_EQUAL((int64_t)field.value, -1);
    CU_ASSERT_TRUE_FATAL(dv_pb_next(&cursor, &field));
    CU_ASSERT_EQUAL(dv_pb_float(field.value), 0.5f);
    CU_ASSERT_TRUE_FATAL(dv_pb_next(&cursor, &field));
    CU_ASSERT_EQUAL(field.number, 536870911);
    CU_ASSERT_TRUE(dv_span_is(field.bytes, "last"));
    CU_ASSERT_TRUE_FATAL(dv_pb_next(&cursor, &field));
    CU_ASSERT_EQUAL(field.value, 0x8000000000000001u);
    CU_ASSERT_FALSE(dv_pb_next(&cursor, &field));
    CU_ASSERT_EQUAL(cursor.status, DV_OK);
    dv_text_free(&bytes);
}

static void a_length_beyond_the_message_is_refused(void)
{
    CU_ASSERT_EQUAL(status_after("\x0a\5hell", 6), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "byte 1: a field of 5 bytes where 4 are left"));
    CU_ASSERT_EQUAL(status_after("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(status_after("\x0a\4hell", 6), DV_OK);
}

static void numbers_longer_than_64_bits_are_refused(void)
{
    CU_ASSERT_EQUAL(status_after("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11), DV_OK);
    CU_ASSERT_EQUAL(status_after("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\2", 11), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(status_after("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", 12),
                    DV_BAD_INPUT);
    CU_ASSERT_EQUAL(status_after("\x08\x80\x80\1", 4), DV_OK);
    CU_ASSERT_EQUAL(status_after("\x08\x80", 2), DV_BAD_INPUT);
}

static void groups_and_unknown_wire_types_are_refused(void)
{
    CU_ASSERT_EQUAL(status_after("\x0b\x0c", 2), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(status_after("\x0e", 1), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(status_after("\x02\0", 2), DV_BAD_INPUT); /* field number 0 */
}

static bool add(void *context, uint64_t bits)
{
    uint64_t *sum = context;
    if (bits == 99)
        return false;
    *sum = 10 * *sum + bits;
    return true;
}

static void lists_may_be_packed_and_not_in_any_mix(void)
{
    /* field 1: 1, then packed 2 3, then 4 */
    static const char bytes[] = "\x08\1\x0a\2\2\3\x08\4";
    dv_pb_cursor cursor = open_bytes(bytes, sizeof bytes - 1);
    dv_pb_field field;
    uint64_t digits = 0;
    while (dv_pb_next(&cursor, &field))
        CU_ASSERT_TRUE(dv_pb_each(&cursor, &field, DV_PB_VARINT, add, &digits));
    CU_ASSERT_EQUAL(cursor.status, DV_OK);
    CU_ASSERT_EQUAL(digits, 1234);
}

static void a_packed_list_that_is_cut_or_too_long_fails_its_message(void)
{
    static const char *const bytes[] = {"\x0a\2\1\x80", "\x0a\2\1\x63", "\x0d\1\1\1\1"};
    static const size_t sizes[] = {4, 4, 5};
    for (size_t i = 0; i < 3; i++) {
        dv_pb_cursor cursor = open_bytes(bytes[i], sizes[i]);
        dv_pb_field field;
        uint64_t digits = 0;
        CU_ASSERT_TRUE(dv_pb_next(&cursor, &field));
        CU_ASSERT_FALSE(dv_pb_each(&cursor, &field, DV_PB_VARINT, add, &digits));
        CU_ASSERT_EQUAL(cursor.status, DV_BAD_INPUT);
        CU_ASSERT_FALSE(dv_pb_next(&cursor, &field));
    }
}

DV_SUITE(load_protobuf, DV_TEST(fields_of_all_wire_types_are_read),
         DV_TEST(a_length_beyond_the_message_is_refused),
         DV_TEST(numbers_longer_than_64_bits_are_refused),
         DV_TEST(groups_and_unknown_wire_types_are_refused),
         DV_TEST(lists_may_be_packed_and_not_in_any_mix),
         DV_TEST(a_packed_list_that_is_cut_or_too_long_fails_its_message));
