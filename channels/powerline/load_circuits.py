"""The circuit behind a meter, compiled: riser, wiring, and every device behind its feed."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def fill_circuits(start, part, running, rectifier, installation, omega, skin, admittance):  # type: ignore[no-untyped-def]
    """Admittance of every circuit in both states, into (2, n_circuits, n_carriers)."""
    n = omega.size
    total, one = np.empty((2, 2, n)), np.empty((2, n))
    for circuit in range(start.size - 1):
        riser_ohm, riser_h, wiring_f, wiring_ohm = installation[circuit]
        for k in range(n):
            x = -1 / (omega[k] * wiring_f)
            size = wiring_ohm * wiring_ohm + x * x
            total[0, 0, k] = total[1, 0, k] = wiring_ohm / size
            total[0, 1, k] = total[1, 1, k] = -x / size
        for device in range(start[circuit], start[circuit + 1]):
            bridge = running[device] and rectifier[device]
            _device(part[device], running[device] and not bridge, omega, skin, one)
            _add(total[0], one)
            if bridge:
                _device(part[device], True, omega, skin, one)
            _add(total[1], one)
        for state in range(2):
            for k in range(n):
                g, b = total[state, 0, k], total[state, 1, k]
                size = g * g + b * b
                r, x = g / size + riser_ohm * skin[k], -b / size + riser_h * omega[k]
                size = r * r + x * x
                admittance[state, circuit, k] = complex(r / size, -x / size)


@njit(cache=True, nogil=True)
def _device(part, main, omega, skin, out):  # type: ignore[no-untyped-def]
    """Conductance and susceptance of one device behind its feed, into (2, n_carriers); ``main``: main branch is on."""
    r_ohm, l_h, c_f, x_f, x_ohm, feed_ohm, feed_h = part
    main = main and r_ohm > 0
    if not main and x_f == 0:
        out[:] = 0.0
        return
    elastance = 1 / c_f if c_f > 0 else 0.0
    x_elastance = 1 / x_f if x_f > 0 else 0.0
    g_on, x_on = (1.0 if main else 0.0), (1.0 if x_f > 0 else 0.0)
    r, xr = (r_ohm if main else 1.0), (x_ohm if x_f > 0 else 1.0)
    for k in range(omega.size):
        x_main, x_across = omega[k] * l_h - elastance / omega[k], -x_elastance / omega[k]
        y_main, y_across = g_on / (r * r + x_main * x_main), x_on / (xr * xr + x_across * x_across)
        g, b = r * y_main + xr * y_across, -x_main * y_main - x_across * y_across
        size = g * g + b * b
        r_all, x_all = g / size + feed_ohm * skin[k], -b / size + feed_h * omega[k]
        size = r_all * r_all + x_all * x_all
        out[0, k], out[1, k] = r_all / size, -x_all / size


@njit(cache=True, nogil=True)
def _add(total, one):  # type: ignore[no-untyped-def]
    """Add one device to the sum of its circuit, both (2, n_carriers)."""
    for row in range(2):
        for k in range(one.shape[1]):
            total[row, k] += one[row, k]
