/* The loops over rows of a frame; loops.py calls them, in threads for stretches of the rows.
 *
 * Codes are a column's own, -1 for null; tables say what they stand for. Each loop reads a row once. Their plain twins in
 * NumPy stand beside the callers.
 */
#include "../solve/loops.h"

enum { TOGETHER = 1024 }; /* rows whose slots fit in the first cache */

/* Marks which of 0, 1, ... size - 1 are among n codes; 0 where a code is none of these. */
PUBLIC int tl_present(count n, count size, const count *codes, uint8_t *seen)
{
    for (count start = 0; start < n; start += TOGETHER) {
        const count stop = start + TOGETHER < n ? start + TOGETHER : n;
        int beyond = 0;
        for (count i = start; i < stop; i++) beyond |= (uint64_t)codes[i] >= (uint64_t)size;
        if (beyond) return 0;
        for (count i = start; i < stop; i++) seen[codes[i]] = 1;
    }
    return 1;
}

/* Marks the keys of rows from start to stop that are kept (all where kept is NULL): the sums of what R tables have for
 * their codes. */
PUBLIC int tl_mark(count start, count stop, count R, const count *const *codes, const count *const *tables,
                   const uint8_t *kept, uint8_t *seen)
{
    const count *one = codes[0], *two = codes[1], *of_one = tables[0], *of_two = tables[1];
    for (count i = start; i < stop; i++) {
        if (kept && !kept[i]) continue;
        count key = of_one[one[i]] + of_two[two[i]];
        for (count r = 2; r < R; r++) key += tables[r][codes[r][i]];
        seen[key] = 1;
    }
    return 0;
}

/* Puts V columns of eight bytes a row into their slots, and marks these, for rows from start to stop that are kept (all
 * where kept is NULL). A slot is step[o] * period + first[o] + column[d], where o is the origin and d the destination,
 * each after the category's n_regions places; category is NULL where there is but one. codes and tables: origin,
 * destination, period, category. */
PUBLIC int tl_place(count start, count stop, const count *const *codes, const count *const *tables, count n_regions,
                    const count *step, const count *first, const count *column, const uint8_t *kept, count V,
                    const uint64_t *const *values, uint64_t *const *out, uint8_t *seen)
{
    const count *origin = codes[0], *destination = codes[1], *period = codes[2], *category = codes[3];
    count rows[TOGETHER], slots[TOGETHER];
    while (start < stop) {
        count n = 0;
        for (; start < stop && n < TOGETHER; start++) {
            if (kept && !kept[start]) continue;
            const count shift = category ? n_regions * tables[3][category[start]] : 0;
            const count o = shift + tables[0][origin[start]], d = shift + tables[1][destination[start]];
            rows[n] = start;
            slots[n++] = step[o] * tables[2][period[start]] + first[o] + column[d];
        }
        for (count i = 0; i < n; i++) seen[slots[i]] = 1;
        for (count v = 0; v < V; v++) {
            const uint64_t *from = values[v];
            uint64_t *to = out[v];
            for (count i = 0; i < n; i++) to[slots[i]] = from[rows[i]];
        }
    }
    return 0;
}
