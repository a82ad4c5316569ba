import numpy as np

from tradelift.worlds.cities import distances_km, read_packaged, read_side


def test_there_are_87_eastern_and_110_western_cities():
    assert (len(read_side("east")), len(read_side("west"))) == (87, 110)


def test_english_names_are_unique_and_plain():
    names = [row["name_en"] for row in read_packaged("cities.csv")]
    assert len(set(names)) == 197
    assert all(name.isascii() and name[0].isupper() for name in names)


def test_homonyms_name_their_province():
    names = {row["city"]: row["name_en"] for row in read_packaged("cities.csv")}
    assert names["321200"] == "Taizhou (Jiangsu)"
    assert names["331000"] == "Taizhou (Zhejiang)"


def test_a_missing_population_is_the_median():
    east = read_side("east")
    known = [
        float(r["urban_population"])
        for r in read_packaged("cities.csv")
        if r["side"] == "east" and r["urban_population"]
    ]
    assert len(known) == 86
    assert east.population[east.city == "350200"] == np.median(known)


def test_distance_from_shanghai_to_zunyi():
    east, west = read_side("east"), read_side("west")
    km = distances_km(east, west)[east.city == "310000", west.city == "520300"]
    assert abs(km[0] - 1433) < 10  # by the spherical law of cosines
