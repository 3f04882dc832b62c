"""The process: what it says, what it refuses, what it reads again, and what it never shows."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.processes import MAILER, Program, free_port, wait_until
from tests.peers.rabbitmq import PASSWORD

from .house import House, letter

pytestmark = [pytest.mark.peer("rabbitmq"), pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]

CANARY = "tr0ub4dor"


def mailer(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Our program, to its end."""
    return subprocess.run([*MAILER, *map(str, words)], capture_output=True, text=True, timeout=60)


def test_a_configuration_without_a_broker_is_refused(house: House) -> None:
    """In one line that says what to write: 78."""
    house.file.write_text(f'[mailer]\nspool = "{house.spool}"\n')
    done = mailer("amqp", "--config", house.file)
    assert done.returncode == 78
    assert "url_file" in done.stderr
    assert done.stderr.count("\n") == 1


def test_one_process_works_for_a_spool(house: House) -> None:
    """Another one says so: 75."""
    house.start()
    done = mailer("amqp", "--config", house.file)
    assert (done.returncode, done.stderr.count("\n")) == (75, 1)
    assert "another mailer amqp" in done.stderr


def test_the_certificate_has_to_bear_the_name(house: House) -> None:
    """By the authority that is configured and for the host that is called; else no login, and an alarm that says why."""
    house.say(house.rabbit.tls_url)
    house.configure(amqp=f'ca_file = "{house.rabbit.ca_file}"')
    program = house.start()
    asyncio.run(house.publish(letter(0)))
    house.has(1)
    program.stop()
    house.say(house.rabbit.tls_url.replace("localhost", "127.0.0.1"))
    program = house.start(until="broker")
    program.says("the certificate is not accepted")
    program.stop()
    house.say(house.rabbit.tls_url)
    house.configure()
    program = house.start(until="broker")
    program.says("the certificate is not accepted")


def test_nothing_in_the_address_takes_the_check_away(house: House) -> None:
    """What stands behind it is refused."""
    house.say(f"{house.rabbit.tls_url}?no_verify_ssl=1")
    program = house.start(until="broker")
    program.says("something behind the address")


def test_a_password_does_not_travel_in_the_clear(house: House) -> None:
    """To another machine, unless somebody has said so."""
    house.say("amqp://me:secret@192.0.2.1/")
    program = house.start(until="broker")
    program.says("would travel unencrypted")


def test_the_password_is_nowhere(house: House) -> None:
    """Not in the log, the process list, the configuration that is shown, the doctor's report, or what the spool keeps."""
    house.say(house.rabbit.url.replace(f":{PASSWORD}@", f":{CANARY}@"))
    program = house.start(until="broker")
    program.says("refuses the login")
    process = Path(f"/proc/{program.pid}")
    shown = mailer("config", "show", "--config", house.file).stdout + mailer("config", "show", "--json", "--config", house.file).stdout
    doctor = mailer("doctor", "--config", house.file)
    kept = b"".join(path.read_bytes() for path in house.spool.rglob("*") if path.is_file())
    for text in (program.said, shown, doctor.stdout, doctor.stderr, process.joinpath("cmdline").read_text(), str(kept)):
        assert CANARY not in text
    assert CANARY not in process.joinpath("environ").read_text()
    assert "refuses the login" in doctor.stdout


def test_others_may_not_read_the_address(house: House) -> None:
    """A file that they can read is refused."""
    house.url_file.chmod(0o644)
    program = house.start(until="broker")
    program.says("chmod 600")


def test_a_queue_that_is_there_with_other_properties_is_not_used(house: House) -> None:
    """For what is refused in it might be gone: the alarm says what to do, and when that is done, mail is taken."""

    async def make() -> None:
        async with house.channel() as channel:
            await channel.declare_queue(house.queue, durable=True)

    async def unmake() -> None:
        async with house.channel() as channel:
            await channel.queue_delete(house.queue)

    asyncio.run(make())
    program = house.start(until="broker")
    program.says("other properties")
    asyncio.run(unmake())
    program.says('"state":"end"')


