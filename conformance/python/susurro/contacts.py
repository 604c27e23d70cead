"""Other people's device lists: KEY-2 to KEY-4, ID-2, SEND-8."""

from .errors import Refused
from .keys import check_successor, verify_device_list
from .rest import Rest
from .store import Contact, State


def find_contact(rest: Rest, state: State, name: str) -> Contact:
    """The contact of a name, fetched when it is not known yet."""
    known = next((one for one in state.contacts.values() if one.name == name), None)
    return known or refresh_contact(rest, state, name)


def refresh_contact(rest: Rest, state: State, name: str) -> Contact:
    """Fetches a name's device list and believes it, or refuses.

    Another account key under a known name is refused, whether the contact is verified or not: there is no person here
    to whom it could be shown (KEY-4).
    """
    account, signed = rest.device_list_of(name)
    devices = verify_device_list(signed)
    if devices.account != account:
        raise Refused("invalid-device-list", "the list is of another account than the answer (ID-2)")
    known = next((one for one in state.contacts.values() if one.name == name), None)
    if known is None:
        known = Contact(name, devices)
    else:
        check_successor(known.devices, devices)
        known.devices = devices
    state.contacts[account] = known
    return known
