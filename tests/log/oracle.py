"""What a log comes to by SQL written from the method notes alone."""

import duckdb

from tests.log.logs import CELL, KEEP, ZONE

FIRST, STOP = "2017-01-01", "2017-04-01"  # local

SORTED = f"""
CREATE TABLE typed AS
SELECT row_number() OVER () AS nr, timezone('{ZONE}', paid_at) AS t, from_city AS o, to_city AS d, shop, client, "order",
       item, coalesce(kind, 'unknown') AS kind, state,
       CASE WHEN isfinite(money) AND abs(money) < 9e13 THEN CAST(round(money * 100) AS BIGINT) END AS x,
       CASE WHEN from_city LIKE 'e_' THEN 'east' WHEN from_city LIKE 'w_' THEN 'west' END AS o_side,
       CASE WHEN to_city LIKE 'e_' THEN 'east' WHEN to_city LIKE 'w_' THEN 'west' END AS d_side
FROM log;
CREATE TABLE usable AS
SELECT nr, row_number() OVER (PARTITION BY "order", item, x < 0 ORDER BY t, x, o, d, shop, client, kind, state) AS copy
FROM typed
WHERE t >= '{FIRST}' AND t < '{STOP}' AND o IS NOT NULL AND d IS NOT NULL AND shop IS NOT NULL AND client IS NOT NULL
  AND "order" IS NOT NULL AND item IS NOT NULL AND x <> 0 AND state IN {KEEP};
CREATE TABLE sorted AS
SELECT strftime(t, '%Y-%m') AS period, typed.*, copy = 1 AS counts, CASE
    WHEN t IS NULL OR o IS NULL OR d IS NULL OR shop IS NULL OR client IS NULL OR "order" IS NULL OR item IS NULL
      THEN 'null key'
    WHEN x IS NULL THEN 'unparsable'
    WHEN t < '{FIRST}' OR t >= '{STOP}' THEN 'outside the window'
    WHEN state IS NULL OR state NOT IN {KEEP} THEN 'status'
    WHEN x = 0 THEN 'zero amount'
    WHEN copy > 1 THEN 'duplicate line'
    WHEN x < 0 THEN 'refund'
    WHEN o_side IS NULL OR d_side IS NULL THEN 'unknown region'
    WHEN o_side = d_side THEN 'not between the two sides'
    ELSE 'kept' END AS reason
FROM typed LEFT JOIN usable USING (nr);
"""

BASE = """
SELECT period, o AS origin, d AS destination, sum(x) FILTER (reason = 'kept') AS trade_minor,
       count(*) FILTER (reason = 'kept') AS lines, count(DISTINCT "order") FILTER (reason = 'kept') AS deals,
       coalesce(-sum(x) FILTER (reason = 'refund'), 0) AS refunds
FROM sorted WHERE (reason = 'kept' OR reason = 'refund') AND o_side <> d_side GROUP BY ALL
"""


def expected_account(log):
    """Rows and money by reason, `kept` among them."""
    with _sorted(log) as db:
        return {
            reason: (rows, int(money))
            for reason, rows, money in db.sql(
                "SELECT reason, count(*), coalesce(sum(x), 0) FROM sorted GROUP BY reason"
            ).fetchall()
        }


def expected_cells(log, rounding="floor", share=(1, 10)):
    """Cells with both readings, sellers and buyers."""
    with _sorted(log) as db:
        cells = db.sql(BASE).df()
        for who, column, home in (("seller", "shop", "origin"), ("buyer", "client", "destination")):
            cells = cells.merge(_ratios(db, who, column, home, rounding, share), on=CELL, how="left")
    return cells.sort_values(CELL, ignore_index=True)


def _sorted(log):
    db = duckdb.connect()
    db.register("log", log)
    db.execute(SORTED)
    return db


def _ratios(db, who, column, home, rounding, share):
    p, q = share
    weight = {
        "floor": f"CASE WHEN place <= (n * {p}) // {q} THEN 1.0 ELSE 0.0 END",
        "ceil": f"CASE WHEN place <= (n * {p} + {q} - 1) // {q} THEN 1.0 ELSE 0.0 END",
        "fraction": f"greatest(0.0, least(1.0, n * {p} / {q} - place + 1))",
    }[rounding]
    least = q / p if rounding == "floor" else 0
    city = "o" if home == "origin" else "d"
    # a sale ranks in its city if the row is valid apart from the regions' rules
    query = f"""
      WITH flow AS (
        SELECT period, o AS origin, d AS destination, {column} AS who, sum(x) AS x
        FROM sorted WHERE reason = 'kept' GROUP BY ALL),
      city AS (
        SELECT period, {city} AS {home}, {column} AS who, sum(x) AS total
        FROM sorted WHERE counts AND x > 0 GROUP BY ALL),
      in_flow AS (
        SELECT *, row_number() OVER (PARTITION BY period, origin, destination ORDER BY x DESC, who) AS place,
               count(*) OVER (PARTITION BY period, origin, destination) AS n FROM flow),
      in_city AS (
        SELECT *, row_number() OVER (PARTITION BY period, {home} ORDER BY total DESC, who) AS place,
               count(*) OVER (PARTITION BY period, {home}) AS n FROM city),
      one AS (
        SELECT period, origin, destination, count(*) AS {who}s, sum(x * {weight}) AS top, sum(x) AS trade, max(n) AS n,
               max(x) / sum(x) AS {who}_share_1, coalesce(max(x) FILTER (place = 2), 0) / sum(x) AS {who}_share_2
        FROM in_flow GROUP BY ALL),
      two AS (
        SELECT period, origin, destination, sum(x * {weight}) AS top, max(n) AS n
        FROM flow JOIN in_city USING (period, {home}, who) GROUP BY ALL)
      SELECT one.* EXCLUDE (top, trade, n), one.top / 100 AS top_{who}_flow, two.top / 100 AS top_{who}_city,
             CASE WHEN one.n >= {least} THEN 100 * one.top / trade END AS {who}_concentration_flow,
             CASE WHEN two.n >= {least} THEN 100 * two.top / trade END AS {who}_concentration_city
      FROM one JOIN two USING (period, origin, destination)"""
    return db.sql(query).df()
