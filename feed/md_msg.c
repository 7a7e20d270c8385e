#include "feed/md_msg.h"

size_t
md_msg_footprint(uint32_t levels_max)
{
    return 2 * arena_cost((size_t)levels_max * sizeof(struct level));
}

void
md_msg_init(struct md_msg *m, uint32_t levels_max, struct arena *arena)
{
    *m = (struct md_msg){
        .slot = MD_NO_SLOT,
        .kind = MD_MSG_OTHER,
        .levels_max = levels_max,
        .bids = arena_take(arena, (size_t)levels_max * sizeof(struct level)),
        .asks = arena_take(arena, (size_t)levels_max * sizeof(struct level)),
    };
}
