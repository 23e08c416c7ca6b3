/* text.h - a growing string, and how figures are spelled for people. */
#ifndef DV_CORE_TEXT_H
#define DV_CORE_TEXT_H

#include "core/status.h"

/* Zero-initialise; free with dv_text_free. Once failed (no memory) it stays failed and further
   appends do nothing, so a long build-up needs a single check at its end. */
typedef struct dv_text {
    char *data; /* NUL-terminated, or NULL while empty */
    size_t length;
    size_t capacity;
    bool failed;
} dv_text;

void dv_text_append(dv_text *text, const char *format, ...) DV_PRINTF(2, 3);
void dv_text_append_n(dv_text *text, const char *bytes, size_t length);
void dv_text_free(dv_text *text);

/* The string so far; never NULL. */
const char *dv_text_string(const dv_text *text);

/* Space enough for one formatted figure. */
enum { DV_FIGURE_MAX = 48 };

/* "812 us", "12.3 ms", "1.20 s" (us below 1 ms, else ms; s from 10 s on); returns out. */
char *dv_format_us(char out[DV_FIGURE_MAX], double us);

/* "96 B", "1.2 KB", "88.2 MB", "4.1 GB" (powers of 1000); returns out. */
char *dv_format_bytes(char out[DV_FIGURE_MAX], double bytes);

/* "1.2 k", "3.50 M", "4.11 G", "7.5 T"; returns out. */
char *dv_format_count(char out[DV_FIGURE_MAX], double count);

/* Reads a non-negative time with unit (us, ms, s; a bare number is us) such as "1.5ms" into *us;
   false if it is anything else. */
bool dv_parse_us(const char *text, double *us);

/* The same for sizes (B, KB, MB, GB, TB of powers of 1000; a bare number is bytes), energies (uJ,
   mJ, J; a bare number is uJ) and numbers without unit. */
bool dv_parse_bytes(const char *text, double *bytes);
bool dv_parse_uj(const char *text, double *uj);
bool dv_parse_number(const char *text, double *value);

/* Reads a whole decimal integer in [low, high]; false if it is anything else. */
bool dv_parse_integer(const char *text, int64_t low, int64_t high, int64_t *out);

/* The nearest of count names by edit distance, or NULL if none is near: for "did you mean". */
const char *dv_nearest_name(const char *name, const char *const *names, size_t count);

#endif
