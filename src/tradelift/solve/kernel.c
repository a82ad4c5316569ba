/* The inner loops of the dense solvers, one period after another; kernel.py calls them, one thread a slab.
 *
 * Arrays are in C order. Letters as in the Python modules: t periods, I rows (origins), J columns (destinations),
 * K regressors. Each period's matrix is read once a pass, row by row, and a row stays in the first cache for all that
 * is asked of it. Every function has its plain twin in NumPy, which serves where this file was not compiled.
 */
#include "loops.h"

/* Goes up when a function, here or in another file of the library, or the struct below changes: compiled.py leaves a
 * library of another number alone. */
PUBLIC int tl_interface(void)
{
    return 7;
}

/* Some periods of a piece. */
typedef struct {
    count t, I, J, K;
    const double *outcome;  /* (t, I, J), not yet times the weights */
    const double *weights;  /* (t, I, J), or NULL where all are 1 */
    const uint8_t *mask;    /* (t, I, J): the sample, or NULL for all */
    const double *index;    /* (I, J): the part of the linear index that does not move, or NULL for 0 */
    const double *kernel;   /* (I, J): its exponential where nothing moves, else NULL */
    const double *offset;   /* (t, I, J): an offset that moves, or NULL */
    const double *const *x; /* K regressors, (I, J) or (t, I, J) */
    const count *moves;     /* K: 0, or I * J where a regressor moves */
    const double *beta;     /* (K,) */
} Slab;

INLINE const double *row_of(const Slab *s, count k, count t, count i)
{
    return s->x[k] + t * s->moves[k] + i * s->J;
}

/* Columns with what fills up a row to whole vectors: loops over them leave no rest. */
INLINE count padded(count J)
{
    return (J + 7) / 8 * 8;
}

INLINE double dot(const double *restrict x, const double *restrict y, count n)
{
    double total = 0.0;
    for (count j = 0; j < n; j++) total += x[j] * y[j];
    return total;
}

INLINE double dot3(const double *restrict x, const double *restrict y, const double *restrict z, count n)
{
    double total = 0.0;
    for (count j = 0; j < n; j++) total += x[j] * y[j] * z[j];
    return total;
}

INLINE double sum(const double *restrict x, count n)
{
    double total = 0.0;
    for (count j = 0; j < n; j++) total += x[j];
    return total;
}

INLINE void add(double *restrict out, double scale, const double *restrict x, count n)
{
    for (count j = 0; j < n; j++) out[j] += scale * x[j];
}

INLINE double largest(const double *restrict x, count n)
{
    double most = 0.0;
    for (count j = 0; j < n; j++) most = fabs(x[j]) > most ? fabs(x[j]) : most;
    return most;
}

/* (n, K) to (K, n) and back */
INLINE void turn_in(const double *restrict x, double *restrict out, count n, count K)
{
    for (count k = 0; k < K; k++)
        for (count j = 0; j < n; j++) out[k * n + j] = x[j * K + k];
}

INLINE void turn_out(const double *restrict x, double *restrict out, count n, count K)
{
    for (count k = 0; k < K; k++)
        for (count j = 0; j < n; j++) out[j * K + k] = x[k * n + j];
}

/* Linear index of a row, without effects. */
INLINE void index_row(const Slab *s, count t, count i, double *restrict out)
{
    const count J = s->J, at = (t * s->I + i) * J;
    if (s->index) memcpy(out, s->index + i * J, (size_t)J * sizeof(double));
    else memset(out, 0, (size_t)J * sizeof(double));
    if (s->offset) add(out, 1.0, s->offset + at, J);
    for (count k = 0; k < s->K; k++)
        if (s->moves[k]) add(out, s->beta[k], row_of(s, k, t, i), J);
}

/* Weights of a row, 0 off the sample; NULL where all are 1. */
INLINE const double *weights_row(const Slab *s, count t, count i, double *restrict spare)
{
    const count J = s->J, at = (t * s->I + i) * J;
    if (!s->mask) return s->weights ? s->weights + at : NULL;
    const uint8_t *restrict there = s->mask + at;
    if (s->weights)
        for (count j = 0; j < J; j++) spare[j] = there[j] ? s->weights[at + j] : 0.0;
    else
        for (count j = 0; j < J; j++) spare[j] = there[j];
    return spare;
}

/* Outcome of a row times its weights. */
INLINE const double *outcome_row(const Slab *s, count t, count i, const double *restrict w, double *restrict spare)
{
    const double *restrict y = s->outcome + (t * s->I + i) * s->J;
    if (!w) return y;
    for (count j = 0; j < s->J; j++) spare[j] = w[j] > 0.0 ? y[j] * w[j] : 0.0;
    return spare;
}

/* Exponential of the index times the weights. */
INLINE void expected_row(const Slab *s, count t, count i, double *restrict out, double *restrict spare)
{
    const count J = s->J;
    const double *restrict w = weights_row(s, t, i, spare);
    if (s->kernel) {
        memcpy(out, s->kernel + i * J, (size_t)J * sizeof(double));
    } else {
        index_row(s, t, i, out);
        for (count j = 0; j < J; j++) out[j] = exp(out[j]);
    }
    if (w)
        for (count j = 0; j < J; j++) out[j] *= w[j];
}

/* Rows and right sides that are taken together: their sums stay in registers, and what is read serves several times. */
enum { TOGETHER = 4 };

/* sums[r][k] = W x: R rows of w (R, J) times K right sides x (K, J); R and K are known where this is compiled. */
INLINE void multiply_rows(const count R, const count K, const double *restrict w, const double *restrict x,
                          double sums[TOGETHER][TOGETHER], count J)
{
    for (count r = 0; r < R; r++)
        for (count k = 0; k < K; k++) sums[r][k] = 0.0;
    for (count j = 0; j < J; j++)
        for (count r = 0; r < R; r++)
            for (count k = 0; k < K; k++) sums[r][k] += w[r * J + j] * x[k * J + j];
}

