/* One value of a JSON text by itself: its types, what is absent, the members of an object. */
#include "feed/json_value.h"
#include "tests/test.h"

static struct json_value
value(const char *s)
{
    return (struct json_value){ .s = s, .n = s != NULL ? strlen(s) : 0 };
}

TEST(a_value_is_read_as_what_it_is)
{
    struct json_text t;
    int64_t n = 0;
    bool b = false;
    char text[8];

    CHECK(json_value_text(value("\"BUY\""), &t) && t.n == 3);
    CHECK(json_value_equals(value("\"BUY\""), "BUY"));
    CHECK(json_value_i64(value("-7"), &n));
    CHECK_EQ(n, -7);
    CHECK(json_value_bool(value("true"), &b) && b);
    CHECK(json_value_decimal(value("\"0.25\""), 2, &n));
    CHECK_EQ(n, 25);
    CHECK(json_value_is(value("{}"), JSON_OBJECT));
    json_value_print(value("\"a\x01longer text\""), text, sizeof(text));
    CHECK_STR(text, "");
    json_value_print(value("\"a longer text\""), text, sizeof(text));
    CHECK_STR(text, "a longe");
}

TEST(an_absent_value_and_one_of_another_type_fail_every_call)
{
    const char *const other[] = { NULL, "[1]" };

    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        struct json_value v = value(other[i]);
        struct json_text t;
        int64_t n;
        bool b;
        char text[8] = "x";
        CHECK(!json_value_text(v, &t));
        CHECK(!json_value_equals(v, "BUY"));
        CHECK(!json_value_i64(v, &n));
        CHECK(!json_value_bool(v, &b));
        CHECK(!json_value_decimal(v, 8, &n));
        CHECK(!json_value_is(v, JSON_STRING));
        json_value_print(v, text, sizeof(text));
        CHECK_STR(text, "");
    }
    CHECK(!json_value_is(value(NULL), JSON_NONE));
}

TEST(members_are_found_in_any_order_and_unknown_ones_are_skipped)
{
    static const char *const name[] = { "id", "status" };
    struct json_value m[2];

    CHECK(json_members(value("{\"status\":200,\"x\":[{}],\"id\":\"N1\"}"), name, 2, m));
    CHECK(json_value_equals(m[0], "N1"));
    CHECK(json_value_is(m[1], JSON_NUMBER));
    CHECK(json_members(value("{}"), name, 2, m));
    CHECK(!json_value_set(m[0]) && !json_value_set(m[1]));
}

TEST(half_an_object_and_a_member_named_twice_are_refused_with_what_stood_before)
{
    static const char *const name[] = { "id" };
    struct json_value m[1];

    CHECK(!json_members(value("{\"id\":1,\"id\":2}"), name, 1, m));
    CHECK_EQ(m[0].s[0], '1');
    CHECK(!json_members(value("{\"id\":1,\"x\":"), name, 1, m));
    CHECK_EQ(m[0].s[0], '1');
    CHECK(!json_members(value("{\"id\":1} 2"), name, 1, m));
    CHECK(!json_members(value("[1]"), name, 1, m));
    CHECK(!json_members(value(NULL), name, 1, m));
}

TEST_MAIN()