def test_a_queue_that_was_made_without_keeping_its_dead_letters_is_used(house: House) -> None:
    """As an older RabbitMQ makes it; what is refused is a dead letter all the same."""
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-dead-letter-exchange": house.dead, "x-delivery-limit": 20}

    async def make() -> None:
        async with house.channel() as channel:
            await channel.declare_queue(house.queue, durable=True, arguments=arguments)

    asyncio.run(make())
    house.start()
    asyncio.run(house.publish(letter(0), b"{"))
    house.has(1)
    assert [message.body for message in asyncio.run(house.take(house.dead))] == [b"{"]


def test_where_nothing_is_declared_what_there_is_is_used(house: House) -> None:
    """A queue of any kind; one that is missing is an alarm."""
    house.configure(amqp="declare = false")
    program = house.start(until="broker")
    program.says("amqp.declare = true")

    async def make() -> None:
        async with house.channel() as channel:
            await channel.declare_queue(house.queue, durable=True)

    asyncio.run(make())
    program.says('"what":"ready"')
    asyncio.run(house.publish(letter(0)))
    house.has(1)


def test_a_reload_takes_from_another_queue(house: House) -> None:
    """SIGHUP reads the configuration again; one with a mistake leaves things as they are."""
    program = house.start()
    house.file.write_text("[amqp]\nnonsense = 1\n")
    program.signal(signal.SIGHUP)
    program.says("reload-refused")
    house.queues.append(f"{house.mark}.second")
    house.configure()
    program.signal(signal.SIGHUP)
    program.says(f'"what":"ready","detail":"{house.queue}, {house.queues[1]}"')
    asyncio.run(house.publish(letter(0), queue=house.queues[1]))
    house.has(1)


def test_a_full_disk_ends_the_taking_and_room_begins_it(house: House) -> None:
    """Nothing is taken, and nothing refused, while there is no room; then all is taken."""
    house.configure(more='[submission]\nmin_free_space = "900000GB"\n')
    program = house.start()
    program.says('"what":"disk"')
    asyncio.run(house.publish(letter(0)))
    assert (asyncio.run(house.count(house.queue)), house.files) == (1, [])
    house.configure()
    program.signal(signal.SIGHUP)
    house.has(1)
    assert asyncio.run(house.count(house.dead)) == 0


def test_the_daemon_starts_it_and_hears_of_its_alarms(house: House) -> None:
    """`mailer run` has mail of the queue on its way; an alarm of the process is one of the machine until it is over."""
    house.say("amqp://127.0.0.1:1/")
    with Program([*MAILER, "run", "--config", house.file], house.path / "daemon") as daemon:

        def alarms() -> list[str]:
            status = mailer("status", "--json", "--config", house.file).stdout
            return [one["kind"] for line in status.splitlines() for one in json.loads(line).get("alarms", [])]

        wait_until("the alarm is known", lambda: "broker" in alarms(), every=0.5)
        house.say(house.rabbit.url)
        daemon.signal(signal.SIGHUP)
        wait_until("the alarm is over", lambda: "broker" not in alarms(), every=0.5)
        asyncio.run(house.publish(letter(0)))
        daemon.says('"event":"queued"')
        daemon.stop()
    assert "stopped" in daemon.said


def test_its_figures_are_served(house: House) -> None:
    """By queue what became of messages, and how it stands."""
    port = free_port()
    house.configure(amqp=f'metrics = "127.0.0.1:{port}"')
    house.start()
    asyncio.run(house.publish(letter(0), b"{"))
    house.has(1)
    asyncio.run(house.settled())

    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return str(answer.read().decode())

    assert f'mailer_amqp_messages_total{{queue="{house.queue}",result="accepted"}} 1' in page()
    assert f'mailer_amqp_messages_total{{queue="{house.queue}",result="refused"}} 1' in page()
    assert "mailer_amqp_connected 1" in page()
    assert 'mailer_amqp_replies_total{result="heard"} 1' in page()