/* out (K, J) += W' sums */
INLINE void spread_rows(const count R, const count K, const double *restrict w, double sums[TOGETHER][TOGETHER],
                        double *restrict out, count J)
{
    for (count j = 0; j < J; j++)
        for (count k = 0; k < K; k++) {
            double total = 0.0;
            for (count r = 0; r < R; r++) total += sums[r][k] * w[r * J + j];
            out[k * J + j] += total;
        }
}

INLINE void normal_rows(const count R, const count K, const double *restrict w, const double *restrict row_inverse,
                        const double *restrict x, double *restrict out, count J)
{
    double sums[TOGETHER][TOGETHER];
    multiply_rows(R, K, w, x, sums, J);
    for (count r = 0; r < R; r++)
        for (count k = 0; k < K; k++) sums[r][k] *= row_inverse[r];
    spread_rows(R, K, w, sums, out, J);
}

INLINE void normal_few(const count K, const double *restrict w, const double *restrict row_inverse,
                       const double *restrict x, double *restrict out, count I, count J)
{
    count i = 0;
    for (; i + TOGETHER <= I; i += TOGETHER) normal_rows(TOGETHER, K, w + i * J, row_inverse + i, x, out, J);
    for (; i < I; i++) normal_rows(1, K, w + i * J, row_inverse + i, x, out, J);
}

/* out = W' R (W x) for K right sides, x and out (K, J) */
INLINE void normal(const double *restrict w, const double *restrict row_inverse, const double *restrict x,
                   double *restrict out, count I, count J, count K)
{
    memset(out, 0, (size_t)(J * K) * sizeof(double));
    for (; K >= 3; K -= 3, x += 3 * J, out += 3 * J) normal_few(3, w, row_inverse, x, out, I, J);
    if (K == 2) normal_few(2, w, row_inverse, x, out, I, J);
    if (K == 1) normal_few(1, w, row_inverse, x, out, I, J);
}

/* Origin and destination effects of one period by conjugate gradients on the Schur complement on the destinations;
 * see solve_effects. rows (K, I), columns (K, J), p (K, I), q (K, J): q is where to start. scratch: (4 K J). */
INLINE void project(const double *restrict w, const double *restrict row_inverse, const double *restrict mass,
                    const double *restrict rows, const double *restrict columns, double *restrict p,
                    double *restrict q, const double *restrict enough, double relative, double flat, count most,
                    double *restrict scratch, count I, count J, count K)
{
    double *restrict residual = scratch, *restrict direction = residual + K * J, *restrict image = direction + K * J;
    double *restrict power = image + K * J, *restrict stop = power + K;
    memcpy(residual, columns, (size_t)(K * J) * sizeof(double));
    for (count i = 0; i < I; i++)
        for (count k = 0; k < K; k++) {
            p[k * I + i] = rows[k * I + i] * row_inverse[i];
            add(residual + k * J, -p[k * I + i], w + i * J, J);
        }
    for (count k = 0; k < K; k++) {
        const double own = relative * largest(residual + k * J, J);
        stop[k] = own > enough[k] ? own : enough[k];
    }
    if (largest(q, K * J) > 0.0) {
        normal(w, row_inverse, q, image, I, J, K);
        for (count k = 0; k < K; k++)
            for (count j = 0; j < J; j++) residual[k * J + j] -= q[k * J + j] * mass[j] - image[k * J + j];
    }
    for (count k = 0; k < K; k++) {
        double own = 0.0;
        for (count j = 0; j < J; j++) {
            const double r = residual[k * J + j], z = mass[j] > 0.0 ? r / mass[j] : 0.0;
            direction[k * J + j] = z;
            own += r * z;
        }
        power[k] = own;
    }
    for (count step = 0; step < most; step++) {
        int active = 0;
        for (count k = 0; k < K; k++) active |= largest(residual + k * J, J) > stop[k];
        if (!active) break;
        normal(w, row_inverse, direction, image, I, J, K);
        active = 0;
        for (count k = 0; k < K; k++) {
            double *restrict r = residual + k * J, *restrict d = direction + k * J, *restrict own = image + k * J;
            double curve = 0.0, weight = 0.0, after = 0.0;
            if (largest(r, J) <= stop[k]) continue;
            for (count j = 0; j < J; j++) {
                own[j] = d[j] * mass[j] - own[j];
                curve += d[j] * own[j];
                weight += d[j] * d[j] * mass[j];
            }
            /* a direction without curvature is a constant a component, which does not matter */
            if (!(curve > flat * weight)) continue;
            active = 1;
            const double along = power[k] / curve;
            for (count j = 0; j < J; j++) {
                q[k * J + j] += along * d[j];
                r[j] -= along * own[j];
                own[j] = mass[j] > 0.0 ? r[j] / mass[j] : 0.0;
                after += r[j] * own[j];
            }
            const double kept = after / power[k];
            for (count j = 0; j < J; j++) d[j] = own[j] + kept * d[j];
            power[k] = after;
        }
        if (!active) break;
    }
    for (count i = 0; i < I; i++)
        for (count k = 0; k < K; k++) p[k * I + i] -= row_inverse[i] * dot(w + i * J, q + k * J, J);
}

/* solve_effects for t periods: weights (t, I, J), rows (t, I, K), columns (t, J, K), enough (t, K); p (t, I, K) and
 * q (t, J, K), which is where to start. 1 where there is no memory. */
