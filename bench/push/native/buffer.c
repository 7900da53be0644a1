#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

enum { SMALLEST = 512, PRINTED_MAX = 512 };

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->begin > 0 && buffer->end + size > buffer->room) {
        memmove(buffer->memory, buffer_data(buffer), buffer_size(buffer));
        buffer->end -= buffer->begin;
        buffer->begin = 0;
    }
    if (buffer->end + size > buffer->room) {
        size_t room = 2 * (buffer->end + size);
        buffer->room = room < SMALLEST ? SMALLEST : room;
        buffer->memory = realloc(buffer->memory, buffer->room);
        if (buffer->memory == NULL)
            fail(EXIT_SYSTEM, "there is no memory for %zu bytes", buffer->room);
    }
    return buffer->memory + buffer->end;
}

void buffer_grew(struct buffer *buffer, size_t size) { buffer->end += size; }

void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    memcpy(buffer_reserve(buffer, size), bytes, size);
    buffer->end += size;
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(buffer_reserve(buffer, PRINTED_MAX), PRINTED_MAX, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= PRINTED_MAX)
        fail(EXIT_SYSTEM, "a text of %d bytes does not fit", size);
    buffer->end += (size_t)size;
}

void buffer_take(struct buffer *buffer, size_t size)
{
    buffer->begin += size;
    if (buffer->begin == buffer->end)
        buffer->begin = buffer->end = 0;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->memory);
    *buffer = (struct buffer){0};
}
