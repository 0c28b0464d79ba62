#pragma once

#include <cstdint>

namespace tarn {

/// Bytes of this process that are in memory now; 0 where the system does not tell.
int64_t ProcessResidentBytes();

/// Bytes that malloc has given out and that were not freed.
int64_t AllocatedBytes();

/// Bytes in memory that belong to no file and that malloc has not given out: what was freed and is kept, and what
/// others take from the system beside malloc.
int64_t UnaccountedResidentBytes();

/// Gives the system back what malloc keeps of freed memory. Takes milliseconds.
void ReleaseFreedMemory();

/// Makes malloc the one allocator of this process, Arrow's included, and makes it give large blocks back as soon as
/// they are freed. For `main`, before anything else: Arrow chooses its allocator once.
void UseOneAllocator();

}  // namespace tarn
