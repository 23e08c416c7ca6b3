/* test_checkpoint.c - tensors of torch.save's files. */
#include <stdio.h>
#include <string.h>

#include "load/checkpoint.h"
#include "tests/suite.h"
#include "tests/zip_writer.h"

/* What stands for a storage: ('storage', torch.FloatStorage, KEY, 'cpu', 6), kept outside. */
#define STORAGE(key)                                       \
    "(U\x07storagectorch\nFloatStorage\nU\x01" key "U\x03" \
    "cpuK\x06tQ"
/* _rebuild_tensor_v2(storage, 2, (2, 2), (1, 2), False, OrderedDict()) */
#define TENSOR(key)                                                                     \
    "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE(key) "K\x02K\x02K\x02\x86K\x01K\x02" \
                                                        "\x86\x89"                      \
                                                        "ccollections\nOrderedDict\n)RtR"

static const float numbers[] = {0, 1, 2, 3, 4, 5};

static dv_checkpoint *open_checkpoint(const char *pickle, size_t size)
{
    zip_writer w = zip_begin();
    zip_entry(&w, "archive/data.pkl", pickle, size);
    zip_entry(&w, "archive/byteorder", "little", 6);
    zip_entry(&w, "archive/data/0", numbers, sizeof numbers);
    dv_buffer *archive = zip_finish(&w);
    dv_bytes bytes = {archive, 0, dv_buffer_size(archive)};
    dv_checkpoint *checkpoint = NULL;
    if (dv_checkpoint_open(&bytes, &checkpoint) != DV_OK)
        checkpoint = NULL;
    dv_buffer_release(archive);
    return checkpoint;
}

#define OPEN(pickle) open_checkpoint(pickle, sizeof(pickle) - 1)

static void expect_tensor(dv_checkpoint *checkpoint, const char *name)
{
    dv_strided how;
    dv_bytes storage;
    float third;
    CU_ASSERT_EQUAL_FATAL(dv_checkpoint_tensor(checkpoint, name, &how, &storage), DV_OK);
    CU_ASSERT_EQUAL(how.dtype, DV_DTYPE_F32);
    CU_ASSERT_EQUAL(how.shape.rank, 2);
    CU_ASSERT_EQUAL(how.shape.dim[1], 2);
    CU_ASSERT_EQUAL(how.strides[0], 1);
    CU_ASSERT_EQUAL(how.offset, 2);
    CU_ASSERT_EQUAL_FATAL(storage.size, sizeof numbers);
    memcpy(&third, dv_buffer_data(storage.buffer) + storage.offset + 3 * sizeof third,
           sizeof third);
    CU_ASSERT_EQUAL(third, 3);
    dv_buffer_release(storage.buffer);
}

/* A tensor, and a parameter that holds one. */
static void test_tensors_and_parameters_are_found_by_name(void)
{
    dv_checkpoint *checkpoint = OPEN("\x80\x02}(U\x01w" TENSOR(
        "0") "U\x01pctorch._utils\n_rebuild_parameter\n" TENSOR("0") "\x88)\x87Ru.");
    CU_ASSERT_PTR_NOT_NULL_FATAL(checkpoint);
    expect_tensor(checkpoint, "w");
    expect_tensor(checkpoint, "p");
    CU_ASSERT_TRUE(dv_checkpoint_has(checkpoint, "p"));
    CU_ASSERT_FALSE(dv_checkpoint_has(checkpoint, "q"));
    dv_checkpoint_close(checkpoint);
}

static void expect_refused(dv_checkpoint *checkpoint, const char *why)
{
    dv_strided how;
    dv_bytes storage;
    CU_ASSERT_PTR_NOT_NULL_FATAL(checkpoint);
    CU_ASSERT_EQUAL(dv_checkpoint_tensor(checkpoint, "w", &how, &storage), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), why));
    dv_checkpoint_close(checkpoint);
}

static void test_what_is_no_plain_tensor_is_named(void)
{
    expect_refused(OPEN("}U\x01wctorchao.dtypes\nAffineQuantizedTensor\n)Rs."),
                   "torchao.dtypes.AffineQuantizedTensor");
    expect_refused(OPEN("}U\x01wK\x03s."), "no tensor");
    expect_refused(OPEN("}U\x01wctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02K\x02\x85K\x01\x85"
                        "tRs."),
                   "storage");
}

static void test_other_files_are_refused(void)
{
    CU_ASSERT_PTR_NULL(OPEN("]."));
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "no dictionary"));
    CU_ASSERT_PTR_NULL(OPEN("\xff."));
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "0xff"));
}

DV_SUITE(load_checkpoint, DV_TEST(test_tensors_and_parameters_are_found_by_name),
         DV_TEST(test_what_is_no_plain_tensor_is_named), DV_TEST(test_other_files_are_refused));