WIDE PUBLIC int tl_effects(count t, count I, count J, count K, const double *weights, const double *row_mass,
                           const double *mass, const double *rows, const double *columns, const double *enough,
                           double relative, double flat, count most, double *p, double *q)
{
    double *own = malloc((size_t)(I + 2 * K * (I + J) + 4 * K * J + 2 * K) * sizeof(double));
    if (!own) return 1;
    double *row_inverse = own, *r = own + I, *c = r + K * I, *u = c + K * J, *v = u + K * I, *scratch = v + K * J;
    for (count n = 0; n < t; n++) {
        for (count i = 0; i < I; i++) row_inverse[i] = inverse(row_mass[n * I + i]);
        turn_in(rows + n * I * K, r, I, K);
        turn_in(columns + n * J * K, c, J, K);
        turn_in(q + n * J * K, v, J, K);
        project(weights + n * I * J, row_inverse, mass + n * J, r, c, u, v, enough + n * K, relative, flat, most,
                scratch, I, J, K);
        turn_out(u, p + n * I * K, I, K);
        turn_out(v, q + n * J * K, J, K);
    }
    free(own);
    return 0;
}

/* What net regressors of a row add to the score (K,) and the information (K, K). */
INLINE void net_row(const Slab *s, count t, count i, const double *restrict fitted, const double *restrict p,
                    const double *restrict q, const double *third, double *restrict nets, double *restrict error,
                    double *restrict spare, double *restrict score, double *restrict information)
{
    const count I = s->I, J = s->J, K = s->K;
    const double *restrict y = outcome_row(s, t, i, weights_row(s, t, i, spare), spare + J);
    for (count j = 0; j < J; j++) error[j] = y[j] - fitted[j];
    for (count k = 0; k < K; k++) {
        const double *restrict x = row_of(s, k, t, i), *restrict away = q + k * J;
        double *restrict net = nets + k * J;
        for (count j = 0; j < J; j++) net[j] = x[j] - p[k * I + i] - away[j];
        if (third) add(net, -1.0, third + (k * I + i) * J, J);
        score[k] += dot(net, error, J);
        for (count l = 0; l <= k; l++) information[k * K + l] += dot3(net, nets + l * J, fitted, J);
    }
}

INLINE void mirror(double *restrict information, count K)
{
    for (count k = 0; k < K; k++)
        for (count l = 0; l < k; l++) information[l * K + k] = information[k * K + l];
}

/* One slab of Newton's method with two-way effects: multipliers by proportional fitting, regressors net of effects,
 * score (K,) and information (K, K). a (t, I), b (t, J), p (t, I, K) and q (t, J, K) change in place.
 * 1 where proportional fitting mixes slowly, 2 where there is no memory. */
WIDE PUBLIC int tl_step(const Slab *s, const double *rows, const double *columns, const double *spread, double enough,
                        double tight, double noise, count sweeps, double flat, count most, double *a, double *b,
                        double *p, double *q, double *score, double *information)
{
    const count I = s->I, J = s->J, K = s->K;
    const size_t size = (size_t)(I * J + I + 5 * J + 2 * K * (I + J) + 5 * K * J + 3 * K);
    double *own = malloc(size * sizeof(double));
    int slow = 0;
    if (!own) return 2;
    double *e = own, *row_inverse = e + I * J, *mass = row_inverse + I, *turned = mass + J, *error = turned + J;
    double *r = error + J, *c = r + K * I, *u = c + K * J, *v = u + K * I, *nets = v + K * J, *limit = nets + K * J;
    double *spare = limit + K, *scratch = spare + 2 * J;
    memset(score, 0, (size_t)K * sizeof(double));
    memset(information, 0, (size_t)(K * K) * sizeof(double));
    for (count t = 0; t < s->t; t++) {
        const double *restrict y_row = rows + t * I, *restrict y_column = columns + t * J;
        double *restrict at = a + t * I, *restrict bt = b + t * J;
        double top = 0.0;
        int done = 0;
        for (count i = 0; i < I; i++) expected_row(s, t, i, e + i * J, spare);
        for (count j = 0; j < J; j++) {
            if (!(y_column[j] > 0.0)) bt[j] = 0.0;
            top = y_column[j] > top ? y_column[j] : top;
        }
        for (count sweep = 0; sweep < sweeps && !done; sweep++) {
            memset(turned, 0, (size_t)J * sizeof(double));
            for (count i = 0; i < I; i++) {
                at[i] = ratio(y_row[i], dot(e + i * J, bt, J));
                add(turned, at[i], e + i * J, J);
            }
            done = 1;
            for (count j = 0; j < J; j++) {
                const double new = ratio(y_column[j], turned[j]);
                if (!(fabs(new - bt[j]) <= enough * new)) done = 0;
                bt[j] = new;
            }
        }
        if (!done) {
            slow = 1;
            break;
        }
        memset(mass, 0, (size_t)J * sizeof(double));
        memset(c, 0, (size_t)(K * J) * sizeof(double));
        for (count i = 0; i < I; i++) {
            double *restrict row = e + i * J;
            at[i] = ratio(y_row[i], dot(row, bt, J));
            for (count j = 0; j < J; j++) {
                row[j] *= at[i] * bt[j];
                mass[j] += row[j];
            }
            row_inverse[i] = inverse(y_row[i]);
            for (count k = 0; k < K; k++) {
                const double *restrict x = row_of(s, k, t, i);
                double *restrict by_column = c + k * J;
                double total = 0.0;
                for (count j = 0; j < J; j++) {
                    const double part = row[j] * x[j];
                    by_column[j] += part;
                    total += part;
                }
                r[k * I + i] = total;
            }
        }
        for (count k = 0; k < K; k++) limit[k] = noise * top * spread[k];
        turn_in(q + t * J * K, v, J, K);
        project(e, row_inverse, mass, r, c, u, v, limit, enough > tight ? enough : tight, flat, most, scratch, I, J, K);
        turn_out(u, p + t * I * K, I, K);
        turn_out(v, q + t * J * K, J, K);
        for (count i = 0; i < I; i++) net_row(s, t, i, e + i * J, u, v, NULL, nets, error, spare, score, information);
    }
    mirror(information, K);
    free(own);
    return slow;
}

