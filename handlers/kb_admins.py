"""Who administers: people and user groups by the setting, or whoever administers the workspace."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from handlers.audience import CANNOT_ASK

if TYPE_CHECKING:
    from handlers.audience import Audiences

WORKSPACE_ADMINS = "workspace-admins"

log = logging.getLogger(__name__)


async def administers(person: str, admins: frozenset[str], audiences: Audiences) -> bool:
    """Whether a person is an administrator; where Slack cannot be asked, only who is named by id.

    Args:
        person: a user id.
        admins: the setting; where it is empty, the workspace's admins and owners administer.
        audiences: knows user groups and roles.
    """
    if person in admins:
        return True
    groups = [admin for admin in admins if admin.startswith("S")]
    versions = await audiences.versions([person, *groups])
    try:
        for group in groups:
            if person in await audiences.directory.group(group, versions):
                return True
        if not admins or WORKSPACE_ADMINS in admins:
            (found,) = await audiences.directory.people([person], versions)
            return found.is_admin
    except CANNOT_ASK as error:
        log.warning("Whether %s administers cannot be asked: %r", person, error)
    return False
