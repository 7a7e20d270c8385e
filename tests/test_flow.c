/* execgw-flow against the small core of core.h: every order it sends is accounted for at its end. */
#include "tests/core.h"

#include <jansson.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct core core;

/* Run it to its end, or until `until_orders` are at the core and then with SIGTERM; its JSON line. */
static json_t *
flow(const char *strategy, const char *seconds, unsigned until_orders, int *code)
{
    const char *bin = getenv("EXECGW_BIN");
    char path[512];
    char line[4096];
    int out[2];
    size_t n = 0;

    if (bin == NULL)
        SKIP("EXECGW_BIN is not set\n");
    (void)snprintf(path, sizeof(path), "%s/execgw-flow", bin);
    CHECK_EQ(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(out[0]);
        (void)close(out[1]);
        (void)execl(path, path, "--socket", core.path, "--symbols", "BTCUSDT", "--rate", "500", "--seconds", seconds,
                    "--strategy", strategy, "--seed", "7", (char *)NULL);
        _exit(127);
    }
    (void)close(out[1]);
    if (until_orders > 0) {
        for (int k = 0; k < CORE_WAIT_MS && atomic_load(&core.taken) < until_orders; k++)
            (void)poll(NULL, 0, 1);
        CHECK(atomic_load(&core.taken) >= until_orders);
        CHECK_EQ(kill(pid, SIGTERM), 0);
    }
    for (ssize_t got = 1; got > 0 && n < sizeof(line) - 1; n += (size_t)got) {
        got = read(out[0], line + n, sizeof(line) - 1 - n);
        if (got < 0)
            break;
    }
    line[n] = '\0';
    (void)close(out[0]);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    *code = WEXITSTATUS(status);
    return json_loads(line, 0, NULL);
}

static int64_t
count(const json_t *j, const char *name)
{
    CHECK(json_is_integer(json_object_get(j, name)));
    return json_integer_value(json_object_get(j, name));
}

static void
check_accounts(const json_t *j)
{
    CHECK(j != NULL);
    CHECK_EQ(count(j, "sent"), count(j, "filled") + count(j, "canceled") + count(j, "denied") + count(j, "rejected") +
                                   count(j, "expired") + count(j, "not_placed") + count(j, "ended_unseen"));
    CHECK_EQ(count(j, "left"), 0);
    CHECK_EQ(count(j, "accepted_unmeant"), 0);
    CHECK_EQ(count(j, "denied"), count(j, "denied_as_meant") + count(j, "denied_unmeant"));
    CHECK_EQ(count(j, "fills"), count(j, "filled"));
    for (unsigned i = 0; i < core.orders; i++)
        CHECK_EQ(core.order[i].last.leaves_qty, 0);
}

TEST(a_flow_of_a_second_ends_with_every_order_terminal)
{
    int code = -1;
    core_start(&core);
    json_t *j = flow("alpha", "1", 0, &code);
    CHECK_EQ(code, 0);
    check_accounts(j);
    CHECK(count(j, "sent") > 0);
    json_decref(j);
    core_stop(&core);
}

TEST(interrupted_it_cancels_what_works_and_every_kind_of_order_was_there)
{
    int code = -1;
    core_start(&core);
    json_t *j = flow("beta", "0", 300, &code); /* beta's orders would stay when it only went away */
    CHECK_EQ(code, 0);
    check_accounts(j);
    CHECK(count(j, "filled") > 0);
    CHECK(count(j, "canceled") > 0);
    CHECK(count(j, "denied_as_meant") > 0);
    json_decref(j);
    core_stop(&core);
}

TEST(without_a_gateway_it_exits_69_and_with_an_unknown_name_1)
{
    int code = -1;
    core_start(&core);
    CHECK(flow("nobody", "1", 0, &code) == NULL);
    CHECK_EQ(code, EXIT_FAILED);
    core_stop(&core);
    CHECK(flow("alpha", "1", 0, &code) == NULL);
    CHECK_EQ(code, EXIT_UNAVAILABLE);
}

TEST_MAIN()
