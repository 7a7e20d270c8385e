/* The numbers that stand in journals, in rings and in clients' programs. A row of this table is never edited: what
 * fails here would be read wrongly by everything that was written or compiled before. */
#include "engine/oms/journal.h"
#include "tests/test.h"

TEST(numbers_in_journals_and_messages_never_change)
{
    static const struct {
        int is;
        int was;
    } pinned[] = {
        { DENY_NONE, 0 },
        { DENY_MALFORMED, 1 },
        { DENY_KILLED, 2 },
        { DENY_NOT_ARMED, 3 },
        { DENY_RECONCILING, 4 },
        { DENY_HALTED, 5 },
        { DENY_REDUCE_ONLY_STATE, 6 },
        { DENY_NOT_PERMITTED, 7 },
        { DENY_UNKNOWN_INSTRUMENT, 8 },
        { DENY_INSTRUMENT_CLOSED, 9 },
        { DENY_RESTRICTED, 10 },
        { DENY_VENUE_DOWN, 11 },
        { DENY_CLOCK, 12 },
        { DENY_STALE_MARKET, 13 },
        { DENY_BOOK_INVALID, 14 },
        { DENY_EXPIRED_COMMAND, 15 },
        { DENY_REPLAYED_COMMAND, 16 },
        { DENY_INVALID_ORDER, 17 },
        { DENY_UNKNOWN_ORDER, 18 },
        { DENY_ORDER_DONE, 19 },
        { DENY_INCREMENT, 20 },
        { DENY_ORDER_QTY, 21 },
        { DENY_ORDER_NOTIONAL, 22 },
        { DENY_PRICE_COLLAR, 23 },
        { DENY_OPEN_ORDERS, 24 },
        { DENY_POSITION, 25 },
        { DENY_DUPLICATE_KEY, 26 },
        { DENY_ORDER_RATE, 27 },
        { DENY_CANCEL_RATE, 28 },
        { DENY_CAPACITY, 29 },
        { DENY_JOURNAL, 30 },
        { COMMAND_NONE, 0 },
        { COMMAND_NEW, 1 },
        { COMMAND_CANCEL, 2 },
        { COMMAND_REPLACE, 3 },
        { COMMAND_CANCEL_ALL, 4 },
        { COMMAND_QUERY_ORDERS, 5 },
        { COMMAND_QUERY_POSITIONS, 6 },
        { COMMAND_HALT, 7 },
        { COMMAND_RESUME, 8 },
        { COMMAND_HEARTBEAT, 9 },
        { REPORT_NONE, 0 },
        { REPORT_DENIED, 1 },
        { REPORT_SENT, 2 },
        { REPORT_NEW, 3 },
        { REPORT_FILL, 4 },
        { REPORT_CANCELED, 5 },
        { REPORT_EXPIRED, 6 },
        { REPORT_REPLACED, 7 },
        { REPORT_REJECTED, 8 },
        { REPORT_CANCEL_REJECTED, 9 },
        { REPORT_UNKNOWN, 10 },
        { REPORT_NOT_PLACED, 11 },
        { REPORT_ORDER, 12 },
        { REPORT_POSITION, 13 },
        { REPORT_DONE, 14 },
        { REPORT_END, 15 },
        { REPORT_BEHIND, 16 },
        { ORDER_FREE, 0 },
        { ORDER_SENT, 1 },
        { ORDER_NEW, 2 },
        { ORDER_PARTIALLY_FILLED, 3 },
        { ORDER_FILLED, 4 },
        { ORDER_CANCELED, 5 },
        { ORDER_EXPIRED, 6 },
        { ORDER_REJECTED, 7 },
        { ORDER_DENIED, 8 },
        { ORDER_NOT_PLACED, 9 },
        { REQUEST_NONE, 0 },
        { REQUEST_NEW_IN_FLIGHT, 1 },
        { REQUEST_NEW_UNKNOWN, 2 },
        { REQUEST_CANCEL_IN_FLIGHT, 3 },
        { REQUEST_CANCEL_UNKNOWN, 4 },
        { REQUEST_REPLACE_IN_FLIGHT, 5 },
        { REQUEST_REPLACE_UNKNOWN, 6 },
        { ORDER_EV_ACK, 0 },
        { ORDER_EV_FILL, 1 },
        { ORDER_EV_FILL_ALL, 2 },
        { ORDER_EV_CANCELED, 3 },
        { ORDER_EV_EXPIRED, 4 },
        { ORDER_EV_REJECTED, 5 },
        { ORDER_EV_NOT_PLACED, 6 },
        { ORDER_EV_CANCEL_SENT, 7 },
        { ORDER_EV_REPLACE_SENT, 8 },
        { ORDER_EV_CANCEL_REJECTED, 9 },
        { ORDER_EV_UNKNOWN, 10 },
        { ORDER_EV_STATUS, 11 },
        { ORDER_EV_STATUS_PROVEN, 12 },
        { CONTROL_NONE, 0 },
        { CONTROL_START, 1 },
        { CONTROL_STOP, 2 },
        { CONTROL_KILL, 3 },
        { CONTROL_RELEASE, 4 },
        { CONTROL_STATE, 5 },
        { CONTROL_LIMITS, 6 },
        { CONTROL_ARMED, 7 },
        { CONTROL_RESOLVE, 8 },
        { JOURNAL_DEF_ACCOUNT, 1 },
        { JOURNAL_DEF_VENUE, 2 },
        { JOURNAL_DEF_CURRENCY, 3 },
        { JOURNAL_DEF_INSTRUMENT, 4 },
        { JOURNAL_INTENT, 5 },
        { JOURNAL_REQUEST, 6 },
        { JOURNAL_VENUE_REPORT, 7 },
        { JOURNAL_CONTROL, 8 },
        { JOURNAL_POSITION, 9 },
        { JOURNAL_SNAPSHOT, 10 },
        { JOURNAL_REPORT, 0x8001 },
        { JOURNAL_NOTE, 0x8002 },
    };

    for (size_t i = 0; i < ARRAY_LEN(pinned); i++)
        CHECK_EQ(pinned[i].is, pinned[i].was);
}

TEST(deny_reasons_have_each_their_own_number_without_gaps)
{
    bool used[DENY_REASON_COUNT] = { false };

#define X(name, number, label, wire, text) \
    CHECK((number) < DENY_REASON_COUNT);   \
    if ((number) < DENY_REASON_COUNT) {    \
        CHECK(!used[number]);              \
        used[number] = true;               \
    }
    DENY_REASONS(X)
#undef X
}

TEST_MAIN()
