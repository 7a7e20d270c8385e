/* Every metric of the gateway: one row each, and nothing else knows their names. The page's layout (metric.h), the text
 * exposition and docs/metrics.md all come from this list.
 *
 * X(enum name, name without prefix, kind, label a, label b, unit, help)
 *   kind    COUNTER, GAUGE, HISTOGRAM, or STATE: a gauge whose value is an index of label b, shown as one sample per
 *           state of which one is 1
 *   label   a closed set of METRIC_LABELS below; NONE = no label
 *   unit    what the stored integer counts (the exposition divides): COUNT 1; BYTES 1; NS 10^-9 s; PPM 10^-6;
 *           QTY 10^-qty_decimals of the instrument of label a; VALUE 10^-8 of the reporting currency
 * Every metric has one writing thread: the one its heading names. */
#ifndef EXECGW_METRIC_LIST_H
#define EXECGW_METRIC_LIST_H

#include "execgw/order.h"

/* Channels of market data. X(name, label) */
#define MD_CHANNELS(X)           \
    X(MD_CHANNEL_DEPTH, "depth") \
    X(MD_CHANNEL_TOP, "top")     \
    X(MD_CHANNEL_TRADE, "trade") \
    X(MD_CHANNEL_OTHER, "other")

/* What a connection is for. X(name, label) */
#define CONN_ROLES(X)                  \
    X(CONN_ROLE_MARKET, "market_data") \
    X(CONN_ROLE_ORDER, "order_entry")  \
    X(CONN_ROLE_REFDATA, "reference")

/* The independent top of book agreed with ours, or not. X(name, label) */
#define MD_COMPARISONS(X)         \
    X(MD_COMPARED_EQUAL, "equal") \
    X(MD_COMPARED_UNEQUAL, "unequal")

/* Rings whose writer found them full. X(name, label) */
#define METRIC_RINGS(X)                   \
    X(METRIC_RING_COMMAND, "command")     \
    X(METRIC_RING_REPORT, "report")       \
    X(METRIC_RING_CONNECTOR, "connector") \
    X(METRIC_RING_REFDATA, "refdata")     \
    X(METRIC_RING_ADMISSION, "admission")

/* What the gateway lets out now. X(name, label) */
#define GATEWAY_STATES(X)           \
    X(GATEWAY_STARTING, "starting") \
    X(GATEWAY_ACTIVE, "active")     \
    X(GATEWAY_REDUCING, "reducing") \
    X(GATEWAY_HALTED, "halted")     \
    X(GATEWAY_KILLED, "killed")

/* Who added the liquidity of a fill. X(name, label) */
#define LIQUIDITIES(X)          \
    X(LIQUIDITY_TAKER, "taker") \
    X(LIQUIDITY_MAKER, "maker")

/* The budgets that venues report, as enum venue_budget. X(name, label) */
#define BUDGETS(X)                     \
    X(BUDGET_ORDERS, "orders")         \
    X(BUDGET_ORDERS_DAY, "orders_day") \
    X(BUDGET_WEIGHT, "weight")         \
    X(BUDGET_DECAY, "decay")

/* The connections that carry the same market data. X(name, label) */
#define FEED_COPIES(X)  \
    X(FEED_COPY_A, "a") \
    X(FEED_COPY_B, "b")

/* The closed sets of labels. Sets with names in the page (VENUE, INSTRUMENT, CLIENT) show named entries only.
 * X(set, label, how many, first entry shown) */
