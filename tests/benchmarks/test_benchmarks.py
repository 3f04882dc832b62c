"""The benchmarks still run: with a few messages, for no figure's sake."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import dovecot_imap

HERE = Path(__file__).parent


def figures(script: str, *options: str) -> list[str]:
    """The lines ``FIGURE …`` of a short run."""
    done = subprocess.run([sys.executable, HERE / script, *options], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("FIGURE ")]


def test_one_that_is_told_to_end_ends_what_it_has_started(tmp_path: Path) -> None:
    """No server stays behind, to burden what is measured next."""
    code = (
        f"import sys, time; sys.argv[0] = {str(HERE / 'any.py')!r}; sys.path.insert(0, {str(HERE.parents[1])!r})\n"
        "import tests.benchmarks\n"
        "from pathlib import Path\n"
        "from tests.fakes.processes import Program\n"
        "with Program(['sleep', '600'], Path(sys.argv[1])) as started:\n"
        "    print(started.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    measuring = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    assert measuring.stdout is not None
    pid = int(measuring.stdout.readline())
    measuring.send_signal(signal.SIGTERM)
    measuring.communicate(timeout=60)
    assert measuring.returncode == 128 + signal.SIGTERM
    assert not Path(f"/proc/{pid}").exists()


def test_what_a_submission_costs_can_be_measured() -> None:
    """send.py compares both ways in with the start of Python, alone, in a loop and side by side."""
    lines = figures("send.py", "--rounds=1", "--loop=3", "--loops=1", "--parallel=2", "--submits=10", "--without-postfix")
    for what in (
        "mailer send / python3 -c pass",
        "mailer sendmail -t / python3 -c pass",
        "sendmail of mailer / python3 -c pass",
        "submit, 99th percentile",
        "shell loop, mailer send",
        "xargs -P2, mailer send",
    ):
        assert any(what in line for line in lines), lines


@pytest.mark.peer("smtp-source")
def test_what_it_costs_to_take_mail_in_can_be_measured() -> None:
    """accept.py brings messages to our door, judged and beside idle clients."""
    lines = figures("accept.py", "-n=20", "--sizes=1024", "--rounds=1", "--sessions=4", "--idle=10", "--proof", "--without-postfix")
    for what in ("a connection each", "connections that go on", "beside 10 idle", "without / beside 10 idle", "RCPT", "25 MB"):
        assert any(what in line for line in lines), lines


def test_how_long_mail_takes_inside_can_be_measured() -> None:
    """internal.py says how long mail takes from one user to another, at rest and with clients at the same time."""
    lines = figures("internal.py", "-n=2", "--sessions=2", "--each=2")
    for what, count in (("one at a time", 2), ("2 at a time, a login each", 4), ("2 at a time, sessions that go on", 4)):
        assert any(line.startswith(f"FIGURE submission to Maildir, {what}: ") and f"(median of {count}, " in line for line in lines), lines


def test_what_it_costs_to_start_can_be_measured() -> None:
    """starts.py compares the commands that ask with the start of Python."""
    lines = figures("starts.py", "--rounds=1")
    for what in ("mailer status", "mailer status ID", "mailer queue list", "mailer explain ID"):
        assert any(line.startswith(f"FIGURE {what} / python3 -c pass") for line in lines), lines


def test_what_a_batch_costs_can_be_measured() -> None:
    """batch.py compares a batch with a shell loop."""
    lines = figures("batch.py", "--messages=30", "--rounds=1", "--loop=3", "--without-postfix")
    assert any("mailer send --batch / mailer sendmail -t in a loop" in line for line in lines), lines


@pytest.mark.peer("smtp-sink")
def test_how_fast_a_queue_empties_can_be_measured() -> None:
    """drain.py measures one pass, and the daemon."""
    lines = figures("drain.py", "-n30", "--size=1024", "--rounds=1", "--without-postfix")
    assert ["mailer run --once" in line for line in lines] == [True, False]


@pytest.mark.peer("smtp-sink")
def test_what_the_journal_costs_a_drain_can_be_measured() -> None:
    """journal.py compares a drain that somebody hears of with one that nobody does, and measures the journal alone."""
    lines = figures("journal.py", "-n30", "--rounds=1")
    assert any("drain with one subscriber / with none" in line for line in lines), lines
    assert sum("events/s" in line for line in lines) == 4


@pytest.mark.peer("postfix", "smtp-sink", root=True)
def test_postfix_can_be_measured_beside_us() -> None:
    """With Postfix, both print how we compare with it."""
    lines = figures("drain.py", "-n30", "--size=1024", "--rounds=1")
    assert any("mailer run --once / best postfix" in line for line in lines), lines
    lines = figures("send.py", "--rounds=1", "--loop=3", "--loops=1", "--parallel=2", "--submits=10")
    for what in ("mailer send / postfix sendmail -t", "xargs -P2, sendmail of mailer / postfix sendmail -t"):
        assert any(what in line for line in lines), lines


def test_how_fast_mail_is_signed_can_be_measured() -> None:
    """signing.py compares us with dkimpy at both sizes."""
    lines = figures("signing.py", "--seconds=0.05", "--rounds=1")
    assert sum("mailer / dkimpy" in line for line in lines) == 2, lines


def test_what_an_idle_connection_holds_can_be_measured() -> None:
    """idle.py connects in the clear, and with TLS made in both ways, and says what each may hold."""
    lines = figures("idle.py", "-n20", "--tls=5", "--loop=asyncio")
    for way in ("plain", "starttls", "implicit"):
        assert any(line.startswith(f"FIGURE an idle connection, {way}, asyncio: ") for line in lines), lines


def test_what_a_proof_costs_can_be_measured() -> None:
    """proving.py judges with and without a signature, and compares with dkimpy, which verifies the signature alone."""
    lines = figures("proving.py", "--seconds=0.02", "--rounds=1")
    assert any(line.startswith("FIGURE prove 1024 bytes, all / dkimpy alone") for line in lines), lines


@pytest.mark.peer("smtp-sink")
def test_what_signing_costs_a_drain_can_be_measured() -> None:
    """With --drain it also compares a signed drain with an unsigned one."""
    lines = figures("signing.py", "--seconds=0.01", "--rounds=1", "--drain", "-n30")
    assert sum("/ unsigned" in line for line in lines) == 2, lines


@pytest.mark.peer("smtp-sink")
def test_what_bad_destinations_cost_the_good_ones_can_be_measured() -> None:
    """fair.py compares the rate of good mail with and without them."""
    lines = figures("fair.py", "-n40", "--bad=3", "--rounds=1")
    assert any("good mail beside bad destinations / alone" in line for line in lines), lines


@pytest.mark.peer("smtp-sink")
def test_what_a_large_queue_costs_can_be_measured() -> None:
    """scale.py measures memory, start and steady state, and one message for very many."""
    lines = figures("scale.py", "-n50", "--recipients=20", "--domains=5", "--seconds=1")
    for what in ("50 deferred, resident", "processor's time", "20 recipients in 5 domains, peak memory"):
        assert any(what in line for line in lines), lines


@pytest.mark.peer("postfix", "smtp-sink", root=True)
def test_the_whole_way_can_be_measured() -> None:
    """through.py compares us with Postfix from the first submission to the last delivery."""
    lines = figures("through.py", "-n20", "--rounds=1")
    assert sum("/ smtp-source and postfix" in line for line in lines) == 2, lines


def test_what_figures_cost_can_be_measured() -> None:
    """figures.py compares what is counted of a message with prometheus_client, and makes a page."""
    lines = figures("figures.py", "-n1000", "--hosts=20", "--rounds=1")
    assert (
        [word in line for line in lines for word in ("a message counted", "a page of 20 hosts, all families")].count(True)
        == len(lines)
        == 6
    )


@pytest.mark.peer("smtp-sink")
def test_what_it_costs_to_be_watched_can_be_measured() -> None:
    """observed.py empties a queue with figures and with traces, and measures these apart."""
    lines = figures("observed.py", "-n30", "--rounds=1")
    assert sum("drain" in line for line in lines) == 8
    assert sum("to trace" in line or "to choose" in line for line in lines) == 2


def test_what_handing_in_by_http_costs_can_be_measured() -> None:
    """api.py compares a post with `submit`, and many of one post with a batch."""
    lines = figures("api.py", "--messages=20", "--rounds=1", "--batch=10")
    for what in ("POST /send_email / submit in 16 threads", "POST /send_emails / mailer send --batch", "POST /send_email, 99th percentile"):
        assert any(line.startswith(f"FIGURE {what}") for line in lines), lines


def test_what_webhooks_take_can_be_measured() -> None:
    """webhooks.py compares events with bare posts, and the memory of a sender that is behind with that of an idle one."""
    lines = figures("webhooks.py", "-n=200", "--behind=1000", "--rounds=1", "--still=1")
    for what in ("webhooks, one endpoint, 8 at a time", "webhooks / bare posts", "memory of a sender with 1,000 events behind"):
        assert any(what in line for line in lines), lines


def test_how_fast_reports_are_read_can_be_measured() -> None:
    """reports.py reads the samples, and holds them against the goal."""
    lines = figures("reports.py", "--seconds=0.1", "--rounds=1")
    assert any("mailer / the goal" in line for line in lines), lines


@pytest.mark.slow
@pytest.mark.peer("dovecot")
def test_how_fast_reports_are_taken_can_be_measured() -> None:
    """report_sources.py fetches from a Dovecot by both protocols, and measures the disk beside them."""
    lines = figures("report_sources.py", "-n=20", "--rounds=1")
    for what in ("IMAP, moved", "POP3, deleted", "the disk, one by one"):
        assert any(line.startswith(f"FIGURE {what}") for line in lines), lines


@pytest.mark.slow
@pytest.mark.peer("dovecot")
def test_what_delivery_into_mailboxes_costs_can_be_measured() -> None:
    """local.py delivers with our courier and with the LMTP of a Dovecot, to many users and to one."""
    lines = figures("local.py", "-n=32", "--rounds=1", "--users=4", "--sessions=4")
    for what in ("many users, processor, dovecot / ours", "one user, clock, dovecot / ours", "put one by one"):
        assert any(line.startswith(f"FIGURE {what}") for line in lines), lines


@pytest.mark.peer("dovecot")
def test_what_flags_and_appended_messages_cost_can_be_measured() -> None:
    """mailbox_dovecot.py has a mailbox of ours and one of a Dovecot do the same with the same mail."""
    lines = figures("mailbox_dovecot.py", "-n=20", "--appended=5", "--rounds=1")
    for what in ("flags of 20, processor, dovecot / ours", "append, processor, dovecot / ours", "append, ours"):
        assert any(line.startswith(f"FIGURE {what}") for line in lines), lines


@pytest.mark.slow
@pytest.mark.peer("dovecot")
def test_what_reading_by_imap_costs_can_be_measured() -> None:
    """imap.py asks a door of ours and the IMAP of a Dovecot the same about the same mail."""
    lines = figures("imap.py", "--many=20", "--some=5", "--rounds=1")
    for what in ("SELECT of 20, cold", "UID FLAGS, ours / dovecot", "BODY.PEEK[], ours / dovecot", "BODYSTRUCTURE, ours / dovecot"):
        assert any(line.startswith(f"FIGURE {what}") for line in lines), lines


@pytest.mark.slow
@pytest.mark.peer(dovecot_imap.PROGRAM)
def test_what_clients_of_imap_cost_together_can_be_measured() -> None:
    """imap_load.py has a door of ours and Dovecot do the same for several clients at once, with messages that are appended and folders."""
    lines = figures("imap_load.py", "--messages=60", "--clients=2", "--commands=3", "--appended=20", "--folders=5", "--rounds=1")
    for what in ("LIST of 5, processor, ours / dovecot", "2 clients, a second", "APPEND of 20, ours", "longest NOOP beside STORE of 60"):
        assert any(line.startswith(f"FIGURE {what}") for line in lines), lines


def test_how_well_filters_judge_can_be_measured() -> None:
    """efficacy.py has letters judged that carry a label; nothing that somebody wants is marked by a list and by what is proved alone."""
    lines = figures("efficacy.py", "--without-spamd")
    assert lines[0].startswith("FIGURE false positives: 0.0 % (0 of 164")
    assert "false negatives" in lines[1]


def test_what_encryption_costs_can_be_measured() -> None:
    """encryption.py puts, reads and searches the same mail, encrypted and not."""
    lines = figures("encryption.py", "-n=20", "--size=1024", "--rounds=1")
    for what in ("put one by one", "put 50 at a time", "read whole", "rows", "search TEXT", "open"):
        assert any(f"{what}, encrypted / plain" in line for line in lines), lines


def test_what_a_mailbox_costs_can_be_measured() -> None:
    """mailbox.py puts messages, and asks of a large folder what clients ask."""
    lines = figures("mailbox.py", "--messages=300", "--puts=100", "--folders=10")
    for what in ("put one at a time", "UIDs of 500", "flag a thousand", "all counts, checked", "list 10 folders"):
        assert any(line.startswith(f"FIGURE {what}") for line in lines), lines


@pytest.mark.peer("dovecot", root=True)
def test_what_it_costs_to_fetch_mail_by_pop3_can_be_measured() -> None:
    """pop3.py fetches from our door and from Dovecot, one after the other and pipelined."""
    lines = figures("pop3.py", "-n=5", "--rounds=1", "--size=2000")
    for what in ("mailer / Dovecot: one after the other", "mailer / Dovecot: pipelined"):
        assert any(what in line for line in lines), lines


@pytest.mark.peer(dovecot_imap.PROGRAM)
def test_what_searches_of_clients_cost_can_be_measured() -> None:
    """imap_search.py asks our door and Dovecot's the same, and has the same answers."""
    lines = figures("imap_search.py", "-n=30", "--rounds=1")
    for what in ("SEARCH UNSEEN", "SEARCH TEXT", "UID SORT (SUBJECT)", "UID THREAD REFERENCES"):
        assert any(line.startswith(f"FIGURE {what}") and "ratio" in line for line in lines), lines
