"""`python -m dashboards APP [OPTION...]`: Streamlit over the app, with the store read before anybody asks, and read again when it grows."""

from __future__ import annotations

import logging
import sys
import threading
import time

log = logging.getLogger(__name__)


def main(options: list[str]) -> None:
    """Serves the dashboard until it is stopped; `options` are those of `streamlit run`."""
    from streamlit.web.cli import main as streamlit

    threading.Thread(target=_keep_fresh, name="refresher", daemon=True).start()
    streamlit(["run", *options], prog_name="streamlit")


def _keep_fresh() -> None:
    """Reads what the pages need, first of all their libraries, so that no visitor waits for it."""
    # Streamlit warns of a cache that is filled where nobody looks at a page; that is the purpose
    quiet = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    quiet.addFilter(lambda record: "ScriptRunContext" not in record.getMessage())
    from dashboards import charts, data  # noqa: F401 (the charts' library takes a second to come)

    while True:
        try:
            data.refresh()
        except Exception as e:
            # the pages say it to whoever looks
            log.warning("the store cannot be read: %s", e)
        time.sleep(data.REFRESH_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
