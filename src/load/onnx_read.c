/* onnx_read.c - one function a message, each a loop over its fields. */
#include "load/onnx_read.h"

#include <string.h>

/* Takes a string or message field as a span. */
static void take_bytes(dv_pb_cursor *cursor, const dv_pb_field *field, dv_span *out)
{
    if (dv_pb_expect(cursor, field, DV_PB_BYTES))
        *out = field->bytes;
}

/* Takes a name: names become C strings later, so a NUL byte would let two of them collide. */
static void take_text(dv_pb_cursor *cursor, const dv_pb_field *field, dv_span *out)
{
    take_bytes(cursor, field, out);
    if (cursor->status == DV_OK && out->size > 0 && memchr(out->data, 0, out->size))
        cursor->status = dv_fail(DV_BAD_INPUT, "byte %zu: a name contains a NUL byte",
                                 (size_t)(out->data - cursor->file));
}

static void take_int(dv_pb_cursor *cursor, const dv_pb_field *field, int64_t *out)
{
    if (dv_pb_expect(cursor, field, DV_PB_VARINT))
        *out = (int64_t)field->value;
}

/* Enumerations are non-negative; what does not fit reads as UINT32_MAX, which nothing accepts. */
static void take_enum(dv_pb_cursor *cursor, const dv_pb_field *field, uint32_t *out)
{
    if (dv_pb_expect(cursor, field, DV_PB_VARINT))
        *out = field->value > UINT32_MAX ? UINT32_MAX : (uint32_t)field->value;
}

static dv_status read_opset(dv_span bytes, const uint8_t *file, dv_onnx_opset *opset)
{
    *opset = (dv_onnx_opset){0};
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field part;
    while (dv_pb_next(&cursor, &part)) {
        if (part.number == 1)
            take_text(&cursor, &part, &opset->domain);
        else if (part.number == 2)
            take_int(&cursor, &part, &opset->version);
    }
    return cursor.status;
}

static void take_opset(dv_pb_cursor *cursor, const dv_pb_field *field, dv_onnx_model *model)
{
    if (!dv_pb_expect(cursor, field, DV_PB_BYTES))
        return;
    if (model->opset_count == DV_ONNX_MAX_OPSETS) {
        cursor->status =
            dv_fail(DV_BAD_INPUT, "more than %d operator sets are imported", DV_ONNX_MAX_OPSETS);
        return;
    }
    cursor->status = read_opset(field->bytes, cursor->file, &model->opsets[model->opset_count++]);
}

dv_status dv_onnx_read_model(dv_span bytes, const uint8_t *file, dv_onnx_model *out)
{
    memset(out, 0, sizeof *out);
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        switch (field.number) {
        case 1:
            take_int(&cursor, &field, &out->ir_version);
            break;
        case 2:
            take_text(&cursor, &field, &out->producer);
            break;
        case 3:
            take_text(&cursor, &field, &out->producer_version);
            break;
        case 7:
            take_bytes(&cursor, &field, &out->graph);
            out->has_graph = true;
            break;
        case 8:
            take_opset(&cursor, &field, out);
            break;
        case 25:
            out->function_count++;
            break;
        default:
            break;
        }
    }
    return cursor.status;
}

/* How many fields of each of these numbers a message has, before room is made for them. */
static dv_status count_fields(dv_span bytes, const uint8_t *file, const uint32_t *numbers,
                              size_t number_count, uint32_t *counts)
{
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field))
        for (size_t i = 0; i < number_count; i++)
            if (field.number == numbers[i] && ++counts[i] > DV_ONNX_MAX_ITEMS)
                return dv_fail(DV_BAD_INPUT, "byte %zu: a list of more than %d items",
                               (size_t)(cursor.at - file), DV_ONNX_MAX_ITEMS);
    return cursor.status;
}

static dv_status make_room(dv_arena *arena, uint32_t count, size_t size, void *items)
{
    void *room = dv_arena_array(arena, count, size);
    if (!room)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u items of the model", count);
    memcpy(items, &room, sizeof room);
    return DV_OK;
}

static void push_span(dv_onnx_spans *spans, dv_span span)
{
    spans->items[spans->count++] = span;
}

