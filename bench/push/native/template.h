/* Owns texts with blanks in them, and filling these in. */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "marks.h"

enum blank { LITERAL, USER, TOKEN, LAST, EVENTS, MARK, ID };

enum { PIECES_MAX = 24, ID_DIGITS = 16, NAME_SIZE = 1 + USER_DIGITS };

struct piece {
    enum blank blank;
    const char *text; /* of a LITERAL */
    size_t size;
};

struct template {
    unsigned count;
    struct piece pieces[PIECES_MAX];
};

struct filling {
    uint32_t user;
    const char *token; /* ends with a NUL */
    uint32_t last;
    uint64_t events;
    struct mark mark;
    uint64_t id;
};

/* Take a text apart; it must stay where it is. */
struct template template_of(const char *text);

bool template_has(const struct template *template, enum blank blank);
void template_fill(const struct template *template, const struct filling *filling, struct buffer *to);

#endif
