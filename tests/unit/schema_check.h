/* schema_check.h - does a JSON document follow a JSON Schema? */
#ifndef DV_TESTS_SCHEMA_CHECK_H
#define DV_TESTS_SCHEMA_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Validates text against doc/schema/NOUN-1.json of the source tree, by the keywords of draft 07
   that those schemas use; an unknown keyword fails. On failure writes path and reason into why. */
bool schema_check(const char *noun, const char *text, size_t size, char *why, size_t why_size);

#endif
