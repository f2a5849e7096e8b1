#pragma once

// The heap of a program that lives long: what a burst of work needed goes back to the system.

namespace shipmate::os {

/// One heap for all threads, of which only the loop's allocates much; and what big buffers need is kept out of it,
/// whose top a single small one would hold (mallopt(3), M_ARENA_MAX and M_MMAP_THRESHOLD). For a program that runs for
/// months: once, before anything else.
void KeepHeapSmall();

/// Unused memory of the heap goes back (malloc_trim(3)); a millisecond or a few. Does nothing where the C library
/// cannot.
void GiveBackMemory();

}  // namespace shipmate::os
