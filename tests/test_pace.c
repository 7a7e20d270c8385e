/* What may be sent over one connection, message by message. */
#include "engine/pace.h"
#include "test.h"

static mono_ns_t
at(int64_t ms)
{
    return (mono_ns_t){ ms * NS_PER_MS };
}

TEST(five_messages_leave_at_once_and_the_sixth_when_the_first_is_out_of_the_window)
{
    struct pace p;

    pace_init(&p);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(pace_at(&p, 0, at(1000 + i)).ns, at(1000 + i).ns);
        pace_sent(&p, at(1000 + i));
    }
    CHECK_EQ(pace_at(&p, 0, at(1005)).ns, at(2100).ns);
    CHECK_EQ(pace_at(&p, 0, at(2099)).ns, at(2100).ns);
    CHECK_EQ(pace_at(&p, 0, at(2100)).ns, at(2100).ns);
    pace_sent(&p, at(2100));
    CHECK_EQ(pace_at(&p, 0, at(2100)).ns, at(2101).ns); /* and so on, one by one */
}

TEST(a_place_that_is_kept_is_free_for_who_keeps_none)
{
    struct pace p;

    pace_init(&p);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(pace_at(&p, 1, at(1000 + i)).ns, at(1000 + i).ns);
        pace_sent(&p, at(1000 + i));
    }
    CHECK_EQ(pace_at(&p, 1, at(1010)).ns, at(2100).ns);
    CHECK_EQ(pace_at(&p, 0, at(1010)).ns, at(1010).ns);
    pace_sent(&p, at(1010));
    CHECK_EQ(pace_at(&p, 0, at(1010)).ns, at(2100).ns);
    CHECK_EQ(pace_at(&p, 1, at(1010)).ns, at(2101).ns);
}

/* Whatever is asked for, whenever: any second holds five messages at most. */
TEST(no_second_ever_holds_a_sixth_message)
{
    struct pace p;
    uint64_t rng = 1;
    int64_t sent[4096];
    unsigned n = 0;
    int64_t now = NS_PER_S;

    pace_init(&p);
    while (n < ARRAY_LEN(sent)) {
        rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        now += (int64_t)(rng >> 33) % (400 * NS_PER_MS);
        uint32_t keep = (uint32_t)(rng >> 20) % 2;
        if (pace_at(&p, keep, (mono_ns_t){ now }).ns > now)
            continue;
        pace_sent(&p, (mono_ns_t){ now });
        sent[n++] = now;
    }
    for (unsigned i = PACE_MESSAGES; i < n; i++)
        CHECK(sent[i] - sent[i - PACE_MESSAGES] >= PACE_WINDOW_NS);
}

TEST_MAIN()
