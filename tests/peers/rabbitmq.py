"""A whole RabbitMQ in a scratch directory, as an ordinary user, on ports of its own of the loopback; killed and started again as a test
likes.

Three processes belong to it, and each is ended by its number: epmd, which is started first so that Erlang starts none that would outlive
it; the server, which is the shell that is started and, by its file of the process id, the Erlang machine below.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import trustme

from tests.fakes.processes import Program, free_port, listens, wait_until

from .install import RABBITMQ

NOBODY = 65534
START = 120.0  # seconds: five on a machine that does nothing else
USER, PASSWORD = "guest", "guest"

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{plain}
listeners.ssl.1 = 127.0.0.1:{tls}
ssl_options.cacertfile = {home}/ca.pem
ssl_options.certfile = {home}/server.pem
ssl_options.keyfile = {home}/server.pem
ssl_options.verify = verify_none
loopback_users = none
log.file = false
log.console = true
log.console.level = warning
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
"""

MESSAGES = """\
lists:flatten([
  io_lib:format("~s ~b;", [element(4, element(2, Queue)), case amqqueue:get_type(Queue) of
    rabbit_quorum_queue ->
      {ok, Count, _} = ra:consistent_query(amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1), Count;
    _ -> proplists:get_value(messages, rabbit_amqqueue:info(Queue, [messages]))
  end]) || Queue <- rabbit_amqqueue:list(<<"/">>)
])"""
"""Erlang: the queues and their messages, as ``NAME COUNT;`` each. A queue's name is the record ``{resource, Host, queue, Name}``.

A quorum queue is asked itself: what RabbitMQ has written down of it is some seconds old, and nothing for a while after it has begun.
"""


class RabbitMQ:
    """Start and stop it as a context manager; `home` is a directory that other users may enter, gone with whoever made it.

    Its certificate is for ``localhost``, by the authority in `ca_file`.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = RABBITMQ
        self.port, self.tls_port, self._epmd_port, self._dist_port = (free_port() for _ in range(4))
        self._node = f"t{self.port}@localhost"
        authority = trustme.CA()
        self.ca_file = home / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(home / "server.pem"))
        (home / "rabbitmq.conf").write_text(CONFIGURATION.format(plain=self.port, tls=self.tls_port, home=home))
        (home / "enabled_plugins").write_text("[].")
        self._as = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            for path in (home, *home.iterdir()):
                shutil.chown(path, NOBODY, NOBODY)
        self._programs = max((self.root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")) / "sbin"

    @property
    def url(self) -> str:
        """Where it is, with the name and the password of its one user."""
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.port}/"

    @property
    def tls_url(self) -> str:
        """The same behind TLS."""
        return f"amqps://{USER}:{PASSWORD}@localhost:{self.tls_port}/"

    def __enter__(self) -> Self:
        epmd = (self.root / "usr/lib/erlang/bin/epmd").resolve()
        argv = [*self._as, epmd, "-address", "127.0.0.1", "-port", self._epmd_port]
        self._epmd = Program([str(word) for word in argv], self.home / "epmd.log", env=self._environment, cwd=self.home)
        try:
            self._epmd.accepts(self._epmd_port)
            self.start()
        except BaseException:
            self._epmd.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self._epmd.stop()

    def note(self) -> None:
        """Have it write down which quorum queues there are, as it does some seconds after each is made: one that it has not written down is
        empty after it was killed, whatever it had confirmed.
        """
        self._asked("lists:foreach(fun dets:sync/1, dets:all())")

    def start(self) -> None:
        """Start the server, on what it has stored, and wait until it answers."""
        self._shell = Program([*self._as, self._programs / "rabbitmq-server"], self.home / "log", env=self._environment, cwd=self.home)
        self._shell.accepts(self.port, self.tls_port, seconds=START)

    def stop(self) -> None:
        """Let it end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a loss of power would; what it has said to be stored is."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._shell.running:
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self.home / "pid").read_text()), number)
            if number == signal.SIGKILL:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._shell.pid, number)  # the helpers that would only notice it later
        self._shell.stop()
        wait_until("RabbitMQ has ended", lambda: not listens(self.port))

    def messages(self) -> dict[str, int]:
        """By queue, how many messages it has: those that wait, and those that are delivered and not acknowledged, which AMQP does not tell,
        and dead letters that are not confirmed where they go.

        The server is asked in its own language: rabbitmqctl, which does that, too, takes a second of the processor to start.
        """
        told = self._asked(MESSAGES).strip('"')
        return {name: int(count) for name, count in (line.split(" ") for line in told.split(";") if line)}

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Its connections are closed, each with a word, and none is taken. Erlang goes on: it takes six seconds of a processor to start."""
        self._asked("rabbit:stop()")
        try:
            yield
        finally:
            self._asked("rabbit:start()")

    def _asked(self, expression: str) -> str:
        """What `expression` is in the server's own language."""
        argv = [*self._as, str(self.root / "usr/lib/erlang/bin/erl_call"), "-n", self._node, "-e"]
        done = subprocess.run(
            argv, input=f"{expression}.\n", env=self._environment, cwd=self.home, capture_output=True, text=True, timeout=START
        )
        assert done.stdout.startswith("{ok, "), done.stdout + done.stderr
        return done.stdout[len("{ok, ") : -len("}")]

    @property
    def _environment(self) -> dict[str, str]:
        home, erlang = str(self.home), str(self.root / "usr/lib/erlang")
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "HOME": home,
            "PATH": f"{erlang}/bin:{self.root}/usr/bin:{os.defpath}",
            "LD_LIBRARY_PATH": f"{self.root}/usr/lib/x86_64-linux-gnu:{self.root}/lib/x86_64-linux-gnu",
            "MAILER_ERLANG": erlang,
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_HOME": str(self._programs.parent),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{loopback} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/logs",
            "RABBITMQ_PID_FILE": f"{home}/pid",
        }
