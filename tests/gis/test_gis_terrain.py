import numpy as np
import pytest
import rasterio
from amiplan.gis.inputs import TerrainInput
from amiplan.gis.terrain import Terrain, flat_terrain, heights_m, profiles_m, read_terrain, terrain_extent_m
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.transform import from_origin

UTM = CRS.from_epsg(32632)


def write_tif(path, values, *, west=500000.0, north=5540000.0, step=30.0, crs="EPSG:32632", nodata=None, unit=None):
    profile = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": values.dtype,
        "crs": crs,
        "transform": from_origin(west, north, step, step),
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
        if unit:
            target.units = (unit,)
    return TerrainInput(path.name)


def plane(n_rows=40, n_columns=50, step=30.0, west=500000.0, north=5540000.0):
    x = west + (np.arange(n_columns) + 0.5) * step
    y = north - (np.arange(n_rows) + 0.5) * step
    return (0.01 * (x[None, :] - west) + 0.02 * (north - y[:, None]) + 100.0).astype(np.float32)


BOUNDS = (500200.0, 5539200.0, 501200.0, 5539800.0)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 900.0), st.floats(0.0, 900.0), st.floats(0.0, 900.0), st.floats(0.0, 900.0))
def test_bilinear_is_exact_on_a_plane(x0, y0, x1, y1):
    grid = (3.0 + 0.5 * np.arange(31)[None, :] - 0.25 * np.arange(31)[:, None]).astype(np.float32)
    terrain = Terrain(grid, 0.0, 900.0, 30.0, 0)

    def truth(x, y):
        return 3.0 + 0.5 * x / 30.0 - 0.25 * (900.0 - y) / 30.0

    ends = [np.array([value]) for value in (x0, y0, x1, y1)]
    profile = profiles_m(terrain, *ends, 7)[0]
    share = np.linspace(0, 1, 7)
    assert profile == pytest.approx(truth(x0 + share * (x1 - x0), y0 + share * (y1 - y0)), abs=1e-4)
    assert heights_m(terrain, ends[0], ends[1]) == pytest.approx([truth(x0, y0)], abs=1e-4)


def test_profiles_agree_with_a_plain_loop():
    draws = np.random.default_rng(4)
    grid = draws.normal(size=(12, 9)).astype(np.float32)
    terrain = Terrain(grid, 10.0, 120.0, 10.0, 0)
    x0, x1 = draws.uniform(10, 90, (2, 30))
    y0, y1 = draws.uniform(10, 120, (2, 30))
    answer = profiles_m(terrain, x0, y0, x1, y1, 5)
    for link in range(30):
        for sample in range(5):
            x, y = (a[link] + sample / 4 * (b[link] - a[link]) for a, b in ((x0, x1), (y0, y1)))
            c, r = (x - 10.0) / 10.0, (120.0 - y) / 10.0
            j, i = min(int(c), 7), min(int(r), 10)
            u, v = c - j, r - i
            top, low = grid[i, j] * (1 - u) + grid[i, j + 1] * u, grid[i + 1, j] * (1 - u) + grid[i + 1, j + 1] * u
            assert answer[link, sample] == pytest.approx(top * (1 - v) + low * v, abs=1e-4)


def test_flat_ground_is_zero_in_two_samples():
    three = np.zeros(3)
    assert profiles_m(flat_terrain(), three, three, three, three, 50).shape == (3, 2)
    assert not heights_m(flat_terrain(), three, three).any()


def test_geotiff_plane_survives_reading(tmp_path):
    given_input = write_tif(tmp_path / "dem.tif", plane(), unit="metre")
    terrain, notes = read_terrain(given_input, UTM, BOUNDS, tmp_path)
    x, y = np.array([500200.0, 500777.0, 501200.0]), np.array([5539200.0, 5539433.0, 5539800.0])
    assert heights_m(terrain, x, y) == pytest.approx(0.01 * (x - 500000) + 0.02 * (5540000 - y) + 100.0, abs=0.02)
    assert terrain.step_m == 30.0
    assert notes == []