dv_status dv_onnx_read_graph(dv_span bytes, const uint8_t *file, dv_arena *arena,
                             dv_onnx_graph *out)
{
    memset(out, 0, sizeof *out);
    uint32_t counts[4] = {0};
    DV_TRY(count_fields(bytes, file, (const uint32_t[]){1, 5, 11, 12}, 4, counts));
    dv_onnx_spans *lists[4] = {&out->nodes, &out->initialisers, &out->inputs, &out->outputs};
    for (size_t i = 0; i < 4; i++)
        DV_TRY(make_room(arena, counts[i], sizeof(dv_span), &lists[i]->items));

    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        dv_onnx_spans *list = field.number == 1    ? &out->nodes
                              : field.number == 5  ? &out->initialisers
                              : field.number == 11 ? &out->inputs
                              : field.number == 12 ? &out->outputs
                                                   : NULL;
        if (list && dv_pb_expect(&cursor, &field, DV_PB_BYTES))
            push_span(list, field.bytes);
        else if (field.number == 2)
            take_text(&cursor, &field, &out->name);
        else if (field.number == 15)
            out->sparse_count++;
    }
    return cursor.status;
}

/* The fields of an attribute that say what it holds, in the order of dv_onnx_given. */
static unsigned given_by(uint32_t field_number)
{
    switch (field_number) {
    case 2:
        return DV_ONNX_F;
    case 3:
        return DV_ONNX_I;
    case 4:
        return DV_ONNX_S;
    case 5:
        return DV_ONNX_T;
    case 6:
        return DV_ONNX_G;
    case 7:
        return DV_ONNX_FLOATS;
    case 8:
        return DV_ONNX_INTS;
    case 9:
        return DV_ONNX_STRINGS;
    case 10:
    case 11:
    case 14:
    case 15:
    case 22:
    case 23:
        return DV_ONNX_OTHER;
    default:
        return 0;
    }
}

/* An empty list leaves no field behind: the type alone says that it is there. */
static unsigned given_by_type(uint32_t type)
{
    switch (type) {
    case 1:
        return DV_ONNX_F;
    case 2:
        return DV_ONNX_I;
    case 3:
        return DV_ONNX_S;
    case 6:
        return DV_ONNX_FLOATS;
    case 7:
        return DV_ONNX_INTS;
    case 8:
        return DV_ONNX_STRINGS;
    default:
        return 0;
    }
}

static dv_status read_attribute(dv_span bytes, const uint8_t *file, dv_onnx_attribute *out)
{
    *out = (dv_onnx_attribute){.body = bytes};
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        out->given |= given_by(field.number);
        switch (field.number) {
        case 1:
            take_text(&cursor, &field, &out->name);
            break;
        case 2:
            if (dv_pb_expect(&cursor, &field, DV_PB_FIXED32))
                out->f = dv_pb_float(field.value);
            break;
        case 3:
            take_int(&cursor, &field, &out->i);
            break;
        case 4:
            take_bytes(&cursor, &field, &out->s);
            break;
        case 5:
            take_bytes(&cursor, &field, &out->t);
            break;
        case 6:
            take_bytes(&cursor, &field, &out->g);
            break;
        case 20:
            take_enum(&cursor, &field, &out->type);
            break;
        case 21:
            take_text(&cursor, &field, &out->refers);
            break;
        default:
            break;
        }
    }
    out->given |= given_by_type(out->type);
    return cursor.status;
}

dv_status dv_onnx_read_node(dv_span bytes, const uint8_t *file, dv_arena *arena, dv_onnx_node *out)
{
    memset(out, 0, sizeof *out);
    uint32_t counts[3] = {0};
    DV_TRY(count_fields(bytes, file, (const uint32_t[]){1, 2, 5}, 3, counts));
    DV_TRY(make_room(arena, counts[0], sizeof(dv_span), &out->inputs.items));
    DV_TRY(make_room(arena, counts[1], sizeof(dv_span), &out->outputs.items));
    DV_TRY(make_room(arena, counts[2], sizeof(dv_onnx_attribute), &out->attributes));

    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        dv_span text = {0};
        switch (field.number) {
        case 1:
            take_text(&cursor, &field, &text);
            push_span(&out->inputs, text);
            break;
        case 2:
            take_text(&cursor, &field, &text);
            push_span(&out->outputs, text);
            break;
        case 3:
            take_text(&cursor, &field, &out->name);
            break;
        case 4:
            take_text(&cursor, &field, &out->op_type);
            break;
        case 5:
            if (dv_pb_expect(&cursor, &field, DV_PB_BYTES))
                DV_TRY(read_attribute(field.bytes, file, &out->attributes[out->attribute_count++]));
            break;
        case 7:
            take_text(&cursor, &field, &out->domain);
            break;
        case 8:
            take_text(&cursor, &field, &out->overload);
            break;
        default:
            break;
        }
    }
    return cursor.status;
}

