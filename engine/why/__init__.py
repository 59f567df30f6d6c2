"""Why an asset's setpoint is what it is: the rule, the cell or the person behind it, in words."""

from engine.why.explanation import Explanation, Link, explain

__all__ = ["Explanation", "Link", "explain"]
