#include "bench/venue/venue.h"
const struct dialect kraken_dialect = { .name = "kraken" };
