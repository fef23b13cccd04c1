// Marks what the shared library exports; everything else in it is hidden.
#ifndef PBATCH_EXPORT_H_
#define PBATCH_EXPORT_H_

#if !defined(__GNUC__)
#define PBATCH_API
#elif defined(__cplusplus)
#define PBATCH_API [[gnu::visibility("default")]]
#else
#define PBATCH_API __attribute__((visibility("default")))
#endif

#endif  // PBATCH_EXPORT_H_