def test_voids_are_counted_and_filled_from_neighbours(tmp_path):
    values = plane()
    values[15:18, 20:22] = -32768.0
    given_input = TerrainInput(write_tif(tmp_path / "dem.tif", values, nodata=-32768.0).path, "m")
    terrain, notes = read_terrain(given_input, UTM, BOUNDS, tmp_path)
    assert terrain.n_voids == 6
    assert "6 void" in notes[0]
    middle = heights_m(terrain, np.array([500630.0]), np.array([5539505.0]))
    assert middle == pytest.approx(0.01 * 630 + 0.02 * 495 + 100.0, abs=1.0)


def test_feet_are_converted_and_said(tmp_path):
    given_input = TerrainInput(write_tif(tmp_path / "dem.tif", plane()).path, "ft")
    terrain, notes = read_terrain(given_input, UTM, BOUNDS, tmp_path)
    high = heights_m(terrain, np.array([500600.0]), np.array([5539600.0]))
    assert high == pytest.approx([0.3048 * (6 + 8 + 100)], abs=0.02)
    assert "feet" in notes[0]


def test_hgt_is_metres_by_format(tmp_path):
    values = np.full((1201, 1201), 321, dtype=">i2")
    values[600, 600] = -32768
    (tmp_path / "N49E011.hgt").write_bytes(values.tobytes())
    given_input = TerrainInput("N49E011.hgt")
    west, south, east, north = terrain_extent_m(given_input, UTM, tmp_path)
    terrain, _ = read_terrain(given_input, UTM, (west + 9e3, south + 9e3, east - 9e3, north - 9e3), tmp_path)
    assert terrain.elevation_m == pytest.approx(321.0)
    assert terrain.n_voids == 1


@pytest.mark.parametrize(
    ("bounds", "side"),
    [
        ((499900.0, *BOUNDS[1:]), "west"),
        ((BOUNDS[0], 5538000.0, *BOUNDS[2:]), "south"),
        ((*BOUNDS[:2], 509999.0, BOUNDS[3]), "east"),
        ((*BOUNDS[:3], 5540100.0), "north"),
    ],
)
def test_short_cover_names_file_and_side(tmp_path, bounds, side):
    given_input = TerrainInput(write_tif(tmp_path / "dem.tif", plane()).path, "m")
    with pytest.raises(ValueError, match=rf"dem\.tif.*does not cover.*{side}.*larger file"):
        read_terrain(given_input, UTM, bounds, tmp_path)


def test_refusals(tmp_path):
    given_input = write_tif(tmp_path / "dem.tif", plane())
    with pytest.raises(ValueError, match="vertical unit is unknown"):
        read_terrain(given_input, UTM, BOUNDS, tmp_path)
    with pytest.raises(ValueError, match='vertical unit "cubit"'):
        read_terrain(TerrainInput("dem.tif", "cubit"), UTM, BOUNDS, tmp_path)
    with pytest.raises(ValueError, match="no such elevation file"):
        read_terrain(TerrainInput("none.tif", "m"), UTM, BOUNDS, tmp_path)
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(ValueError, match="not a readable GeoTIFF"):
        read_terrain(TerrainInput("text.tif", "m"), UTM, BOUNDS, tmp_path)
    write_tif(tmp_path / "void.tif", np.full((40, 50), -32768.0, np.float32), nodata=-32768.0)
    with pytest.raises(ValueError, match="every height is void"):
        read_terrain(TerrainInput("void.tif", "m"), UTM, BOUNDS, tmp_path)
    write_tif(tmp_path / "nowhere.tif", plane(), crs=None)
    with pytest.raises(ValueError, match="no CRS"):
        read_terrain(TerrainInput("nowhere.tif", "m"), UTM, BOUNDS, tmp_path)
    terrain = Terrain(np.zeros((3, 3), np.float32), 0.0, 60.0, 30.0, 0)
    with pytest.raises(ValueError, match="off the elevation grid"):
        heights_m(terrain, np.array([500.0]), np.array([0.0]))
    with pytest.raises(ValueError, match="at least its two ends"):
        profiles_m(terrain, *[np.zeros(1)] * 4, 1)
