/* Proportional fitting and Newton's systems on stars, some periods side by side in the lanes of a register; the plain
 * twins stand in stack_star_newton.py and stack_star.py.
 *
 * Letters as there: each of G groups has a hub (e, w); its other rows share w and have another of A levels (left), or
 * share e and have another of B levels (right). A row's weight is its number times the factors m of its group and c of
 * its two levels; the C = A + B levels stand one after the other. Numbers of rows are those of left rows by group, of
 * right rows by group, and of hubs, R in all. A row that is off the sample in a period while its group and levels are
 * used there is a hole: its number is 0 in that period. Inside, the period is last: (n, LANES).
 */
#include "loops.h"

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi" /* vectors are handed to functions that are all inlined */
#endif

enum { LANES = 8, ROWS = 8 }; /* ROWS: of the leading inverse, whose sums grow at the same time */

typedef double Vector __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));

typedef struct {
    count T, G, A, B, K;
    const count *e, *w, *left_starts, *left, *right_starts, *right;
    const double *numbers, *x, *m, *c, *by_group, *by_level; /* x (K, R); m, by_group (G, T); c, by_level (C, T) */
    const double *lead, *held; /* the leading inverse, (C, C); 1 where a level is held, (C, T) */
    const double *there;       /* 0 where a row is a hole, else 1, (R, T); NULL where there is none */
    double *group_effects, *level_effects;                   /* in the regressors, (K, G, T) and (K, C, T) */
} Stars;

/* The weights of now. */
typedef struct {
    Vector *m, *c, *p, *q, *others, *groups, *inverse, *levels, *scale;
} Weights;

INLINE Vector quotient(Vector top, Vector bottom)
{
    for (int l = 0; l < LANES; l++) top[l] = ratio(top[l], bottom[l]);
    return top;
}

INLINE void clear(count n, Vector *restrict out)
{
    memset(out, 0, (size_t)n * sizeof(Vector));
}

INLINE void to_lanes(const double *restrict values, count n, count T, count first, count t, Vector *restrict out)
{
    clear(n, out);
    for (count i = 0; i < n; i++) memcpy(out + i, values + i * T + first, (size_t)t * sizeof(double));
}

INLINE void from_lanes(const Vector *restrict lanes, count n, count T, count first, count t, double *restrict out)
{
    for (count i = 0; i < n; i++) memcpy(out + i * T + first, lanes + i, (size_t)t * sizeof(double));
}

/* Numbers of rows: those of left and right ones by group, and of hubs; with `holes`, times 0 or 1 by period. */
typedef struct {
    const count *starts, *level;
    const double *numbers;
    const Vector *there;
    int holes;
} Side;

typedef struct {
    Side left, right, hubs;
} Rows;

INLINE Rows rows_of(const Stars *s, const double *numbers, const Vector *there, int holes)
{
    const count right = s->left_starts[s->G], hubs = right + s->right_starts[s->G];
    return (Rows){.left = {s->left_starts, s->left, numbers, there, holes},
                  .right = {s->right_starts, s->right, numbers + right, holes ? there + right : NULL, holes},
                  .hubs = {NULL, NULL, numbers + hubs, holes ? there + hubs : NULL, holes}};
}

INLINE Vector times(Side side, count r, Vector value)
{
    return side.holes ? side.numbers[r] * side.there[r] * value : side.numbers[r] * value;
}

/* Numbers of a group's rows on one side times values of their levels. */
INLINE Vector gather(Side side, count g, const Vector *restrict values)
{
    Vector sum = {0.0};
    for (count r = side.starts[g]; r < side.starts[g + 1]; r++) sum += times(side, r, values[side.level[r]]);
    return sum;
}

/* The same numbers times a value of the group, added at the levels; and their squares. */
INLINE void scatter(Side side, count g, Vector value, Vector *restrict out)
{
    for (count r = side.starts[g]; r < side.starts[g + 1]; r++) out[side.level[r]] += times(side, r, value);
}

INLINE void scatter_squares(Side side, count g, Vector value, Vector *restrict out)
{
    for (count r = side.starts[g]; r < side.starts[g + 1]; r++)
        out[side.level[r]] += times(side, r, side.numbers[r] * value);
}

