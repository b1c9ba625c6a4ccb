"""Celery, the doorbell of slow work: messages without content that make a worker look at its rows."""

from functools import cache

from celery import Celery

from wamcp import log

SEND = "wamcp.send"
ECHO = "wamcp.echo"
FETCH = "wamcp.fetch"
EXTRACT = "wamcp.extract"
PURGE = "wamcp.purge"
BEAT = "wamcp.beat"

_log = log.get(__name__)


@cache
def celery_app(redis_url: str) -> Celery:
    """The Celery application. Losing everything in the broker loses nothing: the rows are the truth.

    Tasks are acknowledged at once, since a lease in Postgres says who works on what, and since with late
    acknowledgement Celery 5.7's worker exits when the broker does. A broker that refuses (its disk or memory is
    full, or it is a replica) is tried again like one that is gone; by default the worker would end.
    """
    app = Celery("wamcp", broker=redis_url, set_as_current=False)
    app.conf.update(
        task_default_queue="wamcp",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_transport_options={
            "socket_timeout": 30,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 25,
            # Whoever rings does not wait for a broker that is gone: the sweep rings again. Consumers try for ever.
            "max_retries": 0,
        },
    )
    return app


def kick(redis_url: str, task: str) -> bool:
    """Rings for ``task``; False, and a line in the log, when the broker does not answer."""
    try:
        celery_app(redis_url).send_task(task, expires=60)
    except Exception as failure:  # noqa: BLE001 - whatever the broker's library raises, the sweep rings again
        _log.warning("kick_failed", task=task, reason=type(failure).__name__)
        return False
    return True
