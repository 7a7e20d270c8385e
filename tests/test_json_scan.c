/* json_scan: what is JSON, what is not, and where scanning stops. */
#include "feed/json_scan.h"
#include "tests/guard.h"
#include "tests/test.h"

static bool
skips(const char *text, size_t n)
{
    struct json_scan j;
    json_init(&j, text, n);
    return json_skip(&j) && json_done(&j);
}

static const struct {
    const char *text;
    bool valid;
} values[] = {
    { "null", true },
    { " true ", true },
    { "false", true },
    { "0", true },
    { "-0.5e+10", true },
    { "1E5", true },
    { "\"\"", true },
    { "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", true },
    { "[]", true },
    { "[ ]", true },
    { "{}", true },
    { "[1,[2,{\"a\":[]}],\"x\"]", true },
    { "{\"a\":{\"b\":[1,2,{}]},\"c\":null}", true },
    { "{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }\n", true },
    { "", false },
    { "nul", false },
    { "nulll", false },
    { "01", false },
    { "1.", false },
    { ".5", false },
    { "-", false },
    { "+1", false },
    { "1e", false },
    { "0x10", false },
    { "NaN", false },
    { "\"", false },
    { "\"a", false },
    { "\"\\x\"", false },
    { "\"\\u12g4\"", false },
    { "\"\\u12\"", false },
    { "\"tab\there\"", false },
    { "'a'", false },
    { "[1,]", false },
    { "[,1]", false },
    { "[1 2]", false },
    { "[1", false },
    { "[1}", false },
    { "{\"a\":1]", false },
    { "{\"a\"}", false },
    { "{\"a\":}", false },
    { "{\"a\":1,}", false },
    { "{a:1}", false },
    { "{1:1}", false },
    { "{\"a\":1 \"b\":2}", false },
    { "1 2", false },
    { "[]]", false },
    { "]", false },
};

TEST(values_are_json_or_not_and_no_valid_one_is_valid_when_cut)
{
    struct guard g = guard_open(4096);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        size_t n = strlen(values[i].text);
        if (skips((const char *)guard_copy(&g, values[i].text, n), n) != values[i].valid)
            fail_msg("%s", values[i].text);
        char last = n > 0 ? values[i].text[n - 1] : '\0';
        for (size_t cut = 0; cut < n; cut++) {
            bool ok = skips((const char *)guard_copy(&g, values[i].text, cut), cut);
            if (values[i].valid && (last == '"' || last == ']' || last == '}'))
                CHECK(!ok);
        }
    }
    guard_close(&g);
}

TEST(nesting_at_the_limit_is_read_and_one_deeper_is_not)
{
    char text[2 * JSON_DEPTH_MAX + 3];
    for (unsigned deep = 0; deep < 2; deep++) {
        size_t n = JSON_DEPTH_MAX + deep;
        memset(text, '[', n);
        memset(text + n, ']', n);
        CHECK_EQ(skips(text, 2 * n), !deep);
    }
}

TEST(keys_and_elements_come_in_order_and_unread_values_are_skipped)
{
    static const char text[] = "{\"e\":\"x\",\"n\":[1,-2],\"skip\":{\"n\":[9]},\"b\":true,\"z\":null}";
    struct json_scan j;
    struct json_text key;
    struct json_text s;
    char order[16] = "";
    int64_t sum = 0;
    json_init(&j, text, strlen(text));
    CHECK(json_object(&j));
    while (json_key(&j, &key)) {
        strncat(order, key.s, 1);
        if (JSON_IS(key, "e")) {
            CHECK(json_string(&j, &s));
            CHECK(JSON_IS(s, "x"));
        } else if (JSON_IS(key, "n")) {
            (void)json_array(&j);
            while (json_element(&j)) {
                int64_t v = 0;
                CHECK(json_i64(&j, &v));
                sum = sum * 10 + v;
            }
        } else if (JSON_IS(key, "z")) {
            CHECK(json_null(&j));
        } else {
            CHECK(json_skip(&j));
        }
    }
    CHECK(json_done(&j));
    CHECK_STR(order, "ensbz");
    CHECK_EQ(sum, 8);
}