/* Adds V values of a row, x[n] (J,) each, times weights w, to the sums by column (V, P) and to those of absolute values
 * (V, P), and gives the row's sums (V,). V is known where this is compiled. */
INLINE void sum_row(const count V, const double *restrict w, const double *const *x, double *restrict rows,
                    double *restrict columns, double *restrict sizes, count J, count P)
{
    double totals[TOGETHER] = {0.0};
#pragma GCC ivdep
    for (count j = 0; j < J; j++)
        for (count n = 0; n < V; n++) {
            const double part = w[j] * x[n][j];
            columns[n * P + j] += part;
            sizes[n * P + j] += fabs(part);
            totals[n] += part;
        }
    for (count n = 0; n < V; n++) rows[n] = totals[n];
}

/* The same for the values net of effects u (V,) and v (V, P), and their cross products (V, V). */
INLINE void measure_row(const count V, const double *restrict w, const double *const *x, const double *restrict u,
                        const double *restrict v, double *restrict rows, double *restrict columns,
                        double *restrict cross, count J, count P)
{
    double totals[TOGETHER] = {0.0}, products[TOGETHER][TOGETHER] = {{0.0}};
#pragma GCC ivdep
    for (count j = 0; j < J; j++) {
        double net[TOGETHER];
        for (count n = 0; n < V; n++) {
            net[n] = x[n][j] - u[n] - v[n * P + j];
            const double part = w[j] * net[n];
            columns[n * P + j] += part;
            totals[n] += part;
            for (count m = 0; m < V; m++) /* with a bound that is known, this becomes vectors */
                if (m <= n) products[n][m] += part * net[m];
        }
    }
    for (count n = 0; n < V; n++) {
        rows[n] = totals[n];
        for (count m = 0; m <= n; m++) cross[n * V + m] += products[n][m];
    }
}

/* The two for as many values as there are; many are taken one by one, by way of what is net of effects, nets (V, P). */
INLINE void sum_values(count V, const double *w, const double *const *x, double *rows, double *columns, double *sizes,
                       count J, count P)
{
    switch (V) {
    case 2: sum_row(2, w, x, rows, columns, sizes, J, P); break;
    case 3: sum_row(3, w, x, rows, columns, sizes, J, P); break;
    default:
        for (count n = 0; n < V; n++) sum_row(1, w, x + n, rows + n, columns + n * P, sizes + n * P, J, P);
    }
}

INLINE void measure_values(count V, const double *restrict w, const double *const *x, const double *u, const double *v,
                           double *rows, double *columns, double *cross, double *restrict nets, count J, count P)
{
    switch (V) {
    case 1: measure_row(1, w, x, u, v, rows, columns, cross, J, P); break;
    case 2: measure_row(2, w, x, u, v, rows, columns, cross, J, P); break;
    case 3: measure_row(3, w, x, u, v, rows, columns, cross, J, P); break;
    case 4: measure_row(4, w, x, u, v, rows, columns, cross, J, P); break;
    default:
        for (count n = 0; n < V; n++) {
            double *restrict net = nets + n * P, *restrict by_column = columns + n * P, total = 0.0;
            for (count j = 0; j < J; j++) {
                net[j] = x[n][j] - u[n] - v[n * P + j];
                by_column[j] += w[j] * net[j];
                total += w[j] * net[j];
            }
            rows[n] = total;
            for (count m = 0; m <= n; m++) cross[n * V + m] += dot3(net, nets + m * P, w, J);
        }
    }
}

/* Where the values of a row begin: regressors, and last the outcome less an offset, which is made in spare (2, J). */
INLINE void values_row(const Slab *s, count t, count i, const double **x, double *restrict spare)
{
    const count J = s->J, K = s->K;
    const double *restrict y = s->outcome + (t * s->I + i) * J;
    for (count k = 0; k < K; k++) x[k] = row_of(s, k, t, i);
    x[K] = y;
    if (!s->index && !s->offset) return;
    index_row(s, t, i, spare);
    for (count j = 0; j < J; j++) spare[J + j] = y[j] - spare[j];
    x[K] = spare + J;
}

/* OLS on a slab: regressors and, last, the outcome net of two-way effects, in rounds until the sums that should vanish do. Gives their cross products (V, V), V = K + 1, and the effects: rows
 * (t, I, V) and columns (t, J, V). The coefficients are 0 here. 1 without memory, 2 where the effects cannot be told
 * apart. */