/* Sums of the weights with other numbers of rows, by group and level; and those without factors that `Weights` holds. */
INLINE void add_up(const Stars *s, Rows rows, const Weights *f, Vector *restrict p, Vector *restrict q,
                   Vector *restrict others, Vector *restrict groups, Vector *restrict levels)
{
    clear(s->A + s->B, levels);
    for (count g = 0; g < s->G; g++) {
        const count e = s->e[g], w = s->A + s->w[g];
        const Vector m = f->m[g], a = f->c[e], b = f->c[w];
        others[g] = gather(rows.left, g, f->c);
        p[g] = gather(rows.right, g, f->c + s->A) + times(rows.hubs, g, b);
        q[g] = others[g] + times(rows.hubs, g, a);
        groups[g] = m * (a * p[g] + b * others[g]);
        levels[e] += m * p[g];
        levels[w] += m * q[g];
        scatter(rows.left, g, m * b, levels);
        scatter(rows.right, g, m * a, levels + s->A);
    }
    for (count i = 0; i < s->A + s->B; i++) levels[i] *= f->c[i];
}

/* One over the root of the diagonal of what `net` applies, 0 for levels that are not held. */
INLINE void measure(const Stars *s, Rows rows, const Weights *f, const Vector *restrict held, Vector *restrict work)
{
    clear(s->A + s->B, work);
    for (count g = 0; g < s->G; g++) {
        const count e = s->e[g], w = s->A + s->w[g];
        const Vector m = f->m[g], a = m * f->c[e], b = m * f->c[w], over = f->inverse[g];
        const Vector p = m * f->p[g], q = m * f->q[g];
        work[e] += p * p * over;
        work[w] += q * q * over;
        scatter_squares(rows.left, g, b * b * over, work);
        scatter_squares(rows.right, g, a * a * over, work + s->A);
    }
    for (count i = 0; i < s->A + s->B; i++) {
        const Vector c = f->c[i], size = held[i] * (f->levels[i] - c * c * work[i]);
        for (int l = 0; l < LANES; l++) f->scale[i][l] = size[l] > 0.0 ? 1.0 / sqrt(size[l]) : 0.0;
    }
}

/* Sums by group of the weights times the numbers of both levels. */
INLINE Vector both(const Stars *s, Rows rows, const Weights *f, count g, Vector x, Vector y, Vector *u, Vector *v,
                   const Vector *restrict factored)
{
    const count e = s->e[g], w = s->A + s->w[g];
    const Vector a = f->c[e], b = f->c[w];
    *v = gather(rows.left, g, factored);
    *u = gather(rows.right, g, factored + s->A) + times(rows.hubs, g, b * y);
    const Vector sum = f->m[g] * (a * (x * f->p[g] + *u) + b * (y * f->others[g] + *v));
    *v += times(rows.hubs, g, a * x);
    return sum;
}

/* Sums by level of the weights times a number of each group, taken off `out`. */
INLINE void less_groups(const Stars *s, Rows rows, const Weights *f, const Vector *restrict values,
                        Vector *restrict work, Vector *restrict out)
{
    clear(s->A + s->B, work);
    for (count g = 0; g < s->G; g++) {
        const count e = s->e[g], w = s->A + s->w[g];
        const Vector m = f->m[g] * values[g];
        work[e] += m * f->p[g];
        work[w] += m * f->q[g];
        scatter(rows.left, g, m * f->c[w], work);
        scatter(rows.right, g, m * f->c[e], work + s->A);
    }
    for (count i = 0; i < s->A + s->B; i++) out[i] -= f->c[i] * work[i];
}

/* Applies the normal equations of the levels net of the groups. */
INLINE void net(const Stars *s, Rows rows, const Weights *f, const Vector *restrict z, Vector *restrict factored,
                Vector *restrict work, Vector *restrict out)
{
    for (count i = 0; i < s->A + s->B; i++) factored[i] = f->c[i] * z[i];
    clear(s->A + s->B, work);
    for (count g = 0; g < s->G; g++) {
        const count e = s->e[g], w = s->A + s->w[g];
        const Vector m = f->m[g], x = z[e], y = z[w];
        Vector u, v;
        const Vector mean = both(s, rows, f, g, x, y, &u, &v, factored) * f->inverse[g];
        work[e] += m * (u - mean * f->p[g]);
        work[w] += m * (v - mean * f->q[g]);
        scatter(rows.left, g, m * f->c[w] * (y - mean), work);
        scatter(rows.right, g, m * f->c[e] * (x - mean), work + s->A);
    }
    for (count i = 0; i < s->A + s->B; i++) out[i] = f->levels[i] * z[i] + f->c[i] * work[i];
}

