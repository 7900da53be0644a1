/* Owns bytes that wait: appended at the end, taken from the beginning. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

struct buffer {
    char *memory;
    size_t begin, end, room;
};

static inline char *buffer_data(const struct buffer *buffer) { return buffer->memory + buffer->begin; }
static inline size_t buffer_size(const struct buffer *buffer) { return buffer->end - buffer->begin; }

/* Room for `size` more bytes at the end; write there and call `buffer_grew`. */
char *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_grew(struct buffer *buffer, size_t size);

void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_print(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_take(struct buffer *buffer, size_t size);
void buffer_free(struct buffer *buffer);

#endif