WIDE PUBLIC int tl_least_squares(const Slab *s, double exact, double near, double flat, count most, count rounds,
                                 double *rows, double *columns, double *cross)
{
    const count I = s->I, J = s->J, K = s->K, V = K + 1, P = padded(J);
    /* what stands beyond the columns is 0, and stays 0 */
    double *own = calloc((size_t)(I * P + P + I + 3 * V * I + 8 * V * P + 6 * V + V * V + 2 * J), sizeof(double));
    const double **x = malloc((size_t)V * sizeof(double *));
    int failed = 0;
    if (!own || !x) {
        free(own);
        free(x);
        return 1;
    }
    double *w = own, *mass = w + I * P, *row_inverse = mass + P, *r = row_inverse + I, *u = r + V * I;
    double *all_u = u + V * I, *c = all_u + V * I, *v = c + V * P, *all_v = v + V * P, *nets = all_v + V * P;
    double *scale = nets + V * P, *enough = scale + V, *sums = enough + V, *levels = sums + V, *products = levels + V;
    double *spare = products + V * V, *scratch = spare + 2 * J;
    for (count i = 0; i < I; i++)
        for (count j = 0; j < J; j++) w[i * P + j] = 1.0;
    memset(cross, 0, (size_t)(V * V) * sizeof(double));
    for (count t = 0; t < s->t && !failed; t++) {
        memset(mass, 0, (size_t)P * sizeof(double));
        memset(c, 0, (size_t)(V * P) * sizeof(double));
        memset(v, 0, (size_t)(V * P) * sizeof(double)); /* for now, the sums of absolute values */
        memset(products, 0, (size_t)(V * V) * sizeof(double));
        for (count i = 0; i < I; i++) {
            double *restrict g = w + i * P, total = 0.0;
            const double *given = weights_row(s, t, i, g);
            if (given && given != g) memcpy(g, given, (size_t)J * sizeof(double));
            for (count j = 0; j < P; j++) {
                mass[j] += g[j];
                total += g[j];
            }
            row_inverse[i] = inverse(total);
            values_row(s, t, i, x, spare);
            sum_values(V, g, x, sums, c, v, J, P);
            for (count n = 0; n < V; n++) r[n * I + i] = sums[n];
        }
        for (count n = 0; n < V; n++) {
            scale[n] = largest(v + n * P, P);
            enough[n] = exact / 4.0 * scale[n];
        }
        memset(all_u, 0, (size_t)(V * I) * sizeof(double));
        memset(all_v, 0, (size_t)(V * P) * sizeof(double));
        for (count round = 0;; round++) {
            int done = round > 0; /* the cross products are those of a pass over what is net of effects */
            failed = 0;
            for (count n = 0; n < V; n++) {
                const double of_rows = largest(r + n * I, I), of_columns = largest(c + n * P, P);
                const double left = of_rows > of_columns ? of_rows : of_columns;
                if (!(left <= exact * scale[n])) done = 0;
                if (!(left * left <= exact * scale[n] * scale[n])) failed = 1;
            }
            if (done || round == rounds) break; /* after the last round it is as exact as these weights allow */
            memset(v, 0, (size_t)(V * P) * sizeof(double));
            project(w, row_inverse, mass, r, c, u, v, enough, near, flat, most, scratch, I, P, V);
            add(all_u, 1.0, u, V * I);
            add(all_v, 1.0, v, V * P);
            memset(c, 0, (size_t)(V * P) * sizeof(double));
            memset(products, 0, (size_t)(V * V) * sizeof(double));
            for (count i = 0; i < I; i++) {
                values_row(s, t, i, x, spare);
                for (count n = 0; n < V; n++) levels[n] = all_u[n * I + i];
                measure_values(V, w + i * P, x, levels, all_v, sums, c, products, nets, J, P);
                for (count n = 0; n < V; n++) r[n * I + i] = sums[n];
            }
        }
        turn_out(all_u, rows + t * I * V, I, V);
        for (count n = 0; n < V; n++)
            for (count j = 0; j < J; j++) columns[(t * J + j) * V + n] = all_v[n * P + j];
        add(cross, 1.0, products, V * V);
    }
    mirror(cross, V);
    free(x);
    free(own);
    return failed ? 2 : 0;
}

/* Exponential of the index times weights, (t, I, J). */
WIDE PUBLIC int tl_expected(const Slab *s, double *out)
{
    double *spare = malloc((size_t)(s->J + 1) * sizeof(double));
    if (!spare) return 1;
    for (count t = 0; t < s->t; t++)
        for (count i = 0; i < s->I; i++) expected_row(s, t, i, out + (t * s->I + i) * s->J, spare);
    free(spare);
    return 0;
}

/* Sums of the outcome by row (t, I), column (t, J) and pair (I, J), with each regressor (K,), and with the offset.
 * 1 where there is no memory. */
WIDE PUBLIC int tl_flows(const Slab *s, double *rows, double *columns, double *pairs, double *products,
                         double *with_offset)
{
    const count I = s->I, J = s->J, K = s->K;
    double *spare = malloc((size_t)(3 * J + 1) * sizeof(double)), *index = spare + 2 * J;
    if (!spare) return 1;
    memset(columns, 0, (size_t)(s->t * J) * sizeof(double));
    memset(pairs, 0, (size_t)(I * J) * sizeof(double));
    memset(products, 0, (size_t)K * sizeof(double));
    *with_offset = 0.0;
    for (count t = 0; t < s->t; t++)
        for (count i = 0; i < I; i++) {
            const double *restrict y = outcome_row(s, t, i, weights_row(s, t, i, spare), spare + J);
            rows[t * I + i] = sum(y, J);
            add(columns + t * J, 1.0, y, J);
            add(pairs + i * J, 1.0, y, J);
            for (count k = 0; k < K; k++) products[k] += dot(y, row_of(s, k, t, i), J);
            index_row(s, t, i, index); /* the offset: the coefficients are 0 here */
            *with_offset += dot(y, index, J);
        }
    free(spare);
    return 0;
}

/* Score (K,) and information (K, K) at fitted outcomes (t, I, J), from effects in the regressors p (t, I, K),
 * q (t, J, K) and third (K, I, J) or NULL. 1 where there is no memory. */
WIDE PUBLIC int tl_net_step(const Slab *s, const double *fitted, const double *p, const double *q, const double *third,
                            double *score, double *information)
{
    const count I = s->I, J = s->J, K = s->K;
    double *own = malloc((size_t)(K * (I + 2 * J) + 3 * J) * sizeof(double));
    if (!own) return 1;
    double *u = own, *v = u + K * I, *nets = v + K * J, *error = nets + K * J, *spare = error + J;
    memset(score, 0, (size_t)K * sizeof(double));
    memset(information, 0, (size_t)(K * K) * sizeof(double));
    for (count t = 0; t < s->t; t++) {
        turn_in(p + t * I * K, u, I, K);
        turn_in(q + t * J * K, v, J, K);
        for (count i = 0; i < I; i++)
            net_row(s, t, i, fitted + (t * I + i) * J, u, v, third, nets, error, spare, score, information);
    }
    mirror(information, K);
    free(own);
    return 0;
}

