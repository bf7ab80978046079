"""The cast of a fresh workspace: its people, channels and groups."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

TEAM_ID = "T0MERIDIAN"
TEAM_NAME = "Meridian"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account; `kind` is `member`, `admin`, `guest` or `bot`."""

    id: str
    name: str
    real_name: str
    kind: str = "member"
    title: str = ""

    def as_user(self) -> dict[str, Any]:
        """Return the user object of Slack's API."""
        return {
            "id": self.id,
            "team_id": TEAM_ID,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": False,
            "is_bot": self.kind == "bot",
            "is_app_user": False,
            "is_admin": self.kind == "admin",
            "is_owner": self.kind == "admin",
            "is_primary_owner": False,
            "is_restricted": self.kind == "guest",
            "is_ultra_restricted": False,
            "tz": "Etc/UTC",
            "tz_offset": 0,
            "locale": "en-US",
            "profile": {
                "display_name": self.name,
                "real_name": self.real_name,
                "title": self.title,
                "email": f"{self.name}@meridian.example",
            },
        }

    def as_json(self) -> dict[str, Any]:
        """Return the fields, for the page and for the file that keeps the state."""
        return asdict(self)


CAST = (
    Person("U0MAYA0001", "maya", "Maya Lindqvist", "admin", "Head of Platform"),
    Person("U0JONAS001", "jonas", "Jonas Weber", "member", "Site Reliability"),
    Person("U0PRIYA001", "priya", "Priya Raman", "member", "Customer Support"),
    Person("U0TOM00001", "tom", "Tom Okafor", "guest", "Contractor"),
)

CHANNELS = (
    ("C0GENERAL1", "general", "Company-wide questions and news"),
    ("C0OPS00001", "ops", "Incidents, deploys, on-call"),
    ("C0RANDOM01", "random", "Everything else"),
    ("C0VENDORS1", "vendors", "With those who work for us from outside"),
)

GUEST_CHANNELS = ("vendors",)

GROUPS = (
    {
        "id": "S0ONCALL01",
        "handle": "oncall",
        "name": "On-call engineers",
        "users": ["U0MAYA0001", "U0JONAS001"],
    },
)
