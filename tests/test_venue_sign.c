/* The emulated venue's signature checks against the vectors of the Binance documentation, and its fault specs. */
#include "bench/venue/binance_sign.h"
#include "bench/venue/fault.h"
#include "bench/venue/replay.h"
#include "tests/test.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <unistd.h>

static const char docs_key[] = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
static const char docs_secret[] = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

static struct api_key
hmac_key(void)
{
    struct api_key k = { .kind = KEY_HMAC, .secret = (char *)(uintptr_t)docs_secret };
    k.secret_len = strlen(docs_secret);
    return k;
}

static struct params
make_params(const char *const *pairs, size_t count)
{
    struct params p = { .count = count };
    for (size_t i = 0; i < count; i++)
        p.at[i] = (struct param){ (char *)(uintptr_t)pairs[2 * i], (char *)(uintptr_t)pairs[2 * i + 1] };
    return p;
}

TEST(a_websocket_request_is_signed_over_its_sorted_parameters)
{
    const char *pairs[] = {
        "symbol",     "BTCUSDT",    "side",        "SELL",
        "type",       "LIMIT",      "timeInForce", "GTC",
        "quantity",   "0.01000000", "price",       "52000.00",
        "recvWindow", "100",        "timestamp",   "1645423376532",
        "apiKey",     docs_key,     "signature",   "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
    };
    struct api_key k = hmac_key();
    struct params p = make_params(pairs, 10);
    CHECK_EQ(sign_check_ws(&k, &p), true);
    pairs[19] = "AA1B5712C094BC4E57C05A1A5C1FD8D88DCD628338EA863FEC7B88E59FE2DB24"; /* hex in either case */
    p = make_params(pairs, 10);
    CHECK_EQ(sign_check_ws(&k, &p), true);
    pairs[9] = "0.01000001";
    p = make_params(pairs, 10);
    CHECK_EQ(sign_check_ws(&k, &p), false);
}

TEST(a_websocket_request_is_not_percent_encoded)
{
    const char *pairs[] = {
        "symbol",     "１２３４５６", "side",        "BUY",
        "type",       "LIMIT",        "timeInForce", "GTC",
        "quantity",   "1.00000000",   "price",       "0.10000000",
        "recvWindow", "5000",         "timestamp",   "1645423376532",
        "apiKey",     docs_key,       "signature",   "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd"
    };
    struct api_key k = hmac_key();
    struct params p = make_params(pairs, 10);
    CHECK_EQ(sign_check_ws(&k, &p), true);
}

TEST(a_rest_request_is_signed_over_query_and_body_in_their_order)
{
    static const char query[] = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC";
    static const char body[] = "&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
                               "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
    char whole[512];
    struct api_key k = hmac_key();
    struct params p;

    (void)snprintf(whole, sizeof(whole), "%s%s", query, body);
    CHECK_EQ(params_parse(&p, whole, strlen(whole)), true);
    CHECK_EQ(sign_check_rest(&k, &p, "", 0), true); /* all in the query */
    params_free(&p);
    p = (struct params){ 0 };
    CHECK_EQ(sign_check_rest(&k, &p, whole, strlen(whole)), true); /* all in the body */
    whole[0] = 'X';
    CHECK_EQ(sign_check_rest(&k, &p, whole, strlen(whole)), false);
}

TEST(an_ed25519_logon_is_checked_with_the_documented_key)
{
    struct keyring ring;
    struct fault f;
    CHECK_EQ(keyring_demo_binance(&ring, &f), true);
    const struct api_key *k = keyring_find(&ring, DEMO_API_KEY_ED); /* the docs' example key behind another name */
    static const char payload[] =
        "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO&timestamp=1649729878532";
    static const char signature[] =
        "cGkloHLHGGNbrduoWDYBlzIPwRHyDVYVfCE0rDkPwKdKedurBgm2JNWRkwloQDBFG6Mcloavo1siYfEtZbV/Ag==";
    CHECK_EQ(sign_verify(k, payload, strlen(payload), signature), true);
    CHECK_EQ(sign_verify(k, payload, strlen(payload) - 1, signature), false);
    CHECK_EQ(sign_verify(k, payload, strlen(payload), "cGkl"), false);
    CHECK_EQ(sign_verify(k, payload, strlen(payload), "not base64"), false);
    CHECK_EQ(sign_verify(k, payload, strlen(payload), ""), false);
    keyring_free(&ring);
}

TEST(an_rsa_signature_is_checked_as_pkcs1_with_sha256)
{
    static const char payload[] = "symbol=BTCUSDT&timestamp=1";
    uint8_t sig[512];
    char text[1024];
    size_t n = sizeof(sig);
    struct api_key k = { .kind = KEY_RSA, .public_key = EVP_RSA_gen(2048) };
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    CHECK_EQ(k.public_key != NULL && ctx != NULL, true);
    CHECK_EQ(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k.public_key), 1);
    CHECK_EQ(EVP_DigestSign(ctx, sig, &n, (const uint8_t *)payload, strlen(payload)), 1);
    CHECK_EQ(EVP_EncodeBlock((unsigned char *)text, sig, (int)n) > 0, true);
    CHECK_EQ(sign_verify(&k, payload, strlen(payload), text), true);
    CHECK_EQ(sign_verify(&k, payload, strlen(payload) - 1, text), false);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(k.public_key);
}