/* One sweep of proportional fitting with a third effect: kernel (t, I, J), its factors by pair (I, J), the outcome's
 * sums (t, I) and (t, J); a (t, I) and b (t, J) change in place. Gives what is fitted by pair, (I, J), and how far b
 * moved, on what is traded. 1 where there is no memory. */
WIDE PUBLIC int tl_sweep(count t, count I, count J, const double *kernel, const double *factors, const double *rows,
                         const double *columns, double *a, double *b, double *pairs, double *moved)
{
    double *own = malloc((size_t)(I * J + J) * sizeof(double));
    if (!own) return 1;
    double *restrict tied = own, *restrict turned = own + I * J;
    double far = 0.0;
    memset(pairs, 0, (size_t)(I * J) * sizeof(double));
    for (count n = 0; n < t; n++) {
        double *restrict bt = b + n * J;
        const double *restrict y = columns + n * J;
        memset(turned, 0, (size_t)J * sizeof(double));
        for (count i = 0; i < I; i++) {
            const double *restrict e = kernel + (n * I + i) * J, *restrict f = factors + i * J;
            double *restrict row = tied + i * J;
            double total = 0.0;
            for (count j = 0; j < J; j++) {
                row[j] = e[j] * f[j];
                total += row[j] * bt[j];
            }
            const double own_a = a[n * I + i] = ratio(rows[n * I + i], total);
            for (count j = 0; j < J; j++) {
                row[j] *= own_a;
                turned[j] += row[j];
            }
        }
        for (count j = 0; j < J; j++) {
            const double new = ratio(y[j], turned[j]), change = ratio(new, bt[j]) - (y[j] > 0.0);
            far += y[j] * change * change;
            bt[j] = new;
        }
        for (count i = 0; i < I; i++) {
            const double *restrict row = tied + i * J;
            double *restrict out = pairs + i * J;
            for (count j = 0; j < J; j++) out[j] += row[j] * bt[j];
        }
    }
    *moved = far;
    free(own);
    return 0;
}

/* Weighted sums of K values: by row (t, I, K), by column (t, J, K) and by pair (K, I, J); and of the weights
 * themselves, (t, I), (t, J) and (I, J). values are (I, J) or (t, I, J), as `moves` says. The weights are first
 * multiplied in place by a (t, I), b (t, J) and third (I, J), unless these are NULL. 1 without memory. */
WIDE PUBLIC int tl_sums(count t, count I, count J, count K, double *weights, const double *a, const double *b,
                        const double *third, const double *const *values, const count *moves, double *rows,
                        double *columns, double *pairs, double *row_mass, double *mass, double *pair_mass)
{
    double *c = malloc((size_t)(K * J + 1) * sizeof(double));
    if (!c) return 1;
    memset(pairs, 0, (size_t)(K * I * J) * sizeof(double));
    memset(pair_mass, 0, (size_t)(I * J) * sizeof(double));
    memset(mass, 0, (size_t)(t * J) * sizeof(double));
    for (count n = 0; n < t; n++) {
        memset(c, 0, (size_t)(K * J) * sizeof(double));
        for (count i = 0; i < I; i++) {
            double *restrict w = weights + (n * I + i) * J;
            double *restrict by_pair = pair_mass + i * J, *restrict by_column = mass + n * J;
            double total = 0.0;
            if (a) {
                const double own_a = a[n * I + i], *restrict bt = b + n * J, *restrict f = third + i * J;
                for (count j = 0; j < J; j++) w[j] *= own_a * bt[j] * f[j];
            }
            for (count j = 0; j < J; j++) {
                total += w[j];
                by_pair[j] += w[j];
                by_column[j] += w[j];
            }
            row_mass[n * I + i] = total;
            for (count k = 0; k < K; k++) {
                const double *restrict x = values[k] + n * moves[k] + i * J;
                double *restrict own_pair = pairs + (k * I + i) * J;
                double *restrict own_column = c + k * J, own = 0.0;
                for (count j = 0; j < J; j++) {
                    const double part = w[j] * x[j];
                    own += part;
                    own_pair[j] += part;
                    own_column[j] += part;
                }
                rows[(n * I + i) * K + k] = own;
            }
        }
        turn_out(c, columns + n * J * K, J, K);
    }
    free(c);
    return 0;
}

/* One turn over the effects of rows p (t, I, K) and columns q (t, J, K), given those of the pairs third (K, I, J):
 * rows and columns are the values' weighted sums (t, I, K) and (t, J, K). Gives the weighted sums by pair of both
 * effects, (K, I, J), and how far q moved (K,). 1 where there is no memory. */
