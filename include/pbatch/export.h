// PBATCH_API marks what the shared library exports; everything else in it is hidden.
// PBATCH_LOCAL hides what is nested in an exported class.
#ifndef PBATCH_EXPORT_H_
#define PBATCH_EXPORT_H_

#if !defined(__GNUC__)
#define PBATCH_API
#define PBATCH_LOCAL
#elif defined(__cplusplus)
#define PBATCH_API [[gnu::visibility("default")]]
#define PBATCH_LOCAL [[gnu::visibility("hidden")]]
#else
#define PBATCH_API __attribute__((visibility("default")))
#endif

#endif  // PBATCH_EXPORT_H_
