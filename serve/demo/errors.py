"""What can go wrong in a demo, in one class: the caller prints the message and leaves."""


class DemoError(Exception):
    """The demo cannot go on, or ended with events refused or pushes missing; the message says which."""


def first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first plain exception inside nested groups."""
    inner = group.exceptions[0]
    return first_cause(inner) if isinstance(inner, BaseExceptionGroup) else inner
