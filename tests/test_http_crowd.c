/* Who goes when too many are connected to execgw-http. */
#include "monitoring/http_crowd.h"
#include "tests/test.h"

#include <sys/socket.h>
#include <unistd.h>

static struct http_crowd crowd;
static char conn[1000]; /* a connection is an address */
static int end[2];      /* end[0] has something to read, once end[1] is written to */

static void
setup(void)
{
    memset(&crowd, 0, sizeof(crowd));
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
}

static void
clean(void)
{
    (void)close(end[0]);
    (void)close(end[1]);
}

/* Members with descriptors that poll() knows nothing of, from -1000 down: told apart by number. */
static int
no_fd(unsigned i)
{
    return -1000 - (int)i;
}

static void
fill(unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++)
        CHECK_EQ(http_crowd_join(&crowd, &conn[i], no_fd(i), i), -1);
}

TEST(the_one_beyond_the_limit_takes_the_place_of_the_longest_silent)
{
    setup();
    fill(0, HTTP_CROWD_MAX);
    http_crowd_asked(&crowd, &conn[0], 500);
    http_crowd_asked(&crowd, &conn[1], 501);
    http_crowd_answered(&crowd, &conn[1], 502);
    CHECK_EQ(http_crowd_join(&crowd, &conn[900], no_fd(900), 600), no_fd(2));
    CHECK_EQ(crowd.count, HTTP_CROWD_MAX);
    http_crowd_leave(&crowd, &conn[2]); /* its end is told once more */
    CHECK_EQ(crowd.count, HTTP_CROWD_MAX);
    http_crowd_leave(&crowd, &conn[3]);
    CHECK_EQ(http_crowd_join(&crowd, &conn[901], no_fd(901), 601), -1);
    CHECK_EQ(http_crowd_join(&crowd, &conn[902], no_fd(902), 602), no_fd(4));
    clean();
}

TEST(a_request_that_waits_to_be_read_is_spared)
{
    setup();
    CHECK_EQ(http_crowd_join(&crowd, &conn[0], end[0], 0), -1);
    fill(1, HTTP_CROWD_MAX - 1);
    CHECK_EQ(write(end[1], "GET", 3), 3);
    CHECK_EQ(http_crowd_join(&crowd, &conn[900], no_fd(900), 600), no_fd(1));
    char text[4];
    CHECK_EQ(read(end[0], text, 3), 3);
    CHECK_EQ(http_crowd_join(&crowd, &conn[901], no_fd(901), 601), end[0]);
    clean();
}

TEST(when_all_wait_to_be_read_the_oldest_goes)
{
    setup();
    CHECK_EQ(write(end[1], "GET", 3), 3);
    for (unsigned i = 0; i < HTTP_CROWD_MAX; i++)
        CHECK_EQ(http_crowd_join(&crowd, &conn[i], end[0], i), -1);
    CHECK_EQ(http_crowd_join(&crowd, &conn[900], no_fd(900), 600), end[0]);
    CHECK(crowd.member[0].who == &conn[1]);
    clean();
}

TEST(answers_that_are_not_taken_are_bounded)
{
    setup();
    fill(0, 2 * HTTP_CROWD_SENDING);
    for (unsigned i = 0; i < 2 * HTTP_CROWD_SENDING; i++)
        http_crowd_asked(&crowd, &conn[i], 500 + i);
    for (unsigned i = 0; i < HTTP_CROWD_SENDING; i++)
        CHECK_EQ(http_crowd_sending(&crowd, &conn[i], 600 + i), -1);
    CHECK_EQ(http_crowd_sending(&crowd, &conn[5], 700), -1); /* is one of them */
    CHECK_EQ(http_crowd_sending(&crowd, &conn[HTTP_CROWD_SENDING], 701), no_fd(0));
    http_crowd_answered(&crowd, &conn[1], 702);
    http_crowd_asked(&crowd, &conn[1], 703);
    CHECK_EQ(http_crowd_sending(&crowd, &conn[1], 704), -1);
    CHECK_EQ(http_crowd_sending(&crowd, &conn[HTTP_CROWD_SENDING + 1], 705), no_fd(2));
    CHECK_EQ(http_crowd_sending(&crowd, &conn[999], 706), -1); /* nobody */
    clean();
}

TEST(who_has_never_asked_is_late_after_a_second_and_not_before)
{
    setup();
    fill(0, 3);
    http_crowd_asked(&crowd, &conn[1], 10);
    http_crowd_answered(&crowd, &conn[1], 11);
    CHECK_EQ(http_crowd_late(&crowd, HTTP_CROWD_ASK_NS), -1);
    CHECK_EQ(http_crowd_late(&crowd, HTTP_CROWD_ASK_NS + 1), no_fd(0));
    CHECK_EQ(http_crowd_late(&crowd, HTTP_CROWD_ASK_NS + 1), -1);
    CHECK_EQ(http_crowd_late(&crowd, HTTP_CROWD_ASK_NS + 3), no_fd(2));
    CHECK_EQ(http_crowd_late(&crowd, 100 * HTTP_CROWD_ASK_NS), -1);
    CHECK_EQ(crowd.count, 1);
    clean();
}

TEST_MAIN()
