"""Study files: what is no study is refused with its place, whatever its bytes are."""

import json
from importlib.resources import files

from hypothesis import strategies as st

from tests.fuzz.outcome import Target
from tests.fuzz.texts import junk, mutated, mutations, yaml_bits
from tradelift.study import read_study

TEMPLATE = files("tradelift.study").joinpath("template.yaml").read_text(encoding="utf-8")
FULL = """\
name: Everything
question: Does it?
seed: 20170101
regions:
  file: cities.csv
  columns: {region: city, name: name_en, group: province}
  sides: [east, west]
  domestic: false
partners:
  file: partners.csv
  start: 2017-01
neighbours: {file: map.geojson, region: code}
transactions:
  files: [log/*/*.parquet]
  columns: {time: paid_at, origin: a, destination: b, seller: s, buyer: c, transaction: o, line: l, amount: m,
            category: k, status: st}
  keep: {status: [paid, done]}
  time_zone: Asia/Shanghai
  currency: CNY
  period: month
  from: 2017-01
  to: 2021-12
  concentration: {share: 0.1, ranking: flow, rounding: floor}
categories: categories.csv
pairs:
  - {file: migration.csv, absent: 0}
  - search.csv
model:
  outcomes: [trade, log(deals)]
  controls: [log(distance_km), a:b]
  bandwidth_km: 150
mediators: [migration, log(search)]
traits:
  gap: log(gdp[east] / gdp[west])
breaks: {covid: 2020-01}
samples: {before: {to: 2019-12}}
labels: {trade: Trade (yuan)}
exhibits:
  bandwidth: {grid_km: [100, 150]}
  flights: false
"""
SMALLEST = "name: a\nflows: flows.csv\npartners: partners.csv\n"

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates().map(str)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
KEYS = [line.split(":")[0].strip("- ") for line in FULL.splitlines() if ":" in line]
examples = st.one_of(
    st.builds(mutated, st.sampled_from((TEMPLATE, FULL, FULL, SMALLEST)), mutations),
    st.dictionaries(st.sampled_from(KEYS), values, max_size=5).map(lambda x: json.dumps(x).encode()),
    st.lists(yaml_bits, max_size=4).map(lambda x: "\n".join(x).encode("utf-8", "surrogatepass")),
    junk,
)


def attempt(content, folder):
    path = folder / "study.yaml"
    path.write_bytes(content)
    study = read_study(path)
    json.dumps(study.canonical())
    assert study.name is not None
    return {}


TARGET = Target(name="study files", examples=examples, attempt=attempt)
