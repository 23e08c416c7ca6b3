/* schema_check.c - a small validator of JSON Schema. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "tests/suite.h"
#include "tests/unit/schema_check.h"

typedef struct check {
    const cJSON *root; /* of the schema, for references */
    char *why;
    size_t why_size;
} check;

static bool fails(const check *c, const char *path, const char *what)
{
    snprintf(c->why, c->why_size, "%s: %s", path, what);
    return false;
}

static bool has_type(const cJSON *value, const char *type)
{
    if (strcmp(type, "integer") == 0)
        return cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble);
    return (strcmp(type, "object") == 0 && cJSON_IsObject(value)) ||
           (strcmp(type, "array") == 0 && cJSON_IsArray(value)) ||
           (strcmp(type, "string") == 0 && cJSON_IsString(value)) ||
           (strcmp(type, "number") == 0 && cJSON_IsNumber(value)) ||
           (strcmp(type, "boolean") == 0 && cJSON_IsBool(value)) ||
           (strcmp(type, "null") == 0 && cJSON_IsNull(value));
}

static bool validate(const check *c, const cJSON *schema, const cJSON *value, const char *path);

static bool validate_type(const check *c, const cJSON *rule, const cJSON *value, const char *path)
{
    bool found = cJSON_IsString(rule) && has_type(value, rule->valuestring);
    const cJSON *type;
    cJSON_ArrayForEach(type, rule) found |= has_type(value, type->valuestring);
    return found || fails(c, path, "wrong type");
}

static bool validate_enum(const check *c, const cJSON *rule, const cJSON *value, const char *path)
{
    const cJSON *choice;
    cJSON_ArrayForEach(choice, rule)
    {
        if (cJSON_Compare(choice, value, true))
            return true;
    }
    return fails(c, path, "none of the values allowed");
}

static bool validate_required(const check *c, const cJSON *rule, const cJSON *value,
                              const char *path)
{
    const cJSON *key;
    cJSON_ArrayForEach(key, rule)
    {
        if (cJSON_IsObject(value) && !cJSON_GetObjectItemCaseSensitive(value, key->valuestring))
            return fails(c, path, key->valuestring);
    }
    return true;
}

/* Members: by "properties", the others by "additionalProperties". */
static bool validate_members(const check *c, const cJSON *schema, const cJSON *value,
                             const char *path)
{
    const cJSON *known = cJSON_GetObjectItemCaseSensitive(schema, "properties");
    const cJSON *others = cJSON_GetObjectItemCaseSensitive(schema, "additionalProperties");
    const cJSON *member;
    if (!cJSON_IsObject(value))
        return true;
    cJSON_ArrayForEach(member, value)
    {
        char inner[512];
        snprintf(inner, sizeof inner, "%.400s.%.100s", path, member->string);
        const cJSON *rule = cJSON_GetObjectItemCaseSensitive(known, member->string);
        if (!rule && cJSON_IsFalse(others))
            return fails(c, inner, "unknown key");
        rule = rule ? rule : others;
        if (cJSON_IsObject(rule) && !validate(c, rule, member, inner))
            return false;
    }
    return true;
}

static bool validate_items(const check *c, const cJSON *rule, const cJSON *value, const char *path)
{
    const cJSON *item;
    int i = 0;
    if (!cJSON_IsArray(value))
        return true;
    cJSON_ArrayForEach(item, value)
    {
        char inner[512];
        snprintf(inner, sizeof inner, "%.480s[%d]", path, i++);
        if (!validate(c, rule, item, inner))
            return false;
    }
    return true;
}

static bool validate_choice(const check *c, const cJSON *rule, const cJSON *value, const char *path,
                            bool exactly_one)
{
    const cJSON *choice;
    int matches = 0;
    cJSON_ArrayForEach(choice, rule) matches += validate(c, choice, value, path);
    bool fine = exactly_one ? matches == 1 : matches > 0;
    return fine || fails(c, path, "matches none or several of the alternatives");
}

