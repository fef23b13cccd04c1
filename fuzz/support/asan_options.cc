// What AddressSanitizer does by default in every target. ASAN_OPTIONS of the environment come on
// top.

// An execution allocates a few thousand small blocks, and one of a quarter of a gigabyte of freed
// memory that is kept apart would make each of them a cache miss. 16 MB are more than what an
// execution frees; the frames are those of our code, not of the standard library below it.
extern "C" const char* __asan_default_options();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "quarantine_size_mb=16:thread_local_quarantine_size_kb=256:malloc_context_size=6";
}
