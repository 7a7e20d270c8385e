/* Anonymous memory for what lives as long as the process: arenas.
 *
 * Huge pages where the kernel grants them (transparent_hugepage = madvise or always): an order touches some forty lines
 * in as many pages, and a walk through two levels of page tables, a guest's and its host's, costs more than the miss
 * itself. Without them everything works, slower.
 *
 * Always true: what is handed out is zeroed and touched, so no page fault comes later. It lives as long as the process;
 * munmap() of as many bytes gives it back. */
#ifndef EXECGW_ENGINE_IO_PAGES_H
#define EXECGW_ENGINE_IO_PAGES_H

#include "execgw/base.h"

/* At least `bytes`, aligned to a huge page when that much is asked for, else to a page. NULL with errno set. Cold. */
void *pages_map(size_t bytes);

#endif