#define METRIC_LABELS(X)                                                                              \
    X(NONE, "", 1, 0)                                                                                 \
    X(VENUE, "venue", VENUE_MAX, 0)                                                                   \
    X(INSTRUMENT, "instrument", INSTRUMENT_MAX, 0)                                                    \
    X(CLIENT, "strategy", CLIENT_MAX, 0)                                                              \
    X(CHANNEL, "channel", MD_CHANNEL_COUNT, 0)                                                        \
    X(ROLE, "role", CONN_ROLE_REFDATA, 0) /* connections for reference data come and go: not shown */ \
    X(COPY, "copy", FEED_COPY_COUNT, 0)                                                               \
    X(COMPARED, "result", MD_COMPARISON_COUNT, 0)                                                     \
    X(RING, "ring", METRIC_RING_COUNT, 0)                                                             \
    X(DECODE, "result", DECODE_RESULT_COUNT, 0)                                                       \
    X(DENY, "reason", DENY_REASON_COUNT, 1)                                                           \
    X(BOOK_STATE, "state", BOOK_STATE_COUNT, 0)                                                       \
    X(ORDER_STATE, "state", ORDER_STATE_COUNT, 0)                                                     \
    X(REPORT, "kind", REPORT_KIND_COUNT, 1)                                                           \
    X(VERB, "verb", COMMAND_VERB_COUNT, 1)                                                            \
    X(TRADING_STATE, "state", GATEWAY_STATE_COUNT, 0)                                                 \
    X(LIQUIDITY, "liquidity", LIQUIDITY_COUNT, 0)                                                     \
    X(BUDGET, "budget", BUDGET_COUNT, 0)

