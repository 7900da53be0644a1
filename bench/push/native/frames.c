#include "frames.h"

#include <string.h>

#include "fail.h"

enum { FINAL = 0x80, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f, LENGTH_16 = 126, LENGTH_64 = 127 };

/* Bytes that the head has, from its first two; 2 as long as these are not there. */
static size_t head_size(const struct frames *frames)
{
    if (frames->head_size < 2)
        return 2;
    switch (frames->head[1] & LENGTH) {
    case LENGTH_16: return 4;
    case LENGTH_64: return 10;
    default: return 2;
    }
}

static uint64_t payload_size(const struct frames *frames, size_t size)
{
    uint64_t length = 0;
    if (size == 2)
        return frames->head[1] & LENGTH;
    for (size_t at = 2; at < size; at++)
        length = length << 8 | frames->head[at];
    return length;
}

/* Take bytes of the head; returns how many. */
static size_t read_head(struct frames *frames, const char *bytes, size_t size)
{
    size_t taken = 0;
    while (taken < size && frames->head_size < head_size(frames))
        frames->head[frames->head_size++] = (uint8_t)bytes[taken++];
    if (frames->head_size >= 2 && frames->head[1] & MASKED)
        fail(EXIT_PEER, "the server masks its frames");
    if (frames->head_size == head_size(frames))
        frames->left = payload_size(frames, frames->head_size);
    return taken;
}

static void end_of_small(struct frames *frames, const struct frame_handler *handler, void *context)
{
    enum opcode opcode = frames->head[0] & OPCODE;
    size_t size = frames->small_size;
    frames->head_size = frames->small_size = 0;
    handler->small(context, opcode, frames->small, size);
}

/* Take bytes of the payload; returns how many. */
static size_t read_payload(struct frames *frames, const char *bytes, size_t size,
                           const struct frame_handler *handler, void *context)
{
    size_t taken = size < frames->left ? size : (size_t)frames->left;
    frames->left -= taken;
    if (frames->head_size == 2) {
        memcpy(frames->small + frames->small_size, bytes, taken);
        frames->small_size = (uint8_t)(frames->small_size + taken);
        if (frames->left == 0)
            end_of_small(frames, handler, context);
        return taken;
    }
    if (frames->left == 0)
        frames->head_size = 0;
    handler->part(context, bytes, taken);
    return taken;
}

void frames_read(struct frames *frames, const char *bytes, size_t size, const struct frame_handler *handler,
                 void *context)
{
    for (const char *end = bytes + size; bytes < end;) {
        if (frames->head_size < head_size(frames)) {
            bytes += read_head(frames, bytes, (size_t)(end - bytes));
            if (frames->head_size < head_size(frames))
                return;
            if (frames->left > 0)
                continue;
        }
        bytes += read_payload(frames, bytes, (size_t)(end - bytes), handler, context);
    }
}

void frame_append(struct buffer *buffer, enum opcode opcode, const char *payload, size_t size)
{
    const unsigned char small[] = {FINAL | opcode, (unsigned char)(MASKED | size), 0, 0, 0, 0};
    const unsigned char large[] = {FINAL | opcode, MASKED | LENGTH_16, (unsigned char)(size >> 8),
                                   (unsigned char)size, 0, 0, 0, 0};
    if (size > UINT16_MAX)
        fail(EXIT_PLAN, "a client's message of %zu bytes is too long", size);
    if (size <= SMALL_MAX)
        buffer_append(buffer, small, sizeof small);
    else
        buffer_append(buffer, large, sizeof large);
    buffer_append(buffer, payload, size);
}
