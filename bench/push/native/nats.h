/* Owns the client protocol of NATS: saying hello, writing messages and taking apart what comes.
   https://docs.nats.io/reference/reference-protocols/nats-protocol */
#ifndef NATS_H
#define NATS_H

#include <stdint.h>

#include "buffer.h"

struct nats_message {
    const char *subject, *headers, *body; /* in the buffer that was read: gone when the callback returns */
    size_t subject_size, headers_size, body_size;
    uint32_t subscription;
};

typedef void nats_got(void *context, const struct nats_message *message);

/* The first words of a client. */
void nats_hello(struct buffer *out);

/* A message; `reply` may be empty, and `headers` are whole lines without the first one, or empty. */
void nats_publish(struct buffer *out, const struct buffer *subject, const char *reply, const struct buffer *headers,
                  const struct buffer *body);

struct nats_handler {
    nats_got *got;
    void (*ponged)(void *context); /* the server has done all that was asked before a PING; may be NULL */
};

/* Handle each message that is there whole, and answer pings. Ends the process if the server complains. */
void nats_read(struct buffer *in, struct buffer *out, const struct nats_handler *handler, void *context);

#endif
