// Marks what the shared library exports; everything else in it is hidden.
#ifndef PBATCH_EXPORT_H_
#define PBATCH_EXPORT_H_

#if defined(__GNUC__)
#define PBATCH_API __attribute__((visibility("default")))
#else
#define PBATCH_API
#endif

#endif  // PBATCH_EXPORT_H_
