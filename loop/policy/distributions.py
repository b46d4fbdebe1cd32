"""Student's t and Fisher's F, for the judge.

SciPy's are loaded when first asked: they take a third of a second with NumPy behind them, and a loop that is only being
started, or a screen, asks none.
"""


def student_below(dof: float, value: float) -> float:
    """Probability that Student's t with `dof` degrees of freedom is at most `value`."""
    from scipy.special import stdtr

    return float(stdtr(dof, value))


def student_quantile(dof: float, probability: float) -> float:
    """The value that Student's t with `dof` degrees of freedom is at most with `probability`."""
    from scipy.special import stdtrit

    return float(stdtrit(dof, probability))


def f_below(dof: float, other_dof: float, value: float) -> float:
    """Probability that Fisher's F, the ratio of two variances of one kind, is at most `value`."""
    from scipy.special import fdtr

    return float(fdtr(dof, other_dof, value))
