/* rest: requests and answers over real sockets and TLS against a server of ours that answers as each test says:
 * whole, in chunks, slowly, too long, cut, elsewhere; and certificates that must not be trusted. */
#include "engine/io/rest.h"
#include "tests/tls_server.h"

#include <poll.h>
#include <sys/eventfd.h>

#define WAIT_MS  30000
#define BODY_MAX 4096u

static struct pki pki;
static char said[512];
static _Atomic unsigned said_count;

/* What the server answers, and what it was asked. */
struct script {
    const char *answer; /* as it goes over the wire; NULL: nothing until the peer goes */
    size_t len;
    char asked[8192];
    _Atomic unsigned served;
};

static void
on_log(void *ctx, const char *sentence)
{
    (void)ctx;
    (void)snprintf(said, sizeof(said), "%s", sentence);
    atomic_fetch_add(&said_count, 1);
}

/* One request with its body, then the script's answer; the connection ends with it. */
static void
serve(struct tls_server *s, SSL *ssl, int fd)
{
    struct script *t = (struct script *)s->arg;
    size_t len = 0;

    memset(t->asked, 0, sizeof(t->asked));
    while (len < sizeof(t->asked) - 1) {
        int n = peer_read(ssl, fd, t->asked + len, (int)(sizeof(t->asked) - 1 - len));
        if (n <= 0)
            return;
        len += (size_t)n;
        const char *end = strstr(t->asked, "\r\n\r\n");
        const char *length = strcasestr(t->asked, "content-length:");
        size_t body = length != NULL ? strtoul(length + 15, NULL, 10) : 0;
        if (end != NULL && len >= (size_t)(end - t->asked) + 4 + body)
            break;
    }
    atomic_fetch_add(&t->served, 1);
    if (t->answer != NULL) {
        (void)peer_write(ssl, fd, t->answer, t->len);
        if (ssl != NULL)
            (void)SSL_shutdown(ssl);
    } else {
        char byte;
        (void)peer_read(ssl, fd, &byte, 1);
    }
}

struct fixture {
    struct tls_server server;
    struct script script;
    struct rest *r;
};

static void
open_with(struct fixture *f, enum cert_kind kind, const char *host, uint32_t timeout_ms)
{
    struct fault fault;
    char url[64];

    if (pki.ca == NULL)
        pki = pki_make();
    f->script = (struct script){ .answer = NULL };
    server_start(&f->server, &pki, kind, serve, &f->script);
    struct rest_config c = { .name = "testvenue",
                             .ca_file = pki.ca_file,
                             .request_max = 2048,
                             .body_max = BODY_MAX,
                             .timeout_ms = timeout_ms,
                             .log = on_log };
    (void)snprintf(url, sizeof(url), "%s://%s:%u", kind == CERT_NONE ? "ws" : "wss", host, f->server.port);
    CHECK(endpoint_parse(url, &c.endpoint, &fault));
    atomic_store(&said_count, 0);
    said[0] = '\0';
    f->r = rest_start(&c, &fault);
    CHECK(f->r != NULL);
}

static void
close_all(struct fixture *f)
{
    rest_stop(f->r);
    server_stop(&f->server);
}

static void
answer_with(struct fixture *f, const char *answer)
{
    f->script.answer = answer;
    f->script.len = strlen(answer);
}

static struct rest_answer
ask(struct fixture *f, const char *request)
{
    struct rest_answer a;
    struct pollfd p = { .fd = rest_result_fd(f->r), .events = POLLIN };
    eventfd_t count;

    CHECK(rest_send(f->r, (const uint8_t *)request, strlen(request)));
    rest_wake(f->r);
    CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
    CHECK_EQ(eventfd_read(p.fd, &count), 0);
    CHECK(rest_poll(f->r, &a));
    return a;
}

#define POST                                                                   \
    "POST /0/private/Balance\nAPI-Key: KEY\nAPI-Sign: a+b/c==\nContent-Type: " \
    "application/x-www-form-urlencoded\n\nnonce=12"

static void
check_body(const struct rest_answer *a, unsigned status, const char *body)
{
    CHECK_EQ(a->status, status);
    CHECK_EQ(a->len, strlen(body));
    CHECK_MEM(a->body, body, a->len);
}

TEST(a_request_goes_out_whole_and_its_answer_comes_back)
{
    struct fixture f;
    open_with(&f, CERT_GOOD, "localhost", WAIT_MS);
    answer_with(&f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"error\":1");
    for (unsigned again = 0; again < 3; again++) { /* each over a connection of its own */
        struct rest_answer a = ask(&f, POST);
        check_body(&a, 200, "{\"error\":1");
        CHECK_EQ(strncmp(f.script.asked, "POST /0/private/Balance HTTP/1.1\r\n", 34), 0);
        CHECK(strcasestr(f.script.asked, "\r\nhost: localhost") != NULL);
        CHECK(strcasestr(f.script.asked, "\r\napi-key: KEY\r\n") != NULL);
        CHECK(strcasestr(f.script.asked, "\r\napi-sign: a+b/c==\r\n") != NULL);
        CHECK(strcasestr(f.script.asked, "\r\ncontent-length: 8\r\n") != NULL);
        CHECK(strstr(f.script.asked, "\r\n\r\nnonce=12") != NULL);
    }
    CHECK_EQ(atomic_load(&f.script.served), 3);
    CHECK_EQ(atomic_load(&said_count), 0);
    close_all(&f);
}

