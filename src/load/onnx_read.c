/* onnx_read.c - one function a message, each a loop over its fields. */
#include "load/onnx_read.h"

#include <string.h>

static dv_status read_opset(dv_span bytes, const uint8_t *file, dv_onnx_opset *opset)
{
    *opset = (dv_onnx_opset){0};
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field part;
    while (dv_pb_next(&cursor, &part)) {
        if (part.number == 1)
            dv_pb_take_text(&cursor, &part, &opset->domain);
        else if (part.number == 2)
            dv_pb_take_int(&cursor, &part, &opset->version);
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
            dv_pb_take_int(&cursor, &field, &out->ir_version);
            break;
        case 2:
            dv_pb_take_text(&cursor, &field, &out->producer);
            break;
        case 3:
            dv_pb_take_text(&cursor, &field, &out->producer_version);
            break;
        case 7:
            dv_pb_take_bytes(&cursor, &field, &out->graph);
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
    uint32_t counts[5] = {0};
    DV_TRY(count_fields(bytes, file, (const uint32_t[]){1, 5, 11, 12, 15}, 5, counts));
    dv_onnx_spans *lists[5] = {&out->nodes, &out->initialisers, &out->inputs, &out->outputs,
                               &out->sparse};
    for (size_t i = 0; i < 5; i++)
        DV_TRY(make_room(arena, counts[i], sizeof(dv_span), &lists[i]->items));

    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        dv_onnx_spans *list = field.number == 1    ? &out->nodes
                              : field.number == 5  ? &out->initialisers
                              : field.number == 11 ? &out->inputs
                              : field.number == 12 ? &out->outputs
                              : field.number == 15 ? &out->sparse
                                                   : NULL;
        if (list && dv_pb_expect(&cursor, &field, DV_PB_BYTES))
            push_span(list, field.bytes);
        else if (field.number == 2)
            dv_pb_take_text(&cursor, &field, &out->name);
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
            dv_pb_take_text(&cursor, &field, &out->name);
            break;
        case 2:
            if (dv_pb_expect(&cursor, &field, DV_PB_FIXED32))
                out->f = dv_pb_float(field.value);
            break;
        case 3:
            dv_pb_take_int(&cursor, &field, &out->i);
            break;
        case 4:
            dv_pb_take_bytes(&cursor, &field, &out->s);
            break;
        case 5:
            dv_pb_take_bytes(&cursor, &field, &out->t);
            break;
        case 6:
            dv_pb_take_bytes(&cursor, &field, &out->g);
            break;
        case 22:
            dv_pb_take_bytes(&cursor, &field, &out->sparse);
            break;
        case 20:
            dv_pb_take_enum(&cursor, &field, &out->type);
            break;
        case 21:
            dv_pb_take_text(&cursor, &field, &out->refers);
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
            dv_pb_take_text(&cursor, &field, &text);
            push_span(&out->inputs, text);
            break;
        case 2:
            dv_pb_take_text(&cursor, &field, &text);
            push_span(&out->outputs, text);
            break;
        case 3:
            dv_pb_take_text(&cursor, &field, &out->name);
            break;
        case 4:
            dv_pb_take_text(&cursor, &field, &out->op_type);
            break;
        case 5:
            if (dv_pb_expect(&cursor, &field, DV_PB_BYTES))
                DV_TRY(read_attribute(field.bytes, file, &out->attributes[out->attribute_count++]));
            break;
        case 7:
            dv_pb_take_text(&cursor, &field, &out->domain);
            break;
        case 8:
            dv_pb_take_text(&cursor, &field, &out->overload);
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
            dv_pb_take_text(&cursor, &field, &out->name);
            break;
        case 4:
        case 5:
            dv_pb_take_text(&cursor, &field, &text);
            push_span(names, text);
            break;
        case 7:
            dv_pb_take_bytes(&cursor, &field, &text);
            push_span(&out->nodes, text);
            break;
        case 9:
            if (dv_pb_expect(&cursor, &field, DV_PB_BYTES))
                DV_TRY(read_opset(field.bytes, file, &out->opsets[out->opset_count++]));
            break;
        case 10:
            dv_pb_take_text(&cursor, &field, &out->domain);
            break;
        case 11:
            if (dv_pb_expect(&cursor, &field, DV_PB_BYTES))
                DV_TRY(read_attribute(field.bytes, file, &out->defaults[out->default_count++]));
            break;
        case 13:
            dv_pb_take_text(&cursor, &field, &out->overload);
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
            dv_pb_take_int(&inner, &part, &dim->value);
            dim->known = true;
        } else if (part.number == 2) {
            dv_pb_take_text(&inner, &part, &dim->symbol);
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
    dv_pb_cursor inner = dv_pb_open(field->bytes, cursor->file);
    dv_pb_field part;
    while (dv_pb_next(&inner, &part)) {
        if (part.number == 1) {
            dv_pb_take_enum(&inner, &part, &value->type);
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

/* TypeProto: a tensor, or a sequence or an optional of another type; others stay unknown. */
static void take_type(dv_pb_cursor *cursor, const dv_pb_field *field, int depth,
                      dv_onnx_value *value)
{
    enum { TENSOR = 1, SEQUENCE = 4, OPTIONAL = 9, ELEMENT = 1, DEEPEST = 3 };
    if (!dv_pb_expect(cursor, field, DV_PB_BYTES))
        return;
    dv_pb_cursor type = dv_pb_open(field->bytes, cursor->file);
    dv_pb_field kind, element;
    while (dv_pb_next(&type, &kind)) {
        if (kind.number == TENSOR) {
            value->is_tensor = depth == 0;
            take_tensor_type(&type, &kind, value);
        } else if ((kind.number == SEQUENCE || kind.number == OPTIONAL) && depth < DEEPEST &&
                   dv_pb_expect(&type, &kind, DV_PB_BYTES)) {
            value->is_sequence |= kind.number == SEQUENCE;
            value->is_optional |= kind.number == OPTIONAL;
            dv_pb_cursor inner = dv_pb_open(kind.bytes, cursor->file);
            while (dv_pb_next(&inner, &element))
                if (element.number == ELEMENT)
                    take_type(&inner, &element, depth + 1, value);
            type.status = inner.status;
        }
    }
    cursor->status = type.status;
}

dv_status dv_onnx_read_value(dv_span bytes, const uint8_t *file, dv_onnx_value *out)
{
    memset(out, 0, sizeof *out);
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        if (field.number == 1) {
            dv_pb_take_text(&cursor, &field, &out->name);
        } else if (field.number == 2) {
            take_type(&cursor, &field, 0, out);
        }
    }
    return cursor.status;
}
