/* Any bytes as JSON: skipping a value and walking it must agree on whether it is one, and nothing reads past the end.
 */
#include "feed/json_scan.h"

/* One scalar by its own call. */
static void
scalar(struct json_scan *j, enum json_type type)
{
    struct json_text t;
    char plain[64];
    bool b;
    int64_t v;

    switch (type) {
    case JSON_STRING:
        if (json_string(j, &t) && json_unescape(&t, plain, sizeof(plain)) >= 0)
            ASSERT(t.escaped || memcmp(plain, t.s, t.n) == 0);
        break;
    case JSON_NUMBER: {
        struct json_scan again = *j;
        (void)json_i64(&again, &v);
        again = *j;
        (void)json_decimal(&again, 8, &v);
        (void)json_number(j, &t);
        break;
    }
    case JSON_TRUE:
    case JSON_FALSE: (void)json_bool(j, &b); break;
    case JSON_NULL:
        if (!json_null(j))
            (void)json_fail(j);
        break;
    default: (void)json_fail(j);
    }
}

/* Walk by the pull calls alone. */
static bool
walk(const uint8_t *data, size_t size)
{
    struct json_scan j;
    struct json_text key;
    bool object[JSON_DEPTH_MAX + 1];

    json_init(&j, data, size);
    do {
        enum json_type type = json_peek(&j);
        if (type == JSON_OBJECT || type == JSON_ARRAY) {
            if (type == JSON_OBJECT ? json_object(&j) : json_array(&j))
                object[j.depth] = type == JSON_OBJECT;
        } else {
            scalar(&j, type);
        }
        while (j.depth > 0 && !j.bad && !(object[j.depth] ? json_key(&j, &key) : json_element(&j)))
            ;
    } while (j.depth > 0 && !j.bad);
    return json_done(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_scan j;
    struct json_text span;

    json_init(&j, data, size);
    bool skipped = json_skip(&j) && json_done(&j);
    ASSERT(walk(data, size) == skipped);
    json_init(&j, data, size);
    if (json_raw(&j, &span))
        ASSERT(span.s >= (const char *)data && span.n <= size);
    return 0;
}