TEST(a_get_has_no_body_and_every_status_is_an_answer)
{
    static const struct {
        const char *answer;
        unsigned status;
        const char *body;
    } row[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, "abcde" },
        { "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 1\r\n\r\nx", 429, "x" },
        { "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 503, "" },
        { "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n", 302, "" },
    };
    struct fixture f;
    open_with(&f, CERT_NONE, "127.0.0.1", WAIT_MS);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        answer_with(&f, row[i].answer);
        struct rest_answer a = ask(&f, "GET /0/public/Time\n\n");
        check_body(&a, row[i].status, row[i].body);
        CHECK_EQ(strncmp(f.script.asked, "GET /0/public/Time HTTP/1.1\r\n", 29), 0);
        CHECK_EQ(atomic_load(&f.script.served), i + 1); /* a redirect is not followed: it would carry the key along */
    }
    close_all(&f);
}

TEST(a_body_is_taken_at_its_largest_and_is_no_answer_one_byte_beyond)
{
    for (unsigned more = 0; more < 2; more++) {
        static char answer[BODY_MAX + 256];
        struct fixture f;
        open_with(&f, CERT_GOOD, "localhost", WAIT_MS);
        int n = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", BODY_MAX + more);
        memset(answer + n, 'x', BODY_MAX + more);
        f.script.answer = answer;
        f.script.len = (size_t)n + BODY_MAX + more;
        struct rest_answer a = ask(&f, POST);
        CHECK_EQ(a.status, more ? 0 : 200);
        CHECK_EQ(a.len, more ? 0 : BODY_MAX);
        CHECK_EQ(strstr(said, "longer") != NULL, more);
        close_all(&f);
    }
}

TEST(what_does_not_come_whole_or_in_time_is_no_answer_and_says_why)
{
    static const char *const cut[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        "HTTP/1.1 200",
        "not http at all\r\n\r\n",
        "",
    };
    struct fixture f;
    open_with(&f, CERT_GOOD, "localhost", 1500);
    for (unsigned i = 0; i < ARRAY_LEN(cut); i++) {
        answer_with(&f, cut[i]);
        struct rest_answer a = ask(&f, POST);
        CHECK_EQ(a.status, 0);
        CHECK_EQ(a.len, 0);
        CHECK_EQ(atomic_load(&said_count), i + 1);
        CHECK(strstr(said, "HTTP to testvenue: /0/private/Balance: ") == said);
        CHECK(strstr(said, "KEY") == NULL && strstr(said, "a+b") == NULL);
    }
    f.script.answer = NULL;
    struct rest_answer a = ask(&f, POST);
    CHECK_EQ(a.status, 0);
    CHECK(strstr(said, "no answer in time") != NULL);
    answer_with(&f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    a = ask(&f, POST); /* and the next is served as ever */
    check_body(&a, 200, "ok");
    close_all(&f);
}

TEST(a_certificate_that_cannot_be_trusted_gets_no_request)
{
    static const enum cert_kind kinds[] = { CERT_WRONG_HOST, CERT_EXPIRED, CERT_SELF_SIGNED };
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        struct fixture f;
        open_with(&f, kinds[i], "localhost", WAIT_MS);
        answer_with(&f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        struct rest_answer a = ask(&f, POST);
        CHECK_EQ(a.status, 0);
        CHECK_EQ(atomic_load(&f.script.served), 0);
        CHECK_EQ(f.script.asked[0], '\0');
        close_all(&f);
    }
    struct fixture f;
    open_with(&f, CERT_GOOD, "127.0.0.1", WAIT_MS); /* an address is checked as well */
    answer_with(&f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    struct rest_answer a = ask(&f, POST);
    check_body(&a, 200, "ok");
    close_all(&f);
}

TEST(nobody_there_is_no_answer)
{
    struct fixture f;
    open_with(&f, CERT_NONE, "127.0.0.1", WAIT_MS);
    server_stop(&f.server);
    struct rest_answer a = ask(&f, POST);
    CHECK_EQ(a.status, 0);
    rest_stop(f.r);
}

TEST(one_request_at_a_time_and_only_such_as_can_be_sent)
{
    struct fixture f;
    open_with(&f, CERT_GOOD, "localhost", WAIT_MS);
    static const char *const bad[] = { "",
                                       "POST",
                                       "POST /x",
                                       "POST /x\nNo colon\n\n",
                                       "METHODTOOLONG /x\n\n",
                                       "POST /x\nA: 1\nA: 1\nA: 1\nA: 1\nA: 1\nA: 1\nA: 1\nA: 1\nA: 1\n\n" };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct rest_answer a = ask(&f, bad[i]);
        CHECK_EQ(a.status, 0);
    }
    CHECK_EQ(atomic_load(&f.server.accepted), 0);
    static uint8_t large[2049];
    CHECK(!rest_send(f.r, large, sizeof(large)));
    f.script.answer = NULL;
    CHECK(rest_send(f.r, (const uint8_t *)POST, sizeof(POST) - 1));
    CHECK(!rest_send(f.r, (const uint8_t *)POST, sizeof(POST) - 1)); /* under way */
    rest_wake(f.r);
    while (atomic_load(&f.script.served) == 0)
        (void)usleep(1000);
    close_all(&f); /* stopping waits for nobody */
}

TEST_MAIN()
