/* Owns sockets to and on 127.0.0.1, and the clock. Nothing blocks. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"

enum { NET_CLOSED = -1, NET_NOTHING = 0 };

uint64_t now_ns(void);

/* As many files as the hard limit allows. */
void net_raise_limit(void);

/* A socket that is being connected; writable when it is. */
int net_connect(uint16_t port);

/* The same for one of many, from one of some addresses of this machine, by its number: of one address's ports most are
 * odd ones or even ones in use when there are 14,000, and the kernel looks through all of these for each further one. */
int net_connect_from(uint32_t number, uint16_t port);

/* A socket that listens. */
int net_listen(uint16_t port);

/* Whether a connect that was begun has come to a good end. */
bool net_connected(int socket);

/* How many bytes came: NET_NOTHING if none are there, NET_CLOSED if none will ever be. */
ssize_t net_receive(int socket, void *bytes, size_t size);

/* Send what the kernel takes and drop it from the buffer; false if the connection is gone. */
bool net_flush(int socket, struct buffer *buffer);

/* Close with a reset: no port stays behind for a minute. */
void net_reset(int socket);

enum { TAG_BITS = 32 };

/* Have epoll tell of `socket` with these events and a tag; `change` if it does already. */
void net_watch(int epoll, int socket, uint32_t events, uint32_t kind, uint32_t index, bool change);

#endif