#define METRIC_LIST(X)                                                                                                 \
    /* Market data; written by the core thread. */                                                                     \
    X(METRIC_FEED_MESSAGES, "feed_messages_total", COUNTER, VENUE, CHANNEL, COUNT, "Market-data messages received")    \
    X(METRIC_FEED_BYTES, "feed_bytes_total", COUNTER, VENUE, NONE, BYTES, "Market-data bytes received, after TLS")     \
    X(METRIC_FEED_DECODED, "feed_decoded_total", COUNTER, VENUE, DECODE, COUNT,                                        \
      "Market-data messages by what decoding them came to, and messages of order entry that were not read")            \
    X(METRIC_FEED_GAPS, "feed_gaps_total", COUNTER, INSTRUMENT, NONE, COUNT, "Sequence gaps: an update was missed")    \
    X(METRIC_FEED_RESYNCS, "feed_resyncs_total", COUNTER, INSTRUMENT, NONE, COUNT, "Books rebuilt from a snapshot")    \
    X(METRIC_FEED_FILLED, "feed_filled_total", COUNTER, VENUE, NONE, COUNT,                                            \
      "Updates and trades missing on one connection that another one brought")                                         \
    X(METRIC_FEED_SILENT, "feed_silent_total", COUNTER, VENUE, NONE, COUNT,                                            \
      "Streams of one connection that brought nothing while another one did")                                          \
    X(METRIC_FEED_TICKER_SILENT, "feed_ticker_silent_total", COUNTER, VENUE, NONE, COUNT,                              \
      "bookTicker streams that said nothing of a touch that depth moved: subscribed again")                            \
    X(METRIC_BOOKS_UNCHECKED, "books_unchecked", GAUGE, VENUE, NONE, COUNT,                                            \
      "Books whose bookTicker is silent now: there is nothing to hold them against")                                   \
    X(METRIC_VENUE_ONLINE, "venue_online", GAUGE, VENUE, NONE, COUNT,                                                  \
      "0 while the venue says of itself that it does not trade as usual (Kraken's status); its books may be live")     \
    X(METRIC_FEED_LEAD, "feed_lead_seconds", HISTOGRAM, VENUE, COPY, NS,                                               \
      "By how much this copy of a stream was first; its count says how often")                                         \
    X(METRIC_FEED_REFUSED, "feed_refused_total", COUNTER, VENUE, NONE, COUNT,                                          \
      "Subscriptions that the venue refused or did not answer")                                                        \
    X(METRIC_FEED_SNAPSHOT_FAILURES, "feed_snapshot_failures_total", COUNTER, VENUE, NONE, COUNT,                      \
      "Depth snapshots that could not be fetched or read")                                                             \
    X(METRIC_FEED_LAST_MESSAGE, "feed_last_message_timestamp_seconds", GAUGE, VENUE, NONE, NS,                         \
      "Wall clock of the last market-data message; 0 = none yet")                                                      \
    X(METRIC_BOOK_STATE, "book_state", STATE, INSTRUMENT, BOOK_STATE, COUNT, "State of the book; live = tradable")     \
    X(METRIC_BOOKS_CONFIGURED, "books_configured", GAUGE, NONE, NONE, COUNT, "Books that the configuration asks for")  \
    X(METRIC_BOOKS_IN_SYNC, "books_in_sync", GAUGE, NONE, NONE, COUNT, "Books that are live now")                      \
    X(METRIC_BOOK_CHECKSUMS, "book_checksum_failures_total", COUNTER, INSTRUMENT, NONE, COUNT,                         \
      "Books that the venue's checksum did not match")                                                                 \
    X(METRIC_BOOK_CROSSED, "book_crossed_total", COUNTER, INSTRUMENT, NONE, COUNT,                                     \
      "Books whose best bid was above the best offer")                                                                 \
    X(METRIC_BOOK_LOCKED, "book_locked_total", COUNTER, INSTRUMENT, NONE, COUNT,                                       \
      "Books whose best bid was at the best offer")                                                                    \
    X(METRIC_BOOK_SHALLOW, "book_shallow_total", COUNTER, INSTRUMENT, NONE, COUNT,                                     \
      "Books whose touch reached the edge of what the snapshot seeded, or of the room there is")                       \
    X(METRIC_BOOK_SILENT, "book_silent_total", COUNTER, INSTRUMENT, NONE, COUNT,                                       \
      "Books whose channel said nothing, or fell behind, while others went on")                                        \
    X(METRIC_BOOK_COMPARED, "book_compared_total", COUNTER, VENUE, COMPARED, COUNT,                                    \
      "Comparisons of the book with the venue's own top of book at the same sequence")                                 \
    X(METRIC_MD_PUBLISHED, "md_published_total", COUNTER, NONE, NONE, COUNT, "Events written to the broadcast ring")   \
    X(METRIC_RING_DROPS, "ring_drops_total", COUNTER, RING, NONE, COUNT, "Entries refused because a ring was full")    \
    /* Orders; written by the core thread. */                                                                          \
    X(METRIC_COMMANDS, "command_received_total", COUNTER, VERB, NONE, COUNT, "Commands received from clients")         \
    X(METRIC_ORDER_SENT, "order_sent_total", COUNTER, VENUE, NONE, COUNT, "New orders given to the kernel")            \
    X(METRIC_ORDER_ACKED, "order_acked_total", COUNTER, VENUE, NONE, COUNT, "New orders the venue confirmed")          \
    X(METRIC_ORDER_FILLED, "order_filled_total", COUNTER, VENUE, NONE, COUNT, "Orders filled completely")              \
    X(METRIC_ORDER_CANCELED, "order_canceled_total", COUNTER, VENUE, NONE, COUNT, "Orders canceled")                   \
    X(METRIC_ORDER_EXPIRED, "order_expired_total", COUNTER, VENUE, NONE, COUNT, "Orders expired at the venue")         \
    X(METRIC_ORDER_REJECTED, "order_rejected_total", COUNTER, VENUE, NONE, COUNT, "New orders the venue refused")      \
    X(METRIC_ORDER_NOT_PLACED, "order_not_placed_total", COUNTER, VENUE, NONE, COUNT,                                  \
      "Orders proven never to have reached the venue's book")                                                          \
    X(METRIC_ORDER_DENIED, "order_denied_total", COUNTER, DENY, NONE, COUNT, "Commands we refused, by reason")         \
    X(METRIC_CANCEL_SENT, "cancel_sent_total", COUNTER, VENUE, NONE, COUNT, "Cancels given to the kernel")             \
    X(METRIC_CANCEL_REJECTED, "cancel_rejected_total", COUNTER, VENUE, NONE, COUNT,                                    \
      "Cancels or replaces the venue refused")                                                                         \
    X(METRIC_REPLACE_SENT, "replace_sent_total", COUNTER, VENUE, NONE, COUNT, "Replaces given to the kernel")          \
    X(METRIC_ORDER_BECAME_UNKNOWN, "order_became_unknown_total", COUNTER, VENUE, NONE, COUNT,                          \
      "Requests whose outcome became unknown")                                                                         \
    X(METRIC_ORDER_UNKNOWN, "order_unknown", GAUGE, VENUE, NONE, COUNT,                                                \
      "Orders with a request of unknown outcome now; their risk stays reserved")                                       \
    X(METRIC_ORDER_OPEN, "order_open", GAUGE, VENUE, NONE, COUNT, "Orders that are not terminal now")                  \
    X(METRIC_ORDER_FOREIGN, "order_foreign", GAUGE, VENUE, NONE, COUNT,                                                \
      "Open orders at the venue that are not ours, as last reconciled")                                                \
    X(METRIC_FILLS, "fill_total", COUNTER, VENUE, LIQUIDITY, COUNT, "Fills, counted once per venue trade id")          \
    X(METRIC_FILL_DUPLICATES, "fill_duplicate_total", COUNTER, VENUE, NONE, COUNT,                                     \
      "Fills reported again and not counted again")                                                                    \
    X(METRIC_FILL_LATE, "fill_late_total", COUNTER, VENUE, NONE, COUNT, "Fills of orders that were already terminal")  \
    X(METRIC_REPORTS, "report_total", COUNTER, REPORT, NONE, COUNT, "Reports given to clients")                        \
    X(METRIC_POSITION, "position", GAUGE, INSTRUMENT, NONE, QTY, "Position in units of the instrument; short < 0")     \
    X(METRIC_RECONCILE_RUNS, "reconcile_runs_total", COUNTER, VENUE, NONE, COUNT, "Reconciliations finished")          \
    X(METRIC_RECONCILE_DIFFERENCES, "reconcile_differences_total", COUNTER, VENUE, NONE, COUNT,                        \
      "Differences between the venue's orders or fills and ours that reconciling found")                               \
    X(METRIC_ORDER_ADOPTED, "order_adopted_total", COUNTER, VENUE, NONE, COUNT,                                        \
      "Open orders found at the venue and taken over")                                                                 \
    X(METRIC_ORDER_STUCK, "order_stuck", GAUGE, VENUE, NONE, COUNT,                                                    \
      "Orders whose questions the venue refuses to answer, or that it no longer finds; their risk stays reserved")     \
    X(METRIC_FOREIGN_FILLS, "foreign_fill_total", COUNTER, VENUE, NONE, COUNT,                                         \
      "Trades of the account that are of no order of ours; they move the position")                                    \
    X(METRIC_FILL_LOST, "fill_lost_total", COUNTER, VENUE, NONE, COUNT,                                                \
      "Fills that the report stream did not tell and asking found")                                                    \
    X(METRIC_BALANCE_DIFFERENCES, "balance_difference_total", COUNTER, VENUE, NONE, COUNT,                             \
      "Changes of a venue's balance that no trade explains")                                                           \
    X(METRIC_POSITION_REPAIRED, "position_repaired_total", COUNTER, VENUE, NONE, COUNT,                                \
      "Positions set from the venue's balance")                                                                        \
    X(METRIC_POSITION_UNKNOWN, "position_unknown", GAUGE, VENUE, NONE, COUNT,                                          \
      "Instruments without orders, because the account has traded them before this journal begins")                    \
    X(METRIC_SWEEP_REFUSED, "sweep_refused_total", COUNTER, VENUE, NONE, COUNT,                                        \
      "Questions for trades or balances that the venue refused for good")                                              \
    X(METRIC_TRADES_UNCOUNTED, "trades_uncounted_total", COUNTER, VENUE, NONE, COUNT,                                  \
      "Answers with a trade that no order and no position could take; they are asked for again")                       \
    X(METRIC_ANOTHER_HOST, "another_host", GAUGE, NONE, NONE, COUNT,                                                   \
      "1 once ids of this instance were seen that this run has not given out: no new orders")                          \
    X(METRIC_ORDER_TO_WIRE, "order_to_wire_seconds", HISTOGRAM, NONE, NONE, NS,                                        \
      "From the client's submit stamp to the order being given to the kernel")                                         \
    X(METRIC_ORDER_ACK, "order_ack_seconds", HISTOGRAM, VENUE, NONE, NS,                                               \
      "From an order being given to the kernel to the venue's answer")                                                 \
    X(METRIC_CANCEL_ACK, "cancel_ack_seconds", HISTOGRAM, VENUE, NONE, NS,                                             \
      "From a cancel being given to the kernel to the venue's answer")                                                 \
    X(METRIC_RISK_CHECK, "risk_check_seconds", HISTOGRAM, NONE, NONE, NS, "Time of the whole pre-trade check")         \
    /* Sessions; written by the core thread. */                                                                        \
    X(METRIC_CONN_UP, "connection_up", GAUGE, VENUE, ROLE, COUNT, "Connections established now")                       \
    X(METRIC_CONN_OPENED, "connection_opened_total", COUNTER, VENUE, ROLE, COUNT, "Connections established")           \
    X(METRIC_CONN_LOST, "connection_lost_total", COUNTER, VENUE, ROLE, COUNT, "Established connections that ended")    \
    X(METRIC_CONN_REPLACED, "connection_replaced_total", COUNTER, VENUE, NONE, COUNT,                                  \
      "Market-data connections whose books another one took over before they were closed")                             \
    X(METRIC_CONN_FAILED, "connection_failed_total", COUNTER, VENUE, ROLE, COUNT,                                      \
      "Attempts to connect that did not come to a connection")                                                         \
    X(METRIC_ORDER_ENTRY_READY, "order_entry_ready", GAUGE, VENUE, NONE, COUNT,                                        \
      "1 while order entry is logged on, its report stream is up and the venue is reconciled")                         \
    X(METRIC_RATE_REMAINING, "rate_limit_remaining_ratio", GAUGE, VENUE, NONE, PPM,                                    \
      "Part of the venue's request budget that is left; 0 = not said yet")                                             \
    X(METRIC_BUDGET_LIMIT, "rate_budget_limit", GAUGE, VENUE, BUDGET, COUNT,                                           \
      "What the venue lets us spend in a window of each budget; 0 = not said")                                         \
    X(METRIC_BUDGET_USED, "rate_budget_used", GAUGE, VENUE, BUDGET, COUNT,                                             \
      "Spent of each budget in its window, by the venue's count and ours since")                                       \
    X(METRIC_RATE_LIMITED, "rate_limit_hit_total", COUNTER, VENUE, NONE, COUNT,                                        \
      "Times the venue told us to stop sending for a while")                                                           \
    X(METRIC_CLOCK_OFFSET, "clock_offset_seconds", GAUGE, VENUE, NONE, NS, "Venue clock minus our wall clock")         \
    /* The loop; written by the core thread. */                                                                        \
    X(METRIC_LOOP_TURNS, "loop_turns_total", COUNTER, NONE, NONE, COUNT, "Turns of the event loop")                    \
    X(METRIC_LOOP_TURN, "loop_turn_seconds", HISTOGRAM, NONE, NONE, NS, "Working time of turns that had work")         \
    X(METRIC_LOOP_TURN_MAX, "loop_turn_longest_seconds", GAUGE, NONE, NONE, NS, "Longest turn since start")            \
    X(METRIC_HEARTBEAT, "heartbeat_timestamp_seconds", GAUGE, NONE, NONE, NS,                                          \
      "Wall clock of the loop's last sign of life, at least once a second")                                            \
    X(METRIC_TRADING_STATE, "trading_state", STATE, NONE, TRADING_STATE, COUNT, "What the gateway lets out")           \
    X(METRIC_KILLS, "kill_total", COUNTER, NONE, NONE, COUNT, "Times the kill switch was tripped since start")         \
    X(METRIC_KILL_PROVEN, "kill_proven", GAUGE, VENUE, NONE, COUNT,                                                    \
      "1 while the kill switch is on and the venue has proven that no order of ours is open")                          \
    X(METRIC_DEADMAN, "deadman_armed", GAUGE, VENUE, NONE, COUNT,                                                      \
      "1 while the venue counts down to canceling everything unless it hears of us")                                   \
    X(METRIC_CLIENT_SILENT, "client_silent_total", COUNTER, CLIENT, NONE, COUNT,                                       \
      "Times that a strategy was silent for longer than its heartbeat_ms")                                             \
    X(METRIC_READY, "ready", GAUGE, NONE, NONE, COUNT, "1 when a book is in sync and order entry is ready")            \
    X(METRIC_PAPER, "paper", GAUGE, NONE, NONE, COUNT, "1 when orders go to the paper matcher, 0 when they are real")  \
    X(METRIC_TERM, "term", GAUGE, NONE, NONE, COUNT, "Term of this start: part of every ClOrdID")                      \
    X(METRIC_ARENA, "arena_bytes", GAUGE, NONE, NONE, BYTES, "Memory taken and sealed at start")                       \
    X(METRIC_RISK_TRIPS, "risk_trip_total", COUNTER, NONE, NONE, COUNT,                                                \
      "Times that a breaker or a limit of losses latched; a human releases it")                                        \
    X(METRIC_RISK_GROSS, "risk_gross_exposure", GAUGE, NONE, NONE, VALUE,                                              \
      "Worst-case gross exposure, all open orders filled, in the reporting currency")                                  \
    X(METRIC_RISK_NET, "risk_net_exposure", GAUGE, NONE, NONE, VALUE,                                                  \
      "Worst-case net exposure, long or short, in the reporting currency")                                             \
    X(METRIC_RISK_DAY_RESULT, "risk_day_result", GAUGE, NONE, NONE, VALUE,                                             \
      "Realised and unrealised result of the day, fees included, in the reporting currency")                           \
    X(METRIC_RISK_DAY_VALUE, "risk_day_value", GAUGE, NONE, NONE, VALUE,                                               \
      "Value traded in the day, in the reporting currency")                                                            \
    X(METRIC_RISK_UNMARKED, "risk_unmarked", GAUGE, NONE, NONE, COUNT,                                                 \
      "Positions and orders that no fresh mark or rate values: limits of money deny while there are any")              \
    X(METRIC_RISK_UNTRADABLE, "risk_untradable", GAUGE, NONE, NONE, COUNT,                                             \
      "Instruments in which no order can meet the limits, or of whose currency nobody knows the worth")                \
    X(METRIC_LIMITS_VERSION, "risk_limits_version", GAUGE, NONE, NONE, COUNT, "Version of the risk limits in force")   \
    /* Journal; written by the core thread. */                                                                         \
    X(METRIC_JOURNAL_RECORDS, "journal_records_total", COUNTER, NONE, NONE, COUNT, "Records appended")                 \
    X(METRIC_JOURNAL_BYTES, "journal_bytes_total", COUNTER, NONE, NONE, BYTES, "Bytes appended")                       \
    X(METRIC_JOURNAL_ERRORS, "journal_errors_total", COUNTER, NONE, NONE, COUNT,                                       \
      "Writes or syncs of the journal that failed; after one, new orders stop")                                        \
    X(METRIC_JOURNAL_UNSYNCED, "journal_unsynced_bytes", GAUGE, NONE, NONE, BYTES,                                     \
      "Bytes appended and not yet synced")                                                                             \
    X(METRIC_JOURNAL_SYNC, "journal_sync_seconds", HISTOGRAM, NONE, NONE, NS, "Time of one sync of the journal")       \
    /* Clients; written by the core thread. */                                                                         \
    X(METRIC_CLIENTS, "clients_connected", GAUGE, NONE, NONE, COUNT, "Clients connected now")                          \
    X(METRIC_CLIENT_ADMITTED, "client_admitted_total", COUNTER, CLIENT, NONE, COUNT, "Connections admitted")           \
    X(METRIC_CLIENT_BEHIND, "client_behind_total", COUNTER, CLIENT, NONE, COUNT,                                       \
      "Times a strategy's report ring was full, so that it had to catch up")                                           \
    X(METRIC_CLIENT_BROKEN, "client_broken_total", COUNTER, CLIENT, NONE, COUNT,                                       \
      "Connections ended because the client wrote an impossible index or message")                                     \
    /* Admission; written by the unix-port thread. */                                                                  \
    X(METRIC_CLIENT_REFUSED, "client_refused_total", COUNTER, NONE, NONE, COUNT, "Connections refused at the socket")  \
    /* TLS memory; written by the core thread. */                                                                      \
    X(METRIC_TLS_POOL, "tls_pool_bytes", GAUGE, NONE, NONE, BYTES, "TLS memory pool in use")                           \
    X(METRIC_TLS_POOL_MAX, "tls_pool_peak_bytes", GAUGE, NONE, NONE, BYTES, "Most of the TLS memory pool ever in use") \
    X(METRIC_TLS_POOL_FAILURES, "tls_pool_failures_total", COUNTER, NONE, NONE, COUNT,                                 \
      "Allocations that the TLS memory pool could not serve")                                                          \
    /* Log; written by the log thread. */                                                                              \
    X(METRIC_LOG_RECORDS, "log_records_total", COUNTER, NONE, NONE, COUNT, "Log records written")                      \
    X(METRIC_LOG_DROPPED, "log_dropped_total", COUNTER, NONE, NONE, COUNT, "Log records lost to a full ring")          \
    X(METRIC_LOG_SUPPRESSED, "log_suppressed_total", COUNTER, NONE, NONE, COUNT,                                       \
      "Log records held back because their event came too often")                                                      \
    /* Recording; written by the main thread. */                                                                       \
    X(METRIC_RECORDING, "recording_active", GAUGE, NONE, NONE, COUNT, "1 while what the core sees is recorded")        \
    X(METRIC_RECORDING_ENDED, "recording_ended", GAUGE, NONE, NONE, COUNT,                                             \
      "1 after a recording ended before its time: the disk refused a write, or was too slow")                          \
    X(METRIC_RECORDING_LOST, "recording_lost_total", COUNTER, NONE, NONE, COUNT,                                       \
      "Events left out of a recording because the disk was too slow")                                                  \
    /* What a start could not do and went on without; written by the main thread. */                                   \
    X(METRIC_JOURNAL_KEPT, "journal_compact_failed", GAUGE, NONE, NONE, COUNT,                                         \
      "1 when older segments could not be summed up or moved away at the start, and were kept")

#define X(name, label) name,
enum md_channel { MD_CHANNELS(X) MD_CHANNEL_COUNT };
enum conn_role { CONN_ROLES(X) CONN_ROLE_COUNT };
enum feed_copy { FEED_COPIES(X) FEED_COPY_COUNT };
enum md_comparison { MD_COMPARISONS(X) MD_COMPARISON_COUNT };
enum metric_ring { METRIC_RINGS(X) METRIC_RING_COUNT };
enum gateway_state { GATEWAY_STATES(X) GATEWAY_STATE_COUNT };
enum liquidity { LIQUIDITIES(X) LIQUIDITY_COUNT };
enum budget_label { BUDGETS(X) BUDGET_COUNT };
#undef X

#endif
