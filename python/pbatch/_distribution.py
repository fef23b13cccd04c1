"""The name pbatch on the package index is another project's; both install into one folder."""

import importlib.metadata


def refuse_namesake() -> None:
    """Raises ImportError if the other distribution is installed beside this one."""
    try:
        importlib.metadata.distribution("pbatch")
    except importlib.metadata.PackageNotFoundError:
        return
    raise ImportError(
        "the distribution 'pbatch' is another project that installs into the same folder; "
        "run 'pip uninstall pbatch' and install precisionbatching again"
    )
