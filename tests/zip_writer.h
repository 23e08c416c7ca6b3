/* zip_writer.h - zip archives by hand, for tests: entries stored as they are.

       zip_writer w = zip_begin();
       zip_entry(&w, "m/models/model.json", text, strlen(text));
       dv_buffer *archive = zip_finish(&w); */
#ifndef DV_TESTS_ZIP_WRITER_H
#define DV_TESTS_ZIP_WRITER_H

#include "core/file.h"
#include "core/text.h"

typedef struct zip_writer {
    dv_text body, directory;
    uint32_t count;
} zip_writer;

zip_writer zip_begin(void);
void zip_entry(zip_writer *w, const char *name, const void *bytes, size_t size);

/* The archive; the writer is empty afterwards. */
dv_buffer *zip_finish(zip_writer *w);

#endif