dv_status dv_onnx_read_function(dv_span bytes, const uint8_t *file, dv_arena *arena,
                                dv_onnx_function *out)
{
    memset(out, 0, sizeof *out);
    uint32_t counts[5] = {0};
    DV_TRY(count_fields(bytes, file, (const uint32_t[]){4, 5, 7, 9, 11}, 5, counts));
    DV_TRY(make_room(arena, counts[0], sizeof(dv_span), &out->inputs.items));
    DV_TRY(make_room(arena, counts[1], sizeof(dv_span), &out->outputs.items));
    DV_TRY(make_room(arena, counts[2], sizeof(dv_span), &out->nodes.items));
    DV_TRY(make_room(arena, counts[3], sizeof(dv_onnx_opset), &out->opsets));
    DV_TRY(make_room(arena, counts[4], sizeof(dv_onnx_attribute), &out->defaults));

    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        dv_span text = {0};
        dv_onnx_spans *names = field.number == 4 ? &out->inputs : &out->outputs;
        switch (field.number) {
        case 1:
            take_text(&cursor, &field, &out->name);
            break;
        case 4:
        case 5:
            take_text(&cursor, &field, &text);
            push_span(names, text);
            break;
        case 7:
            take_bytes(&cursor, &field, &text);
            push_span(&out->nodes, text);
            break;
        case 9:
            if (dv_pb_expect(&cursor, &field, DV_PB_BYTES))
                DV_TRY(read_opset(field.bytes, file, &out->opsets[out->opset_count++]));
            break;
        case 10:
            take_text(&cursor, &field, &out->domain);
            break;
        case 11:
            if (dv_pb_expect(&cursor, &field, DV_PB_BYTES))
                DV_TRY(read_attribute(field.bytes, file, &out->defaults[out->default_count++]));
            break;
        case 13:
            take_text(&cursor, &field, &out->overload);
            break;
        default:
            break;
        }
    }
    return cursor.status;
}

static void take_dim(dv_pb_cursor *cursor, const dv_pb_field *field, dv_onnx_value *value)
{
    if (!dv_pb_expect(cursor, field, DV_PB_BYTES))
        return;
    if (value->rank == DV_ONNX_MAX_DIMS) {
        cursor->status = dv_fail(DV_BAD_INPUT, "byte %zu: a shape of more than %d dimensions",
                                 (size_t)(field->bytes.data - cursor->file), DV_ONNX_MAX_DIMS);
        return;
    }
    dv_onnx_dim *dim = &value->dims[value->rank++];
    *dim = (dv_onnx_dim){0};
    dv_pb_cursor inner = dv_pb_open(field->bytes, cursor->file);
    dv_pb_field part;
    while (dv_pb_next(&inner, &part)) {
        if (part.number == 1) {
            take_int(&inner, &part, &dim->value);
            dim->known = true;
        } else if (part.number == 2) {
            take_text(&inner, &part, &dim->symbol);
            dim->known = false;
        }
    }
    cursor->status = inner.status;
}

/* TypeProto.Tensor: element type and shape. */
static void take_tensor_type(dv_pb_cursor *cursor, const dv_pb_field *field, dv_onnx_value *value)
{
    if (!dv_pb_expect(cursor, field, DV_PB_BYTES))
        return;
    value->is_tensor = true;
    dv_pb_cursor inner = dv_pb_open(field->bytes, cursor->file);
    dv_pb_field part;
    while (dv_pb_next(&inner, &part)) {
        if (part.number == 1) {
            take_enum(&inner, &part, &value->type);
        } else if (part.number == 2 && dv_pb_expect(&inner, &part, DV_PB_BYTES)) {
            value->has_shape = true;
            dv_pb_cursor shape = dv_pb_open(part.bytes, cursor->file);
            dv_pb_field dim;
            while (dv_pb_next(&shape, &dim))
                if (dim.number == 1)
                    take_dim(&shape, &dim, value);
            inner.status = shape.status;
        }
    }
    cursor->status = inner.status;
}

