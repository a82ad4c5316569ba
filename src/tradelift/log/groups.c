/* Groups rows by flow and person; grouping.py calls it. Its twin is the grouping of an engine (flows.py, concentration.py).
 */
#include "../solve/loops.h"

enum { AHEAD = 16 };

INLINE count end_of(count start, count n, const count *flow)
{
    count stop = start + 1;
    while (stop < n && flow[stop] == flow[start]) stop++;
    return stop;
}

/* Sums the money of n rows by flow and person. Rows of a flow stand together, so that a table holds the people of one flow
 * alone, and those of most flows fit into the first caches. Slots hold a group's place counted from 1.
 *
 * flow is in order; who, check and money stand at row[i] (at i where row is NULL). who is spread over 64 bits already.
 * G gets how many groups there are; of (or NULL) the group of each i. Where check is given, all rows of a group must have
 * the same, else the result is 2; 1 where there is no memory. */
PUBLIC int tl_group(count n, const count *flow, const count *row, const uint64_t *who, const uint64_t *check,
                    const count *money, count *group_flow, uint64_t *group_who, uint64_t *group_check, count *group_money,
                    count *of, count *G)
{
    count most = 0, g = 0;
    for (count start = 0, stop; start < n; start = stop) {
        stop = end_of(start, n, flow);
        if (stop - start > most) most = stop - start;
    }
    count size = 2;
    while (size < 2 * most) size *= 2;
    count *table = malloc((size_t)size * sizeof *table);
    if (!table) return 1;
    for (count start = 0, stop; start < n; start = stop) {
        stop = end_of(start, n, flow);
        uint64_t last = 1;
        while ((count)last + 1 < 2 * (stop - start)) last = 2 * last + 1;
        memset(table, 0, (last + 1) * sizeof *table);
        for (count i = start; i < stop; i++) {
            if (row && i + AHEAD < n) {
                __builtin_prefetch(who + row[i + AHEAD]);
                __builtin_prefetch(money + row[i + AHEAD]);
            }
            const count r = row ? row[i] : i;
            const uint64_t own = who[r];
            uint64_t at = own & last;
            while (table[at] && group_who[table[at] - 1] != own) at = (at + 1) & last;
            if (!table[at]) {
                group_flow[g] = flow[i];
                group_who[g] = own;
                group_money[g] = 0;
                if (check) group_check[g] = check[r];
                table[at] = ++g;
            }
            const count place = table[at] - 1;
            group_money[place] += money[r];
            if (of) of[i] = place;
            if (check && group_check[place] != check[r]) {
                free(table);
                return 2;
            }
        }
    }
    free(table);
    *G = g;
    return 0;
}