WIDE PUBLIC int tl_turn(count t, count I, count J, count K, const double *weights, const double *third,
                        const double *rows, const double *columns, const double *row_mass, const double *mass,
                        double *p, double *q, double *pairs, double *moved)
{
    double *own = malloc((size_t)(2 * K * J + K * I) * sizeof(double));
    if (!own) return 1;
    double *v = own, *c = v + K * J, *u = c + K * J;
    memset(pairs, 0, (size_t)(K * I * J) * sizeof(double));
    memset(moved, 0, (size_t)K * sizeof(double));
    for (count n = 0; n < t; n++) {
        turn_in(q + n * J * K, v, J, K);
        memset(c, 0, (size_t)(K * J) * sizeof(double));
        for (count i = 0; i < I; i++) {
            const double *restrict w = weights + (n * I + i) * J;
            const double share = inverse(row_mass[n * I + i]);
            for (count k = 0; k < K; k++) {
                const double *restrict f = third + (k * I + i) * J, *restrict vk = v + k * J;
                double *restrict ck = c + k * J;
                double total = 0.0;
                for (count j = 0; j < J; j++) total += w[j] * (f[j] + vk[j]);
                const double own_p = u[k * I + i] = (rows[(n * I + i) * K + k] - total) * share;
                for (count j = 0; j < J; j++) ck[j] += w[j] * (f[j] + own_p);
            }
        }
        for (count k = 0; k < K; k++)
            for (count j = 0; j < J; j++) {
                const double m = mass[n * J + j];
                const double new = (columns[(n * J + j) * K + k] - c[k * J + j]) * inverse(m);
                const double change = new - v[k * J + j];
                moved[k] += m * change * change;
                v[k * J + j] = new;
            }
        for (count i = 0; i < I; i++) {
            const double *restrict w = weights + (n * I + i) * J;
            for (count k = 0; k < K; k++) {
                const double *restrict vk = v + k * J;
                const double own_p = u[k * I + i];
                double *restrict out = pairs + (k * I + i) * J;
                for (count j = 0; j < J; j++) out[j] += w[j] * (own_p + vk[j]);
            }
        }
        turn_out(u, p + n * I * K, I, K);
        turn_out(v, q + n * J * K, J, K);
    }
    free(own);
    return 0;
}

/* Adds values by pair (K, I J) to their codes, out (K, G). */
PUBLIC int tl_by_code(count K, count n, count G, const count *codes, const double *values, double *out)
{
    for (count k = 0; k < K; k++)
        for (count j = 0; j < n; j++) out[k * G + codes[j]] += values[k * n + j];
    return 0;
}

/* Moves parts (K, G) from where they are by `over` times the way to (target - others) / mass, and gives how far that
 * way was (K,), by mass. */
WIDE PUBLIC int tl_relax(count K, count G, const double *target, const double *others, const double *mass, double over,
                         double *parts, double *moved)
{
    for (count k = 0; k < K; k++) {
        const double *restrict t = target + k * G, *restrict o = others + k * G;
        double *restrict own = parts + k * G, total = 0.0;
        for (count g = 0; g < G; g++) {
            const double way = (mass[g] > 0.0 ? (t[g] - o[g]) / mass[g] : 0.0) - own[g];
            total += mass[g] * way * way;
            own[g] += over * way;
        }
        moved[k] = total;
    }
    return 0;
}

#define TINY 1e-300
#define HUGEST 1e300

INLINE double finite_log(double value)
{
    value = value > TINY ? value : TINY; /* also where it is not a number: 0 over 0 */
    return log(value < HUGEST ? value : HUGEST);
}

/* Scores of a slab: their sums by pair (K, I, J) and outer products (K, K), the information (K, K) unless it is NULL,
 * and sums: deviance; weights, outcomes, and outcomes times their logs (Poisson) or squares (OLS). a (t, I) and
 * b (t, J) are multipliers (Poisson) or terms, third (I, J) or NULL likewise; p (t, I, K), q (t, J, K) and
 * third_parts (K, I, J) or NULL the effects in the regressors. plain: weights are 0 and 1. 1 without memory. */
