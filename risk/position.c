/* Positions and reservations. See position.h. */
#include "risk/position.h"

#define FEE_CCY_NONE UINT16_MAX

void
position_init(struct position *p, const struct instrument *ins)
{
    *p = (struct position){
        .qty_decimals = ins->qty_decimals,
        .fee_ccy_base = ins->kind == INSTRUMENT_SPOT ? ins->base_ccy : FEE_CCY_NONE,
    };
}

void
position_set(struct position *p, qty_t qty, bool reconciled)
{
    p->start = qty;
    p->qty = qty;
    p->filled = 0;
    p->fee_base = 0;
    p->reconciled = reconciled;
}

qty_t
position_fee_qty(value_t fee, unsigned qty_decimals)
{
    qty_t out;
    if (qty_decimals >= VALUE_DECIMALS) {
        if (unlikely(__builtin_mul_overflow(fee, pow10_i64[qty_decimals - VALUE_DECIMALS], &out)))
            return fee > 0 ? INT64_MAX : -INT64_MAX;
        return out;
    }
    int64_t unit = pow10_i64[VALUE_DECIMALS - qty_decimals];
    return fee / unit + (fee % unit > 0 ? 1 : 0);
}

void
position_apply(struct position *p, const struct order_delta *d)
{
    ASSERT(d->side == SIDE_BUY || d->side == SIDE_SELL);
    ASSERT(d->fill_qty >= 0);

    qty_t reserved = qty_add(p->reserved[d->side], d->reserved_change);
    int64_t open = (int64_t)p->open_count + d->open_change;
    int64_t unknown = (int64_t)p->unknown_count + d->unknown_change;
    ASSERT(reserved >= 0);
    ASSERT(open >= 0 && open <= UINT32_MAX);
    ASSERT(unknown >= 0 && unknown <= UINT32_MAX);
    p->reserved[d->side] = reserved;
    p->open_count = (uint32_t)open;
    p->unknown_count = (uint32_t)unknown;

    if (d->fill_qty == 0)
        return;
    p->filled = qty_add(p->filled, d->side == SIDE_BUY ? d->fill_qty : -d->fill_qty);
    if (d->fee_ccy == p->fee_ccy_base && d->fee != 0)
        p->fee_base = qty_add(p->fee_base, d->fee);
    p->qty = qty_add(qty_add(p->start, p->filled), -position_fee_qty(p->fee_base, p->qty_decimals));
}
