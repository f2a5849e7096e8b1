#include "os/heap.h"

#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace shipmate::os {

void KeepHeapSmall() {
#ifdef __GLIBC__
  constexpr int kBigBuffer = 128 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kBigBuffer);
  ::mallopt(M_ARENA_MAX, 1);
#endif
}

void GiveBackMemory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace shipmate::os