TEST(form_parameters_are_decoded_and_bad_escapes_refused)
{
    struct params p;
    CHECK_EQ(params_parse(&p, "a=1%2B2&b=x+y&c&d=", 18), true);
    CHECK_EQ(p.count, 4);
    CHECK_EQ(strcmp(params_find(&p, "a"), "1+2"), 0);
    CHECK_EQ(strcmp(params_find(&p, "b"), "x y"), 0);
    CHECK_EQ(strcmp(params_find(&p, "d"), ""), 0);
    CHECK_EQ(params_find(&p, "e") == NULL, true);
    params_free(&p);
    static const char *const bad[] = { "a=%", "a=%4", "a=%zz", "a=%00" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_EQ(params_parse(&p, bad[i], strlen(bad[i])), false);
        params_free(&p);
    }
}

TEST(a_fault_fires_on_every_nth_occasion_of_its_method_after_the_spared_ones)
{
    struct fault_plan p = { 0 };
    struct fault f;
    unsigned fired = 0;
    CHECK_EQ(fault_add(&p, "drop-reply:every=3,method=order.place,after=2,count=2", &f), true);
    for (unsigned i = 1; i <= 20; i++) {
        CHECK_EQ(fault_draw(&p, FAULT_ON_REPLY, "ping").kinds, 0);
        struct fault_hits h = fault_draw(&p, FAULT_ON_REPLY, "order.place");
        CHECK_EQ(fault_hit(&h, FAULT_DROP_REPLY), i == 5 || i == 8);
        fired += h.kinds != 0;
    }
    CHECK_EQ(fired, 2);
}

TEST(a_fault_by_probability_is_the_same_for_the_same_seed)
{
    struct fault f;
    uint64_t drawn[2] = { 0, 0 };
    for (int run = 0; run < 2; run++) {
        struct fault_plan p = { 0 };
        fault_seed(&p, 42);
        CHECK_EQ(fault_add(&p, "-1007:p=0.25", &f), true);
        for (unsigned i = 0; i < 64; i++)
            drawn[run] = drawn[run] << 1 | (fault_draw(&p, FAULT_ON_REPLY, "x").kinds != 0);
    }
    CHECK_EQ(drawn[0], drawn[1]);
    CHECK_EQ(drawn[0] != 0 && drawn[0] != UINT64_MAX, true);
}

TEST(a_fault_spec_that_is_wrong_is_refused_with_a_sentence)
{
    static const char *const bad[] = {
        "", "nonsense", "gap:every", "gap:p=1.1", "gap:p=0.0000001", "gap:bogus=1", "gap:every=-1", "delay-reply=x"
    };
    struct fault_plan p = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct fault f = { "" };
        CHECK_EQ(fault_add(&p, bad[i], &f), false);
        CHECK_EQ(strncmp(f.text, "--fault", 7), 0);
    }
    CHECK_EQ(p.count, 0);
}

static void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    CHECK_EQ(f != NULL, true);
    CHECK_EQ(fputs(text, f) >= 0, true);
    CHECK_EQ(fclose(f), 0);
}

TEST(a_recording_gives_frames_snapshot_and_symbol_over_several_files)
{
    char a[] = "/tmp/execgw_replay_XXXXXX";
    char b[] = "/tmp/execgw_replay_XXXXXX";
    (void)close(mkstemp(a));
    (void)close(mkstemp(b));
    write_file(
        a,
        "1000 {\"stream\":\"abcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"U\":5,\"u\":7,\"b\":[[\"1.2500\","
        "\"3.10\"]],\"a\":[]}}\n"
        "1500 {\"lastUpdateId\":6,\"bids\":[],\"asks\":[]}\n"
        "not a frame\n");
    write_file(b, "2000 {\"stream\":\"abcusdt@trade\",\"data\":{\"p\":\"1.5\",\"q\":\"0.125\"}}"); /* no newline */
    const char *paths[] = { a, b };
    struct replay r;
    struct replay_frame fr;
    struct fault f;
    CHECK_EQ(replay_open(&r, paths, 2, &f), true);
    CHECK_EQ(r.frame_count, 2);
    CHECK_EQ(r.symbol_count, 1);
    struct replay_symbol *s = replay_find(&r, "ABCUSDT");
    CHECK_EQ(s != NULL && s->snapshot != NULL, true);
    CHECK_EQ(s->first_update_id, 5);
    CHECK_EQ(s->last_px, 150000000);
    CHECK_EQ(s->px_decimals, 2);
    CHECK_EQ(s->qty_decimals, 3);
    for (int round = 0; round < 2; round++) {
        CHECK_EQ(replay_next(&r, &fr), true);
        CHECK_EQ(fr.recv_ns, 1000);
        CHECK_EQ(strncmp(fr.text + fr.data_at, "{\"e\":", 5), 0);
        CHECK_EQ(fr.data_at + fr.data_len + 1, fr.len);
        CHECK_EQ(replay_next(&r, &fr), true);
        CHECK_EQ(strcmp(r.stream[fr.stream], "abcusdt@trade"), 0);
        CHECK_EQ(replay_next(&r, &fr), false);
        replay_rewind(&r);
    }
    replay_close(&r);
    write_file(a, "nothing here\n");
    CHECK_EQ(replay_open(&r, paths, 1, &f), false);
    replay_close(&r);
    (void)unlink(a);
    (void)unlink(b);
}

TEST_MAIN()
