/* What the files of compiled loops share: how functions are compiled, and small pieces of arithmetic. */
#ifndef TRADELIFT_LOOPS_H
#define TRADELIFT_LOOPS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#include <features.h>
#endif

#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__clang__) && __GNUC__ >= 12
/* the processor's widest registers, chosen when the library is loaded; exp and log of the C library in vectors */
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
__attribute__((simd("notinbranch"))) double exp(double);
__attribute__((simd("notinbranch"))) double log(double);
#else
#define WIDE
double exp(double);
double log(double);
#endif
double fabs(double);
double sqrt(double);

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

#define INLINE static inline __attribute__((always_inline))

typedef int64_t count;

INLINE double ratio(double top, double bottom)
{
    return top > 0.0 && bottom > 0.0 ? top / bottom : 0.0;
}

INLINE double inverse(double value)
{
    return value > 0.0 ? 1.0 / value : 0.0;
}

#endif
