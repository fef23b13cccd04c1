// Which sanitizer a test program is built with, by either compiler.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PBATCH_ASAN 1
#elif __has_feature(thread_sanitizer)
#define PBATCH_TSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define PBATCH_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define PBATCH_TSAN 1
#endif