dv_status dv_onnx_read_value(dv_span bytes, const uint8_t *file, dv_onnx_value *out)
{
    memset(out, 0, sizeof *out);
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        if (field.number == 1) {
            take_text(&cursor, &field, &out->name);
        } else if (field.number == 2 && dv_pb_expect(&cursor, &field, DV_PB_BYTES)) {
            dv_pb_cursor type = dv_pb_open(field.bytes, file);
            dv_pb_field kind;
            while (dv_pb_next(&type, &kind))
                if (kind.number == 1)
                    take_tensor_type(&type, &kind, out);
            cursor.status = type.status;
        }
    }
    return cursor.status;
}

static bool put_tensor_dim(void *context, uint64_t bits)
{
    dv_onnx_tensor *tensor = context;
    if (tensor->rank == DV_ONNX_MAX_DIMS)
        return false;
    tensor->dims[tensor->rank++] = (int64_t)bits;
    return true;
}

static void take_external(dv_pb_cursor *cursor, const dv_pb_field *field, dv_onnx_tensor *tensor)
{
    if (!dv_pb_expect(cursor, field, DV_PB_BYTES))
        return;
    dv_span key = {0}, value = {0};
    dv_pb_cursor inner = dv_pb_open(field->bytes, cursor->file);
    dv_pb_field part;
    while (dv_pb_next(&inner, &part)) {
        if (part.number == 1)
            take_text(&inner, &part, &key);
        else if (part.number == 2)
            take_text(&inner, &part, &value);
    }
    cursor->status = inner.status;
    if (dv_span_is(key, "location"))
        tensor->location = value;
    else if (dv_span_is(key, "offset"))
        tensor->offset = value;
    else if (dv_span_is(key, "length"))
        tensor->length = value;
}

dv_status dv_onnx_read_tensor(dv_span bytes, const uint8_t *file, dv_onnx_tensor *out)
{
    memset(out, 0, sizeof *out);
    out->body = bytes;
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        int64_t place = 0;
        switch (field.number) {
        case 1:
            (void)dv_pb_each(&cursor, &field, DV_PB_VARINT, put_tensor_dim, out);
            break;
        case 2:
            take_enum(&cursor, &field, &out->type);
            break;
        case 3:
            out->segmented = true;
            break;
        case 8:
            take_text(&cursor, &field, &out->name);
            break;
        case 9:
            take_bytes(&cursor, &field, &out->raw);
            out->has_raw = true;
            break;
        case 13:
            take_external(&cursor, &field, out);
            break;
        case 14:
            take_int(&cursor, &field, &place);
            out->external = place == 1;
            break;
        default:
            break;
        }
    }
    return cursor.status;
}

/* A bounded list being filled. */
typedef struct list {
    size_t count, most;
    int64_t *ints;
    float *floats;
} list;

static bool put_int(void *context, uint64_t bits)
{
    list *ints = context;
    if (ints->count == ints->most)
        return false;
    ints->ints[ints->count++] = (int64_t)bits;
    return true;
}

static bool put_float(void *context, uint64_t bits)
{
    list *floats = context;
    if (floats->count == floats->most)
        return false;
    floats->floats[floats->count++] = dv_pb_float(bits);
    return true;
}

dv_status dv_onnx_read_ints(const dv_onnx_attribute *attribute, const uint8_t *file, size_t most,
                            int64_t *out, size_t *count)
{
    list ints = {.most = most, .ints = out};
    dv_pb_cursor cursor = dv_pb_open(attribute->body, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field))
        if (field.number == 8)
            (void)dv_pb_each(&cursor, &field, DV_PB_VARINT, put_int, &ints);
    *count = ints.count;
    return cursor.status;
}

dv_status dv_onnx_read_floats(const dv_onnx_attribute *attribute, const uint8_t *file, size_t most,
                              float *out, size_t *count)
{
    list floats = {.most = most, .floats = out};
    dv_pb_cursor cursor = dv_pb_open(attribute->body, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field))
        if (field.number == 7)
            (void)dv_pb_each(&cursor, &field, DV_PB_FIXED32, put_float, &floats);
    *count = floats.count;
    return cursor.status;
}

dv_status dv_onnx_read_texts(const dv_onnx_attribute *attribute, const uint8_t *file, size_t most,
                             dv_span *out, size_t *count)
{
    dv_pb_cursor cursor = dv_pb_open(attribute->body, file);
    dv_pb_field field;
    *count = 0;
    while (dv_pb_next(&cursor, &field)) {
        if (field.number != 9 || !dv_pb_expect(&cursor, &field, DV_PB_BYTES))
            continue;
        if (*count == most)
            return dv_fail(DV_BAD_INPUT, "more than %zu texts", most);
        out[(*count)++] = field.bytes;
    }
    return cursor.status;
}
