#include "template.h"

#include <string.h>

#include "fail.h"

static const struct {
    const char *text;
    enum blank blank;
} BLANKS[] = {{"{user}", USER},     {"{token}", TOKEN}, {"{last}", LAST},
              {"{events}", EVENTS}, {"{mark}", MARK},   {"{id}", ID}};

static void add(struct template *template, enum blank blank, const char *text, size_t size)
{
    if (size == 0)
        return;
    if (template->count == PIECES_MAX)
        fail(EXIT_PLAN, "a text has more than %d pieces", PIECES_MAX);
    template->pieces[template->count++] = (struct piece){blank, text, size};
}

/* Which blank stands here: its number in BLANKS, or -1. */
static int blank_at(const char *text)
{
    for (size_t number = 0; number < sizeof BLANKS / sizeof *BLANKS; number++)
        if (strncmp(text, BLANKS[number].text, strlen(BLANKS[number].text)) == 0)
            return (int)number;
    return -1;
}

struct template template_of(const char *text)
{
    struct template template = {0};
    const char *literal = text;
    while (*text != '\0') {
        int number = *text == '{' ? blank_at(text) : -1;
        if (number < 0) {
            text++;
            continue;
        }
        size_t size = strlen(BLANKS[number].text);
        add(&template, LITERAL, literal, (size_t)(text - literal));
        add(&template, BLANKS[number].blank, text, size);
        literal = text += size;
    }
    add(&template, LITERAL, literal, (size_t)(text - literal));
    return template;
}

bool template_has(const struct template *template, enum blank blank)
{
    for (unsigned at = 0; at < template->count; at++)
        if (template->pieces[at].blank == blank)
            return true;
    return false;
}

static void fill_digits(struct buffer *to, unsigned digits, uint64_t number)
{
    digits_write(buffer_reserve(to, digits), digits, number);
    buffer_grew(to, digits);
}

static void fill_piece(const struct piece *piece, const struct filling *filling, struct buffer *to)
{
    switch (piece->blank) {
    case LITERAL: buffer_append(to, piece->text, piece->size); break;
    case TOKEN: buffer_append(to, filling->token, strlen(filling->token)); break;
    case LAST: buffer_print(to, "%u", filling->last); break;
    case EVENTS: buffer_print(to, "%llu", (unsigned long long)filling->events); break;
    case ID: fill_digits(to, ID_DIGITS, filling->id); break;
    case USER:
        buffer_append(to, "u", 1);
        fill_digits(to, USER_DIGITS, filling->user);
        break;
    case MARK:
        mark_write(buffer_reserve(to, MARK_SIZE), filling->mark);
        buffer_grew(to, MARK_SIZE);
        break;
    }
}

void template_fill(const struct template *template, const struct filling *filling, struct buffer *to)
{
    for (unsigned at = 0; at < template->count; at++)
        fill_piece(&template->pieces[at], filling, to);
}
