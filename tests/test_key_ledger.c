/* Keys rise, the last ones are kept, each client has its own. */
#include "engine/oms/key_ledger.h"
#include "tests/test.h"

struct ledger_fixture {
    struct key_ledger l;
    void *memory;
};

static void
ledger_init(struct ledger_fixture *f, uint32_t kept)
{
    size_t bytes = (key_ledger_footprint(kept) + 63) & ~(size_t)63;
    f->memory = aligned_alloc(64, bytes);
    memset(f->memory, 0, bytes);
    struct arena a = { .base = f->memory, .size = bytes };
    key_ledger_init(&f->l, kept, &a);
}

static bool
add(struct ledger_fixture *f, uint32_t client, uint64_t key)
{
    struct key_entry e = { .key = key, .kind = KEY_DENIED, .deny = DENY_POSITION };
    return key_ledger_add(&f->l, client, &e);
}

TEST(a_key_is_kept_when_it_rises_and_refused_when_it_does_not)
{
    struct ledger_fixture f;
    ledger_init(&f, 4);
    CHECK(add(&f, 1, 10));
    CHECK(!add(&f, 1, 10));
    CHECK(!add(&f, 1, 9));
    CHECK(add(&f, 1, 11));
    key_ledger_raise(&f.l, 1, 20); /* an order's */
    CHECK(!add(&f, 1, 20));
    CHECK(add(&f, 1, 21));
    key_ledger_raise(&f.l, 1, 5);
    CHECK_EQ(key_ledger_last(&f.l, 1), 21);
    CHECK(key_ledger_find(&f.l, 1, 10) != NULL);
    CHECK(key_ledger_find(&f.l, 1, 20) == NULL);
    CHECK(add(&f, 2, 3)); /* another client's keys are its own */
    CHECK(key_ledger_find(&f.l, 2, 10) == NULL);
    free(f.memory);
}

TEST(the_last_kept_keys_are_found_and_the_one_before_is_not)
{
    struct ledger_fixture f;
    ledger_init(&f, 4);
    for (uint64_t k = 1; k <= 9; k++) {
        CHECK(add(&f, 0, k * 7));
        CHECK_EQ(key_ledger_find(&f.l, 0, k * 7)->key, k * 7);
        if (k > 4)
            CHECK(key_ledger_find(&f.l, 0, (k - 4) * 7) == NULL);
        if (k >= 4)
            CHECK(key_ledger_find(&f.l, 0, (k - 3) * 7) != NULL);
        CHECK(key_ledger_find(&f.l, 0, k * 7 + 1) == NULL);
    }
    free(f.memory);
}

TEST_MAIN()
