"""The session table: what each exchange says on the wire, and how many bytes a day that makes."""

from __future__ import annotations

import pandas as pd

from ..meters.services import session_table
from .case import Case


def session_rows(case: Case) -> pd.DataFrame:
    """Legs of the services that this case reads, for the exchange policies that its technologies use."""
    rows = session_table(case.settings.session)
    policies = {one.exchange_policy for one in case.technologies}
    wanted = rows["service"].isin(case.settings.service.services) & rows["policy"].isin(policies)
    return rows[wanted].reset_index(drop=True)
