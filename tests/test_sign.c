/* Signatures against the published vectors of the venues' documents and RFC 4231. */
#include "engine/venue/sign.h"
#include "tests/test.h"

#define SECRET "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
#define PEM                                                              \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n" \
    "-----END PRIVATE KEY-----\n"

static void
check_hmac(const char *secret, const char *payload, const char *want)
{
    struct hmac_key k;
    char got[HMAC_HEX_BYTES + 1] = { 0 };

    hmac_key_init(&k, (const uint8_t *)secret, strlen(secret));
    hmac_sign_hex(&k, payload, strlen(payload), got);
    CHECK_STR(got, want);
    for (size_t cut = 0; cut <= strlen(payload); cut++) {
        struct hmac_key e = k;
        hmac_key_extend(&e, payload, cut);
        hmac_sign_hex(&e, payload + cut, strlen(payload) - cut, got);
        CHECK_STR(got, want);
    }
    hmac_key_clear(&k);
    static const struct hmac_key zero;
    CHECK_MEM(&k, &zero, sizeof(k));
}

TEST(an_order_is_signed_as_the_websocket_api_documents_it)
{
    check_hmac(SECRET,
               "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=52000.00&"
               "quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&"
               "type=LIMIT",
               "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24");
}

TEST(a_symbol_beyond_ascii_is_signed_as_its_utf8_bytes)
{
    check_hmac(SECRET,
               "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=0.10000000&"
               "quantity=1.00000000&recvWindow=5000&side=BUY&"
               "symbol=\xef\xbc\x91\xef\xbc\x92\xef\xbc\x93\xef\xbc\x94\xef\xbc\x95\xef\xbc\x96&timeInForce=GTC&"
               "timestamp=1645423376532&type=LIMIT",
               "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd");
}

TEST(an_order_is_signed_as_the_rest_api_documents_it)
{
    check_hmac(SECRET,
               "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&"
               "timestamp=1499827319559",
               "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
}

TEST(a_key_of_one_block_is_used_as_it_is_and_a_longer_one_is_hashed_first)
{
    struct hmac_key k;
    uint8_t secret[131];
    char got[HMAC_HEX_BYTES + 1] = { 0 };
    static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";

    memset(secret, 0xaa, sizeof(secret));
    hmac_key_init(&k, secret, sizeof(secret)); /* RFC 4231, case 6 */
    hmac_sign_hex(&k, text, sizeof(text) - 1, got);
    CHECK_STR(got, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac_key_init(&k, (const uint8_t *)"Jefe", 4); /* case 2 */
    hmac_sign_hex(&k, "what do ya want for nothing?", 28, got);
    CHECK_STR(got, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    char at[HMAC_HEX_BYTES];
    char beyond[HMAC_HEX_BYTES];
    hmac_key_init(&k, secret, 64);
    hmac_sign_hex(&k, "x", 1, at);
    hmac_key_init(&k, secret, 65);
    hmac_sign_hex(&k, "x", 1, beyond);
    CHECK(memcmp(at, beyond, sizeof(at)) != 0);
}

TEST(a_logon_is_signed_with_ed25519)
{
    struct ed25519_key k;
    struct fault f;
    char got[ED25519_BASE64_BYTES + 1] = { 0 };
    static const char logon[] =
        "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO&timestamp=1649729878532";

    CHECK(ed25519_key_init(&k, (const uint8_t *)PEM, sizeof(PEM) - 1, &f));
    CHECK(ed25519_sign_base64(&k, logon, sizeof(logon) - 1, got));
    CHECK_STR(got, "cGkloHLHGGNbrduoWDYBlzIPwRHyDVYVfCE0rDkPwKdKedurBgm2JNWRkwloQDBFG6Mcloavo1siYfEtZbV/Ag==");
    static const char fix[] = "A\001EXAMPLE\001SPOT\0011\00120240627-11:17:25.223";
    CHECK(ed25519_sign_base64(&k, fix, sizeof(fix) - 1, got));
    CHECK_STR(got, "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA==");
    ed25519_key_clear(&k);
    CHECK(k.pkey == NULL);
}

TEST(what_is_not_an_ed25519_key_is_refused_with_a_sentence)
{
    static const char x25519[] = "-----BEGIN PRIVATE KEY-----\n"
                                 "MC4CAQAwBQYDK2VuBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n"
                                 "-----END PRIVATE KEY-----\n";
    struct ed25519_key k;
    struct fault f = { "" };

    CHECK(!ed25519_key_init(&k, (const uint8_t *)SECRET, sizeof(SECRET) - 1, &f));
    CHECK(strstr(f.text, "PKCS#8") != NULL);
    CHECK(strstr(f.text, "NhqPtm") == NULL);
    CHECK(!ed25519_key_init(&k, (const uint8_t *)x25519, sizeof(x25519) - 1, &f));
    CHECK(strstr(f.text, "another type") != NULL);
    CHECK(!ed25519_key_init(&k, (const uint8_t *)"", 0, &f));
    CHECK(k.pkey == NULL);
}

TEST_MAIN()