/* A symmetric matrix (n, n) times values. */
INLINE void multiply(const double *restrict matrix, count n, const Vector *restrict values, Vector *restrict out)
{
    count i = 0;
    for (; i + ROWS <= n; i += ROWS) {
        Vector sums[ROWS] = {{0.0}};
        for (count j = 0; j < n; j++)
            for (int r = 0; r < ROWS; r++) sums[r] += matrix[j * n + i + r] * values[j];
        for (int r = 0; r < ROWS; r++) out[i + r] = sums[r];
    }
    for (; i < n; i++) {
        Vector sum = {0.0};
        for (count j = 0; j < n; j++) sum += matrix[j * n + i] * values[j];
        out[i] = sum;
    }
}

INLINE Vector dot(const Vector *restrict x, const Vector *restrict y, count n)
{
    Vector sum = {0.0};
    for (count i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* Finds the effects that have given sums, by conjugate gradients from z on; a period that is done stands still. Gives 1
 * where more turns are needed. `work` holds 7 C. */
INLINE int solve(const Stars *s, Rows rows, const Weights *f, const Vector *restrict by_group,
                 const Vector *restrict by_level, double share, Vector anyway, count most, Vector *restrict own,
                 Vector *restrict z, Vector *work)
{
    const count C = s->A + s->B;
    Vector *left = work, *direction = left + C, *turned = direction + C, *moved = turned + C, *found = moved + C,
           *factored = found + C, *sums = factored + C;
    for (count g = 0; g < s->G; g++) own[g] = by_group[g] * f->inverse[g];
    memcpy(left, by_level, (size_t)C * sizeof(Vector));
    less_groups(s, rows, f, own, sums, left);
    Vector allowed = {0.0};
    for (count i = 0; i < C; i++) allowed += left[i] * left[i] * f->scale[i] * f->scale[i];
    for (int l = 0; l < LANES; l++) {
        allowed[l] = share * sqrt(allowed[l]);
        allowed[l] = allowed[l] > anyway[l] ? allowed[l] : anyway[l];
    }
    net(s, rows, f, z, factored, sums, moved);
    for (count i = 0; i < C; i++) left[i] -= moved[i];
    clear(C, found);
    clear(C, direction);
    Vector before = {0.0};
    int status = 1;
    for (count turn = 0; status && turn < most; turn++) {
        for (count i = 0; i < C; i++) factored[i] = f->scale[i] * left[i];
        multiply(s->lead, C, factored, turned);
        for (count i = 0; i < C; i++) turned[i] *= f->scale[i];
        const Vector now = dot(left, turned, C);
        Vector going = {0.0};
        status = 0;
        for (int l = 0; l < LANES; l++)
            if (now[l] > 0.0 && sqrt(now[l]) > allowed[l]) going[l] = 1.0, status = 1;
        if (!status) break;
        const Vector keep = going * quotient(now, before);
        for (count i = 0; i < C; i++) direction[i] = keep * direction[i] + turned[i];
        net(s, rows, f, direction, factored, sums, moved);
        const Vector pace = going * quotient(now, dot(direction, moved, C));
        for (count i = 0; i < C; i++) {
            found[i] += pace * direction[i];
            left[i] -= pace * moved[i];
        }
        before = now;
    }
    for (count i = 0; i < C; i++) {
        z[i] += found[i];
        factored[i] = f->c[i] * z[i];
    }
    for (count g = 0; g < s->G; g++) {
        Vector u, v;
        own[g] = (by_group[g] - both(s, rows, f, g, z[s->e[g]], z[s->A + s->w[g]], &u, &v, factored)) * f->inverse[g];
    }
    return status;
}

INLINE double total(Vector lanes)
{
    double sum = 0.0;
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

/* Where the periods' arrays begin in new memory, on a line of the cache. */
INLINE Vector *aligned(void *memory)
{
    return (Vector *)(((uintptr_t)memory / sizeof(Vector) + 1) * sizeof(Vector));
}

INLINE Vector mended(Vector factor, Vector wanted, Vector have)
{
    for (int l = 0; l < LANES; l++) factor[l] *= wanted[l] > 0.0 && have[l] > 0.0 ? wanted[l] / have[l] : 1.0;
    return factor;
}

/* Which rows are no holes in t periods from the first on, (R, LANES) in new memory that `memory` says; NULL where none
 * is one. `status` is 2 where there is no memory. */
INLINE const Vector *no_holes(const Stars *s, count first, count t, void **memory, int *status)
{
    const count R = s->left_starts[s->G] + s->right_starts[s->G] + s->G;
    int some = 0;
    if (s->there)
        for (count r = 0; r < R; r++)
            for (count l = first; l < first + t; l++) some |= s->there[r * s->T + l] == 0.0;
    *memory = some ? malloc((size_t)(1 + R) * sizeof(Vector)) : NULL;
    *status = some && !*memory ? 2 : 0;
    if (!*memory) return NULL;
    to_lanes(s->there, R, s->T, first, t, aligned(*memory));
    return aligned(*memory);
}

INLINE int sweep_periods(const Stars *s, count first, count t, const Vector *there, int holes, count sweeps, double *m,
                         double *c)
{
    const count G = s->G, A = s->A, C = A + s->B;
    void *memory = malloc((size_t)(1 + 6 * G + 3 * C) * sizeof(Vector));
    if (!memory) return 2;
    Vector *next = aligned(memory), *by_group = next + G, *work = by_group + G, *groups = work + 3 * G,
           *by_level = next + 6 * G + C, *levels = by_level + C;
    const Weights f = {.m = next, .c = next + 6 * G};
    const Rows rows = rows_of(s, s->numbers, there, holes);
    to_lanes(m, G, s->T, first, t, f.m);
    to_lanes(c, C, s->T, first, t, f.c);
    to_lanes(s->by_group, G, s->T, first, t, by_group);
    to_lanes(s->by_level, C, s->T, first, t, by_level);
    for (count turn = 0; turn < 3 * sweeps; turn++) {
        const count side = turn % 3;
        add_up(s, rows, &f, work, work + G, work + 2 * G, groups, levels);
        if (side == 0)
            for (count g = 0; g < G; g++) f.m[g] = mended(f.m[g], by_group[g], groups[g]);
        else
            for (count i = side == 1 ? 0 : A; i < (side == 1 ? A : C); i++)
                f.c[i] = mended(f.c[i], by_level[i], levels[i]);
    }
    from_lanes(f.m, G, s->T, first, t, m);
    from_lanes(f.c, C, s->T, first, t, c);
    free(memory);
    return 0;
}

/* Fits the factors m and c of t <= LANES periods from the first on to their sums in turn, so many times, in place. 2
 * where there is no memory. */
WIDE PUBLIC int tl_star_sweep(const Stars *s, count first, count t, count sweeps, double *m, double *c)
{
    void *memory;
    int status;
    const Vector *there = no_holes(s, first, t, &memory, &status);
    if (!status)
        status = there ? sweep_periods(s, first, t, there, 1, sweeps, m, c)
                       : sweep_periods(s, first, t, NULL, 0, sweeps, m, c);
    free(memory);
    return status;
}

INLINE int system_periods(const Stars *s, count first, count t, const Vector *there, int holes, const double *limits,
                          count most, double *own, double *levels, double *cross, double *score, double *decrement,
                          double *mass)
{
    const count G = s->G, C = s->A + s->B, K = s->K, T = s->T, each = G + C,
                R = s->left_starts[G] + s->right_starts[G] + G;
    void *memory = malloc((size_t)(1 + 10 * each + 2 * (K + 1) * each) * sizeof(Vector) + (size_t)R * sizeof(double));
    if (!memory) return 2;
    Vector *next = aligned(memory);
    const Weights f = {.m = next,
                       .p = next + G,
                       .q = next + 2 * G,
                       .others = next + 3 * G,
                       .groups = next + 4 * G,
                       .inverse = next + 5 * G,
                       .c = next + 10 * G,
                       .levels = next + 10 * G + C,
                       .scale = next + 10 * G + 2 * C};
    Vector *spare = next + 6 * G, *work = next + 10 * G + 3 * C, *sums = next + 10 * (G + C),
           *effects = sums + (K + 1) * each;
    double *numbers = (double *)(effects + (K + 1) * each);
    const Rows rows = rows_of(s, s->numbers, there, holes), scaled = rows_of(s, numbers, there, holes);
    int status = 0;
    to_lanes(s->m, G, T, first, t, f.m);
    to_lanes(s->c, C, T, first, t, f.c);
    add_up(s, rows, &f, f.p, f.q, f.others, f.groups, f.levels);
    Vector whole = {0.0};
    for (count g = 0; g < G; g++) {
        for (int l = 0; l < LANES; l++) f.inverse[g][l] = inverse(f.groups[g][l]);
        whole += f.groups[g];
    }
    to_lanes(s->held, C, T, first, t, work + C);
    measure(s, rows, &f, work + C, work);
    to_lanes(s->by_group, G, T, first, t, sums);
    to_lanes(s->by_level, C, T, first, t, sums + G);
    for (count g = 0; g < G; g++) sums[g] -= f.groups[g];
    for (count i = 0; i < C; i++) sums[G + i] -= f.levels[i];
    clear(each, effects);
    for (count k = 0; k < K; k++) {
        Vector *restrict at = sums + (k + 1) * each;
        for (count r = 0; r < R; r++) numbers[r] = s->numbers[r] * s->x[k * R + r];
        add_up(s, scaled, &f, spare, spare + G, spare + 2 * G, at, at + G);
        to_lanes(s->level_effects + k * C * T, C, T, first, t, effects + (k + 1) * each + G);
    }
    for (count k = 0; k <= K; k++) {
        Vector least;
        for (int l = 0; l < LANES; l++) least[l] = limits[k ? 3 : 1] * sqrt(whole[l]);
        Vector *at = sums + k * each, *to = effects + k * each;
        status |= solve(s, rows, &f, at, at + G, limits[k ? 2 : 0], least, most, to, to + G, work);
    }
    from_lanes(effects, G, T, first, t, own);
    from_lanes(effects + G, C, T, first, t, levels);
    const Vector fallen = dot(sums, effects, each);
    memcpy(decrement + first, &fallen, (size_t)t * sizeof(double));
    memcpy(mass + first, &whole, (size_t)t * sizeof(double));
    for (count k = 0; k < K; k++) {
        const Vector *at = sums + (k + 1) * each, *to = effects + (k + 1) * each;
        from_lanes(to, G, T, first, t, s->group_effects + k * G * T);
        from_lanes(to + G, C, T, first, t, s->level_effects + k * C * T);
        Vector taken = dot(to, sums, each);
        for (count g = 0; g < G; g++) taken += at[g];
        score[k] = total(taken);
        for (count o = 0; o < K; o++) {
            for (count r = 0; r < R; r++) numbers[r] = s->numbers[r] * s->x[k * R + r] * s->x[o * R + r];
            add_up(s, scaled, &f, spare, spare + G, spare + 2 * G, spare + 3 * G, work);
            Vector product = -dot(at, effects + (o + 1) * each, each);
            for (count g = 0; g < G; g++) product += spare[3 * G + g];
            cross[k * K + o] = total(product);
        }
    }
    free(memory);
    return status;
}

/* Newton's system of t <= LANES periods from the first on. `limits` are what may be left: a share of what is wrong and
 * of the regressors, and both anyway. Changes the effects in the regressors in place; gives the effects' step (G, T) and
 * (C, T), the periods' part of cross products (K, K) and of what is taken off the score (K), the decrement (T) and
 * the mass (T). 1 where more turns than `most` are needed, 2 where there is no memory. */
WIDE PUBLIC int tl_star_system(const Stars *s, count first, count t, const double *limits, count most, double *own,
                               double *levels, double *cross, double *score, double *decrement, double *mass)
{
    void *memory;
    int status;
    const Vector *there = no_holes(s, first, t, &memory, &status);
    if (!status)
        status = there ? system_periods(s, first, t, there, 1, limits, most, own, levels, cross, score, decrement, mass)
                       : system_periods(s, first, t, NULL, 0, limits, most, own, levels, cross, score, decrement, mass);
    free(memory);
    return status;
}
