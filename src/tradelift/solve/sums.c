/* Two-way effects from sums alone, some periods side by side in the lanes of the processor's registers; the plain twin
 * stands in sums.py.
 *
 * Letters as in kernel.c. Inside, multipliers and effects have the period last, (I, LANES) or (J, LANES): a cell of the
 * kernel is read once for all of them.
 */
#include "loops.h"

#define ROUNDING 1e-14 /* as in sums.py */

typedef double Vector __attribute__((vector_size(64), aligned(8), may_alias));

enum { WIDTH = 8, VECTORS = 2, LANES = WIDTH * VECTORS, ROWS = 4 }; /* ROWS: whose sums grow at the same time */

/* Some rows of a matrix (n, m) times values (m, LANES). */
INLINE void multiply_rows(const double *restrict matrix, count rows, count m, const double *restrict values,
                          double *restrict out)
{
    Vector sums[ROWS][VECTORS] = {{{0.0}}};
    for (count j = 0; j < m; j++)
        for (count r = 0; r < rows; r++)
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] += matrix[r * m + j] * *(const Vector *)(values + j * LANES + v * WIDTH);
    for (count r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++) *(Vector *)(out + r * LANES + v * WIDTH) = sums[r][v];
}

/* Matrix (n, m) times values (m, LANES). */
INLINE void multiply(const double *restrict matrix, count n, count m, const double *restrict values,
                     double *restrict out)
{
    count i = 0;
    for (; i + ROWS <= n; i += ROWS) multiply_rows(matrix + i * m, ROWS, m, values, out + i * LANES);
    for (; i < n; i++) multiply_rows(matrix + i * m, 1, m, values, out + i * LANES);
}

/* Values (t, n) to lanes (n, LANES), 0 in those past t; and back. */
INLINE void to_lanes(const double *restrict values, count t, count n, double *restrict out)
{
    memset(out, 0, (size_t)(n * LANES) * sizeof(double));
    for (count l = 0; l < t; l++)
        for (count i = 0; i < n; i++) out[i * LANES + l] = values[l * n + i];
}

INLINE void from_lanes(const double *restrict lanes, count t, count n, double *restrict out)
{
    for (count l = 0; l < t; l++)
        for (count i = 0; i < n; i++) out[l * n + i] = lanes[i * LANES + l];
}

INLINE void times(const double *restrict x, const double *restrict y, count n, double *restrict out)
{
    for (count i = 0; i < n; i++) out[i] = x[i] * y[i];
}

/* What is left of values when a share of sums is taken out. */
INLINE void less(const double *restrict values, const double *restrict share, const double *restrict sums, count n,
                 double *restrict out)
{
    for (count i = 0; i < n; i++) out[i] = values[i] - share[i] * sums[i];
}

/* Fits the multipliers a (T, I) and b (T, J) of t <= LANES periods from the first on to their rows (T, I) and columns
 * (T, J) by turns, until b moves by `enough` at most, relative; then finds the effects p (K, T, I) and q (K, T, J) in
 * the regressors by turns that start at q. planes (1 + K, I, J) are the kernel, and the kernel times each regressor;
 * turned (1 + K, J, I) are the same. Gives the fitted rows (T, I), and the regressors' weighted sums by row (K, T, I) and
 * by column (K, T, J). 1 where more turns than `most` are needed, 2 where there is no memory. */
WIDE PUBLIC int tl_balance(count T, count first, count t, count I, count J, count K, const double *planes,
                           const double *turned, const double *rows, const double *columns, double enough, count most,
                           double *a, double *b, double *p, double *q, double *fitted, double *by_row,
                           double *by_column)
{
    const count n = I * LANES, m = J * LANES;
    double *own = malloc((size_t)((6 + 2 * K) * n + (6 + 2 * K) * m) * sizeof(double));
    if (!own) return 2;
    double *restrict A = own, *restrict row = A + n, *restrict u = row + n, *restrict v = u + n,
                    *restrict row_share = v + n, *restrict row_inverse = row_share + n, *start = row_inverse + n,
                    *P = start + K * n;
    double *restrict B = P + K * n, *restrict column = B + m, *restrict w = column + m, *restrict z = w + m,
                    *restrict column_share = z + m, *restrict column_inverse = column_share + m,
                    *aim = column_inverse + m, *Q = aim + K * m;
    int status = 1;
    to_lanes(rows + first * I, t, I, row);
    to_lanes(columns + first * J, t, J, column);
    to_lanes(b + first * J, t, J, B);
    for (count turn = 0; status && turn < most; turn++) {
        status = 0;
        multiply(planes, I, J, B, u);
        for (count i = 0; i < n; i++) A[i] = ratio(row[i], u[i]);
        multiply(turned, J, I, A, w);
        for (count j = 0; j < m; j++) {
            const double new = ratio(column[j], w[j]);
            status |= !(fabs(new - B[j]) <= enough * new);
            B[j] = new;
        }
    }
    from_lanes(A, t, I, a + first * I);
    from_lanes(B, t, J, b + first * J);
    multiply(planes, I, J, B, u);
    times(A, u, n, v);
    from_lanes(v, t, I, fitted + first * I);
    for (count i = 0; i < n; i++) row_inverse[i] = inverse(v[i]);
    for (count j = 0; j < m; j++) column_inverse[j] = inverse(column[j]);
    times(A, row_inverse, n, row_share);
    times(B, column_inverse, m, column_share);
    for (count k = 0; k < K; k++) {
        const count at_row = (k * T + first) * I, at_column = (k * T + first) * J;
        multiply(planes + (k + 1) * I * J, I, J, B, u);
        times(A, u, n, v);
        from_lanes(v, t, I, by_row + at_row);
        times(v, row_inverse, n, start + k * n);
        multiply(turned + (k + 1) * I * J, J, I, A, w);
        times(B, w, m, z);
        from_lanes(z, t, J, by_column + at_column);
        times(z, column_inverse, m, aim + k * m);
        to_lanes(q + at_column, t, J, Q + k * m);
    }
    double rounding = 0.0;
    for (count i = 0; i < K * m; i++) rounding = fabs(aim[i]) > rounding ? fabs(aim[i]) : rounding;
    rounding *= ROUNDING;
    int moves = !status && K > 0;
    for (count turn = 0; moves && turn < most; turn++) {
        double furthest = 0.0, largest = 0.0;
        for (count k = 0; k < K; k++) {
            double *restrict own_q = Q + k * m;
            times(B, own_q, m, w);
            multiply(planes, I, J, w, u);
            less(start + k * n, row_share, u, n, v);
            times(A, v, n, u);
            multiply(turned, J, I, u, w);
            less(aim + k * m, column_share, w, m, z);
            for (count j = 0; j < m; j++) {
                const double move = fabs(z[j] - own_q[j]);
                furthest = move > furthest ? move : furthest;
                largest = fabs(z[j]) > largest ? fabs(z[j]) : largest;
                own_q[j] = z[j];
            }
        }
        moves = !(furthest <= enough * largest + rounding);
    }
    for (count k = 0; k < K; k++) {
        times(B, Q + k * m, m, w);
        multiply(planes, I, J, w, u);
        less(start + k * n, row_share, u, n, P + k * n);
        from_lanes(P + k * n, t, I, p + (k * T + first) * I);
        from_lanes(Q + k * m, t, J, q + (k * T + first) * J);
    }
    free(own);
    return status | moves;
}
