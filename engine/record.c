#include "engine/record.h"

const char *
record_event_text(unsigned kind)
{
    switch (kind) {
#define X(name, number, text) \
    case name: return text;
        RECORD_EVENTS(X)
#undef X
    default: return "unknown";
    }
}

bool
record_stream_peek(const struct record_stream *s, struct record_event *out)
{
    size_t left = s->bytes - s->offset;

    if (left < sizeof(out->head))
        return false;
    memcpy(&out->head, s->base + s->offset, sizeof(out->head));
    if (out->head.bytes > RECORD_DATA_MAX || out->head.pad > 7 ||
        left - sizeof(out->head) < (size_t)out->head.bytes + out->head.pad)
        return false;
    out->data = s->base + s->offset + sizeof(out->head);
    return true;
}

void
record_stream_take(struct record_stream *s, const struct record_event *e)
{
    s->offset += sizeof(e->head) + e->head.bytes + e->head.pad;
}
