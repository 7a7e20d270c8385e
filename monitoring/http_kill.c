#include "monitoring/http_kill.h"
#include "execgw/client.h"

#include <signal.h>
#include <unistd.h>

bool
http_kill_token(struct http_kill *k, int fd, struct fault *fault)
{
    size_t n = 0;

    while (n < sizeof(k->token)) {
        ssize_t r = read(fd, k->token + n, sizeof(k->token) - n);
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    (void)close(fd);
    if (n < HTTP_KILL_TOKEN_MIN || n == sizeof(k->token))
        return FAULT(fault, "kill.token_file: holds %zu characters, expected %d to %d", n, HTTP_KILL_TOKEN_MIN,
                     HTTP_KILL_TOKEN_MAX - 1);
    k->token_len = n;
    return true;
}

static bool
token_right(const struct http_kill *k, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    size_t prefix = sizeof(scheme) - 1;
    size_t len = strlen(authorization);
    uint8_t differs = 0;

    if (len != prefix + k->token_len || strncmp(authorization, scheme, prefix) != 0)
        return false;
    for (size_t i = 0; i < k->token_len; i++)
        differs |= (uint8_t)(authorization[prefix + i] ^ k->token[i]);
    return differs == 0;
}

/* Over the socket; true when the gateway has said that it is done. */
static bool
ask_gateway(const struct http_kill *k)
{
    struct fault fault;
    struct execgw_options opt = {
        .path = k->socket, .strategy = "execgw-http", .role = ROLE_OPERATOR, .timeout_ms = HTTP_KILL_TIMEOUT_MS
    };
    struct command cmd = { .verb = COMMAND_HALT, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE };
    struct execgw *h = NULL;
    bool done = false;

    if (execgw_open(&opt, &h, &fault) != EXECGW_OK)
        return false;
    (void)snprintf(cmd.text, sizeof(cmd.text), "POST /kill");
    if (execgw_submit(h, &cmd) == EXECGW_OK) {
        struct report r;
        for (unsigned i = 0; !done && i < 64 && execgw_wait(h, HTTP_KILL_TIMEOUT_MS) == EXECGW_OK; i++)
            while (!done && execgw_poll_report(h, &r) == EXECGW_OK)
                done = r.kind == REPORT_DONE && r.request_key == execgw_last_seq(h);
    }
    execgw_close(h);
    return done;
}

unsigned
http_kill(struct http_kill *k, const char *authorization, int64_t now_ns, char *text, size_t room)
{
    if (!token_right(k, authorization)) {
        if (now_ns - k->wrong_since_ns >= 60 * NS_PER_S) {
            k->wrong = 0;
            k->wrong_since_ns = now_ns;
        }
        bool many = k->wrong >= HTTP_KILL_WRONG_MAX;
        k->wrong += !many;
        (void)snprintf(text, room, "{\"error\":\"%s\"}\n",
                       many ? "too many wrong tokens" : "expected the header Authorization: Bearer TOKEN");
        return many ? 429 : 401;
    }
    if (ask_gateway(k)) {
        (void)snprintf(text, room, "{\"killed\":true,\"by\":\"socket\"}\n");
        return 200;
    }
    if (kill(k->gateway, SIGUSR1) == 0) {
        (void)snprintf(text, room,
                       "{\"killed\":false,\"by\":\"signal\",\"note\":\"the socket did not answer; see "
                       "execgw_trading_state\"}\n");
        return 202;
    }
    (void)snprintf(text, room, "{\"error\":\"the gateway cannot be reached\"}\n");
    return 503;
}