TEST(first_error_fails_every_later_call)
{
    struct json_scan j;
    struct json_text t;
    uint64_t v;
    json_init(&j, "[1,x,2]", 7);
    CHECK(json_array(&j));
    CHECK(json_element(&j));
    CHECK(json_u64(&j, &v));
    CHECK(json_element(&j));
    CHECK(!json_u64(&j, &v));
    CHECK(j.bad);
    CHECK(!json_element(&j));
    CHECK(!json_string(&j, &t));
    CHECK(!json_done(&j));
}

TEST(integers_fit_their_type_or_fail)
{
    static const struct {
        const char *text;
        bool u64;
        bool i64;
    } number[] = {
        { "0", true, true },
        { "9223372036854775807", true, true },
        { "9223372036854775808", true, false },
        { "18446744073709551615", true, false },
        { "18446744073709551616", false, false },
        { "-1", false, true },
        { "1.0", false, false },
        { "1e3", false, false },
        { "\"1\"", false, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(number); i++) {
        struct json_scan j;
        uint64_t u;
        int64_t s;
        json_init(&j, number[i].text, strlen(number[i].text));
        CHECK_EQ(json_u64(&j, &u), number[i].u64);
        json_init(&j, number[i].text, strlen(number[i].text));
        CHECK_EQ(json_i64(&j, &s), number[i].i64);
    }
}

TEST(decimals_come_quoted_or_bare_and_exact_or_refused)
{
    struct json_scan j;
    int64_t v = 0;
    json_init(&j, "\"1.50\" 2.25 \"1.001\"", 19);
    CHECK_EQ(json_decimal(&j, 2, &v), DECODE_OK);
    CHECK_EQ(v, 150);
    CHECK_EQ(json_decimal(&j, 2, &v), DECODE_OK);
    CHECK_EQ(v, 225);
    CHECK_EQ(json_decimal(&j, 2, &v), DECODE_PRECISION);
    CHECK_EQ(v, 225);
    CHECK(j.bad);
    json_init(&j, "1e5", 3);
    CHECK_EQ(json_decimal(&j, 2, &v), DECODE_MALFORMED);
    json_init(&j, "\"\"", 2);
    CHECK_EQ(json_decimal(&j, 2, &v), DECODE_MALFORMED);
}

TEST(escapes_are_resolved_or_refused)
{
    static const struct {
        const char *text;
        const char *plain; /* NULL: refused */
    } escape[] = {
        { "\"plain\"", "plain" },
        { "\"\\u0042TC\\n\\/\"", "BTC\n/" },
        { "\"\\u00e9\\u20AC\"", "\xC3\xA9\xE2\x82\xAC" },
        { "\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80" },
        { "\"\\ud83d\"", NULL },
        { "\"\\ude00\"", NULL },
        { "\"\\ud83dxxxxxx\"", NULL },
        { "\"\\ud83d\\u0041\"", NULL },
        { "\"\\u0000\"", NULL },
    };
    char buf[16];
    for (size_t i = 0; i < ARRAY_LEN(escape); i++) {
        struct json_scan j;
        struct json_text t;
        json_init(&j, escape[i].text, strlen(escape[i].text));
        CHECK(json_string(&j, &t));
        int n = json_unescape(&t, buf, sizeof(buf));
        CHECK_EQ(n, escape[i].plain != NULL ? (int)strlen(escape[i].plain) : -1);
        if (n >= 0)
            CHECK_STR(buf, escape[i].plain);
    }
    struct json_text four = { .s = "abcd", .n = 4 };
    CHECK_EQ(json_unescape(&four, buf, 5), 4);
    CHECK_EQ(json_unescape(&four, buf, 4), -1);
    CHECK(!JSON_IS(((struct json_text){ .s = "\\u0075", .n = 6, .escaped = true }), "\\u0075"));
}

TEST(predicted_text_advances_only_when_it_is_there)
{
    struct json_scan j;
    json_init(&j, "{\"u\":1", 6);
    CHECK(!JSON_PREDICT(&j, "{\"u\":1}"));
    CHECK(!JSON_PREDICT(&j, "{\"v\":"));
    CHECK(JSON_PREDICT(&j, "{\"u\":"));
    CHECK_EQ(*j.p, '1');
}

TEST(raw_value_is_its_text)
{
    struct json_scan j;
    struct json_text t;
    json_init(&j, " {\"a\": [1, 2]} ", 15);
    CHECK(json_raw(&j, &t));
    CHECK_EQ(t.n, 13);
    CHECK(json_done(&j));
}

TEST_MAIN()
