/* One JSON value by its raw text. See json_value.h. */
#include "feed/json_value.h"

void
json_value_print(struct json_value v, char *out, size_t room)
{
    struct json_text t = { 0 };

    (void)json_value_text(v, &t);
    json_print(&t, out, room);
}

bool
json_members(struct json_value object, const char *const *name, size_t count, struct json_value *out)
{
    struct json_scan j;
    struct json_text key;
    struct json_text span;

    memset(out, 0, count * sizeof(*out));
    if (!json_value_set(object))
        return false;
    json_init(&j, object.s, object.n);
    if (!json_object(&j))
        return false;
    while (json_key(&j, &key)) {
        size_t i = 0;
        while (i < count && !json_equals(&key, name[i], strlen(name[i])))
            i++;
        if (!json_raw(&j, &span))
            return false;
        if (i == count)
            continue;
        if (json_value_set(out[i]))
            return false;
        out[i] = (struct json_value){ span.s, span.n };
    }
    return json_done(&j);
}
