"""Omitted variables in least squares: what one of a given strength does, and how strong it must be."""

import numpy as np


def robustness_value(f: float, critical: float = 0.0) -> float:
    """
    Share of both residual variances that an omitted variable must explain to bring an estimate down.

    Parameters
    ----------
    f
        Partial f of the treatment with the outcome: its t statistic over the root of the degrees of freedom.
    critical
        The f down to which it must be brought, 0 for an estimate of zero: the critical t over the root of one degree
        of freedom fewer, for an interval that reaches zero.

    References
    ----------
    Cinelli and Hazlett (2020), equations 18 and 19.
    """
    if not np.isfinite(f) or not np.isfinite(critical):
        return np.nan
    over = f - critical
    if over <= 0:
        return 0.0
    if critical > 0 and f > 1 / critical:  # less of the outcome than of the treatment does it sooner
        return float((f**2 - critical**2) / (1 + f**2))
    return float((np.sqrt(over**4 + 4 * over**2) - over**2) / 2)


def as_strong(r2_treatment: float, r2_outcome: float, times: float) -> tuple[float, float]:
    """
    Strength of a variable, unrelated to a control, that is so many times as strong as it.

    Parameters
    ----------
    r2_treatment, r2_outcome
        Partial R2 of the control.
    times
        As strong in both.

    Returns
    -------
    At most, its partial R2 with the treatment and with the outcome; NaN where the treatment has no room for it.

    References
    ----------
    Cinelli and Hazlett (2020), equation 20, and appendix C.
    """
    with_treatment = times * r2_treatment / (1 - r2_treatment)
    if with_treatment >= 1:
        return np.nan, np.nan
    between = times * r2_treatment**2 / ((1 - times * r2_treatment) * (1 - r2_treatment))
    factor = (np.sqrt(times) + np.sqrt(between)) / np.sqrt(1 - between)
    return with_treatment, float(min(factor**2 * r2_outcome / (1 - r2_outcome), 1.0))


def with_omitted(
    estimate: float, std_error: float, classical_error: float, dof: float, r2_treatment: float, r2_outcome: float
) -> tuple[float, float]:
    """
    Estimate and standard error with an omitted variable that takes from the estimate all that it can.

    Parameters
    ----------
    estimate, std_error
        Without it.
    classical_error, dof
        Under independent errors of one variance, and degrees of freedom.
    r2_treatment, r2_outcome
        Partial R2 of the variable; NaN gives NaN.

    References
    ----------
    Cinelli and Hazlett (2020), equations 13 and 14.
    """
    if not r2_treatment < 1:
        return np.nan, np.nan
    bias = np.sqrt(r2_outcome * r2_treatment / (1 - r2_treatment)) * classical_error * np.sqrt(dof)
    factor = np.sqrt((1 - r2_outcome) / (1 - r2_treatment) * dof / (dof - 1))
    return float(np.sign(estimate) * (abs(estimate) - bias)), float(std_error * factor)