WIDE PUBLIC int tl_scores(const Slab *s, int poisson, int plain, const double *a, const double *b, const double *third,
                          const double *p, const double *q, const double *third_parts, double *pairs, double *outer,
                          double *information, double *sums)
{
    const count I = s->I, J = s->J, K = s->K;
    double *own = malloc((size_t)(K * I + 3 * K * J + 9 * J) * sizeof(double));
    double *log_third = NULL, deviance = 0.0, count_of = 0.0, total = 0.0, logs = 0.0;
    if (!own) return 1;
    double *u = own, *v = u + K * I, *nets = v + K * J, *scores = nets + K * J;
    double *restrict fitted = scores + K * J, *restrict error = fitted + J, *restrict part = error + J,
                    *restrict ones = part + J, *restrict logs_of = ones + J, *restrict index = logs_of + J,
                    *restrict log_b = index + J, *spare = log_b + J;
    for (count j = 0; j < J; j++) ones[j] = 1.0;
    if (poisson && third) {
        log_third = malloc((size_t)(I * J) * sizeof(double));
        if (!log_third) {
            free(own);
            return 1;
        }
        for (count n = 0; n < I * J; n++) log_third[n] = finite_log(third[n]);
    }
    memset(pairs, 0, (size_t)(K * I * J) * sizeof(double));
    memset(outer, 0, (size_t)(K * K) * sizeof(double));
    if (information) memset(information, 0, (size_t)(K * K) * sizeof(double));
    for (count t = 0; t < s->t; t++) {
        const double *restrict bt = b + t * J;
        turn_in(p + t * I * K, u, I, K);
        turn_in(q + t * J * K, v, J, K);
        if (poisson)
            for (count j = 0; j < J; j++) log_b[j] = finite_log(bt[j]);
        for (count i = 0; i < I; i++) {
            const double *own_w = weights_row(s, t, i, spare);
            const double own_a = a[t * I + i];
            const double *restrict w = own_w ? own_w : ones, *restrict y = outcome_row(s, t, i, own_w, spare + J);
            const double *restrict f = third ? third + i * J : NULL;
            if (poisson) {
                expected_row(s, t, i, fitted, error);
                if (f) for (count j = 0; j < J; j++) fitted[j] *= f[j];
                for (count j = 0; j < J; j++) fitted[j] *= own_a * bt[j];
                double off = 0.0, own_deviance = 0.0, own_logs = 0.0;
                if (plain) for (count j = 0; j < J; j++) logs_of[j] = finite_log(y[j]);
                else for (count j = 0; j < J; j++) logs_of[j] = finite_log(y[j] / w[j]);
                for (count j = 0; j < J; j++) own_logs += y[j] * logs_of[j];
                /* the log of what is fitted is the index and the logs of the multipliers: one log a cell is enough */
                const double log_a = finite_log(own_a);
                index_row(s, t, i, index);
                if (f) for (count j = 0; j < J; j++) index[j] += log_third[i * J + j];
                for (count j = 0; j < J; j++) {
                    error[j] = y[j] - fitted[j];
                    off += error[j];
                    own_deviance += y[j] * (logs_of[j] - (index[j] + log_a + log_b[j]));
                }
                deviance += 2.0 * (own_deviance - off);
                logs += own_logs;
            } else {
                index_row(s, t, i, fitted);
                if (f) add(fitted, 1.0, f, J);
                for (count j = 0; j < J; j++) error[j] = y[j] - w[j] * (fitted[j] + own_a + bt[j]);
                if (plain) {
                    deviance += dot(error, error, J);
                    logs += dot(y, y, J);
                } else {
                    for (count j = 0; j < J; j++) part[j] = inverse(w[j]);
                    deviance += dot3(error, error, part, J);
                    logs += dot3(y, y, part, J);
                }
            }
            count_of += sum(w, J);
            total += sum(y, J);
            for (count k = 0; k < K; k++) {
                const double *restrict x = row_of(s, k, t, i), *restrict away = v + k * J;
                double *restrict net = nets + k * J, *restrict score = scores + k * J;
                double *restrict pair = pairs + (k * I + i) * J;
                for (count j = 0; j < J; j++) net[j] = x[j] - u[k * I + i] - away[j];
                if (third_parts) add(net, -1.0, third_parts + (k * I + i) * J, J);
                for (count j = 0; j < J; j++) {
                    score[j] = net[j] * error[j];
                    pair[j] += score[j];
                }
                for (count l = 0; l <= k; l++) outer[k * K + l] += dot(score, scores + l * J, J);
                if (information) {
                    const double *restrict weight = poisson ? fitted : w;
                    for (count l = 0; l <= k; l++) information[k * K + l] += dot3(net, nets + l * J, weight, J);
                }
            }
        }
    }
    mirror(outer, K);
    if (information) mirror(information, K);
    sums[0] = deviance;
    sums[1] = count_of;
    sums[2] = total;
    sums[3] = logs;
    free(log_third);
    free(own);
    return 0;
}

/* out -= what is missing: for each of n cells, kernel at its pair times values at `from` is taken out at `to`. */
PUBLIC int tl_take_out(count n, const count *to, const count *from, const count *pair, const double *kernel,
                        const double *values, double *out)
{
    for (count c = 0; c < n; c++) out[to[c]] -= kernel[pair[c]] * values[from[c]];
    return 0;
}

/* Sums by row (B, I) and column (B, J) of what stands at E cells of a plane (I, J) in each of B draws: values (B, E)
 * times the weights there; a cell one past the last is none. */
PUBLIC int tl_margins(count B, count E, count I, count J, const count *cells, const double *values,
                      const double *weights, double *rows, double *columns)
{
    memset(rows, 0, (size_t)(B * I) * sizeof(double));
    memset(columns, 0, (size_t)(B * J) * sizeof(double));
    for (count b = 0; b < B; b++) {
        double *restrict by_row = rows + b * I, *restrict by_column = columns + b * J;
        for (count e = 0; e < E; e++) {
            const count cell = cells[b * E + e];
            if (cell >= I * J) continue;
            const double part = values[b * E + e] * weights[cell];
            const count i = cell / J;
            by_row[i] += part;
            by_column[cell - i * J] += part;
        }
    }
    return 0;
}

/* Zero flows whose effects follow from those known, by random cubes: known and open (t, I, J) change in place. Each
 * open cell has so many trials; what is settled by one helps the next. */
PUBLIC int tl_cubes(count t, count I, count J, count trials, uint64_t seed, uint8_t *known, uint8_t *open)
{
    uint64_t state = seed;
    for (count n = 0; n < t; n++)
        for (count i = 0; i < I; i++)
            for (count j = 0; j < J; j++) {
                const count at = (n * I + i) * J + j;
                if (!open[at]) continue;
                for (count trial = 0; trial < trials && open[at]; trial++) {
                    /* Marsaglia's xorshift */
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    const count u = (count)(state % (uint64_t)t), k = (count)((state >> 21) % (uint64_t)I);
                    const count m = (count)((state >> 42) % (uint64_t)J);
                    const uint8_t *here = known + n * I * J, *there = known + u * I * J;
                    if (u == n || k == i || m == j) continue;
                    if (there[i * J + j] && here[i * J + m] && here[k * J + j] && here[k * J + m] && there[i * J + m] &&
                        there[k * J + j] && there[k * J + m]) {
                        known[at] = 1;
                        open[at] = 0;
                    }
                }
            }
    return 0;
}

/* How many of a sample (t, I, J) stand in each row (t, I) and column (t, J). */
WIDE PUBLIC int tl_counts(count t, count I, count J, const uint8_t *sample, int32_t *rows, int32_t *columns)
{
    memset(columns, 0, (size_t)(t * J) * sizeof(int32_t));
    for (count n = 0; n < t; n++) {
        int32_t *restrict by_column = columns + n * J;
        for (count i = 0; i < I; i++) {
            const uint8_t *restrict row = sample + (n * I + i) * J;
            int32_t total = 0;
            for (count j = 0; j < J; j++) {
                by_column[j] += row[j];
                total += row[j];
            }
            rows[n * I + i] = total;
        }
    }
    return 0;
}
