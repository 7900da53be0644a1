#include "ledger.h"

#include "fail.h"

enum { RECENT = 64 };

static const uint64_t ALL = UINT64_MAX;

struct ledger ledger_of(uint32_t users)
{
    return (struct ledger){.published = allocate(users, sizeof(uint32_t))};
}

void seen_join(struct seen *seen, const struct ledger *ledger, uint32_t user)
{
    *seen = (struct seen){.next = ledger->published[user] + 1, .recent = ALL};
}

void seen_join_again(const struct seen *seen, struct ledger *ledger, uint32_t user)
{
    ledger->tally.expected += ledger->published[user] + 1 - seen->next;
}

static void advance(struct seen *seen, uint32_t number)
{
    uint32_t step = number - seen->next + 1;
    seen->recent = (step < RECENT ? seen->recent << step : 0) | 1;
    seen->next = number + 1;
}

/* A number below the next one: a copy, or one that was overtaken. What is too old to tell counts as a copy. */
static bool came_late(struct seen *seen, uint32_t number)
{
    uint32_t back = seen->next - 1 - number;
    uint64_t bit = back < RECENT ? UINT64_C(1) << back : 0;
    bool overtaken = bit != 0 && !(seen->recent & bit);
    seen->recent |= bit;
    return overtaken;
}

bool ledger_got(struct ledger *ledger, struct seen *seen, uint32_t user, struct mark mark)
{
    struct tally *tally = &ledger->tally;
    if (mark.user != user || mark.number == 0 || mark.number > ledger->published[user]) {
        tally->misaddressed++;
        return false;
    }
    if (mark.number >= seen->next) {
        bool as_expected = mark.number == seen->next;
        advance(seen, mark.number);
        tally->got++;
        return as_expected;
    }
    if (came_late(seen, mark.number)) {
        tally->got++;
        tally->disordered++;
    } else {
        tally->doubled++;
    }
    return false;
}