static bool validate_reference(const check *c, const cJSON *rule, const cJSON *value,
                               const char *path)
{
    static const char prefix[] = "#/definitions/";
    const cJSON *definitions = cJSON_GetObjectItemCaseSensitive(c->root, "definitions");
    const cJSON *target = NULL;
    if (strncmp(rule->valuestring, prefix, sizeof prefix - 1) == 0)
        target =
            cJSON_GetObjectItemCaseSensitive(definitions, rule->valuestring + sizeof prefix - 1);
    return target ? validate(c, target, value, path)
                  : fails(c, path, "the schema refers to nothing");
}

static bool validate_keyword(const check *c, const cJSON *schema, const cJSON *rule,
                             const cJSON *value, const char *path)
{
    const char *key = rule->string;
    if (strcmp(key, "type") == 0)
        return validate_type(c, rule, value, path);
    if (strcmp(key, "enum") == 0)
        return validate_enum(c, rule, value, path);
    if (strcmp(key, "const") == 0)
        return cJSON_Compare(rule, value, true) || fails(c, path, "not the constant wanted");
    if (strcmp(key, "required") == 0)
        return validate_required(c, rule, value, path);
    if (strcmp(key, "properties") == 0)
        return validate_members(c, schema, value, path);
    if (strcmp(key, "additionalProperties") == 0)
        return cJSON_GetObjectItemCaseSensitive(schema, "properties") ||
               validate_members(c, schema, value, path);
    if (strcmp(key, "items") == 0)
        return validate_items(c, rule, value, path);
    if (strcmp(key, "minItems") == 0)
        return !cJSON_IsArray(value) || cJSON_GetArraySize(value) >= rule->valueint ||
               fails(c, path, "too few items");
    if (strcmp(key, "maxItems") == 0)
        return !cJSON_IsArray(value) || cJSON_GetArraySize(value) <= rule->valueint ||
               fails(c, path, "too many items");
    if (strcmp(key, "minLength") == 0)
        return !cJSON_IsString(value) || (int)strlen(value->valuestring) >= rule->valueint ||
               fails(c, path, "too short");
    if (strcmp(key, "minimum") == 0)
        return !cJSON_IsNumber(value) || value->valuedouble >= rule->valuedouble ||
               fails(c, path, "too small");
    if (strcmp(key, "oneOf") == 0 || strcmp(key, "anyOf") == 0)
        return validate_choice(c, rule, value, path, key[0] == 'o');
    if (strcmp(key, "$ref") == 0)
        return validate_reference(c, rule, value, path);
    static const char *const words[] = {"$schema", "title", "description", "definitions"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(key, words[i]) == 0)
            return true;
    return fails(c, path, key);
}

static bool validate(const check *c, const cJSON *schema, const cJSON *value, const char *path)
{
    const cJSON *rule;
    cJSON_ArrayForEach(rule, schema)
    {
        if (!validate_keyword(c, schema, rule, value, path))
            return false;
    }
    return true;
}

bool schema_check(const char *noun, const char *text, size_t size, char *why, size_t why_size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/doc/schema/%s-1.json", dv_source_root(), noun);
    dv_buffer *buffer = NULL;
    if (dv_buffer_map(path, &buffer) != DV_OK) {
        snprintf(why, why_size, "%s", dv_message());
        return false;
    }
    cJSON *schema =
        cJSON_ParseWithLength((const char *)dv_buffer_data(buffer), dv_buffer_size(buffer));
    cJSON *value = cJSON_ParseWithLength(text, size);
    const check c = {schema, why, why_size};
    bool fine = false;
    if (!schema || !value)
        snprintf(why, why_size, "%s is not JSON", schema ? "the text" : path);
    else
        fine = validate(&c, schema, value, noun);
    cJSON_Delete(schema);
    cJSON_Delete(value);
    dv_buffer_release(buffer);
    return fine;
}
