/* Owns WebSocket frames (RFC 6455, 5.2): taking a server's apart as they come, and writing a client's. */
#ifndef FRAMES_H
#define FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

enum opcode { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

enum { SMALL_MAX = 125 };

struct frames {
    uint64_t left;    /* bytes of the payload that are still to come */
    uint8_t head[10]; /* of the frame, as far as it has come */
    uint8_t head_size;
    uint8_t small_size;
    char small[SMALL_MAX]; /* the payload of a frame that is small, which control frames always are */
};

struct frame_handler {
    void (*small)(void *context, enum opcode opcode, const char *payload, size_t size); /* a whole frame */
    void (*part)(void *context, const char *bytes, size_t size);                        /* some of a larger one */
};

void frames_read(struct frames *frames, const char *bytes, size_t size, const struct frame_handler *handler,
                 void *context);

/* Append a client's frame. Its mask is zero: the payload stands there as it is. */
void frame_append(struct buffer *buffer, enum opcode opcode, const char *payload, size_t size);

#endif
